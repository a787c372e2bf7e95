"""A forecast as it is answered and as the log keeps it: JSON that is written once, and waits for who asks, when, and the id.

Most forecasts are asked for many times. What differs from one time to the next is put into gaps; nothing else is rendered again.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from inference.identity import Caller
from inference.questions import Question
from inference.tell import Told
from ratchet.contracts.ports import Track
from ratchet.serve.log_lines import FORECAST, name_answer, write_answer
from ratchet.serve.swap import Serving

NUL: Final = b"\0"
GAP: Final = orjson.Fragment(NUL)  # a byte that no JSON has
QUOTED_GAP: Final = orjson.Fragment(b'"' + NUL + b'"')


class Form(NamedTuple):
    """One forecast, with a gap for its id: as it is answered, as the log keeps it once, and as it begins a line whenever it is given."""

    target: str
    opening: bytes
    answer: bytes
    """What follows the prediction id."""
    answer_id: bytes
    line: bytes
    row: bytes
    """What comes before the prediction id in the log."""

    def fill(self, prediction_id: bytes) -> bytes:
        """Return the answer under an id."""
        return b"".join((self.opening, prediction_id, self.answer))


class Columns(NamedTuple):
    """Many forms, field by field."""

    target: tuple[str, ...]
    opening: tuple[bytes, ...]
    answer: tuple[bytes, ...]
    answer_id: tuple[bytes, ...]
    line: tuple[bytes, ...]
    row: tuple[bytes, ...]


class Layout(NamedTuple):
    """What the forms of many series have in common: their target, horizon, family and note."""

    target: str
    unwanted: frozenset[str]
    answer: tuple[bytes, ...]
    row: tuple[bytes, ...]

    def form(self, unique_id: str, weeks: bytes) -> Form:
        """Return the form of one series."""
        name, (opening, before, between, after), (begin, middle, end) = orjson.dumps(unique_id), self.answer, self.row
        answer = b"".join((before, name, between, self._wanted(weeks), after))
        content = b"".join((begin, name, middle, weeks, end))
        answer_id = name_answer(content)
        row = FORECAST + answer_id + b'","prediction_id":"'
        return Form(self.target, opening, answer, answer_id, write_answer(answer_id, content), row)

    def _wanted(self, weeks: bytes) -> bytes:
        if not self.unwanted:
            return weeks
        listed = orjson.loads(weeks)
        return orjson.dumps([{name: week[name] for name in week if name not in self.unwanted} for week in listed])


def make_layout(track: Track, serving: Serving, question: Question, told: Told) -> Layout:
    """Lay out what is said of questions like this one."""
    answer = orjson.dumps(_answer(track, serving, question, told)).split(NUL)
    row = orjson.dumps(_row(track, serving, question, told)).split(NUL)
    return Layout(target=question.target, unwanted=question.left_out(), answer=tuple(answer), row=tuple(row))


def refuse(problem: bytes) -> Form:
    """Put a problem in the place of an answer: a form without a gap, of which nothing is logged."""
    return Form(target="", opening=problem, answer=b"", answer_id=b"", line=b"", row=b"")


def write_rows(rows: Sequence[bytes], ids: Sequence[bytes], asker: Caller, *, at: datetime) -> bytes:
    """Return what the log says of forecasts of one request, a line each; their answers are lines of their own."""
    spent = (time.perf_counter() - asker.started) * 1000 / max(len(rows), 1)
    asked = {
        "assigned": asker.assigned,
        "client": asker.client,
        "request_id": asker.request_id,
        "at": at,
        "latency_ms": round(spent, 3),
    }
    end = b'",' + orjson.dumps(asked, option=orjson.OPT_APPEND_NEWLINE)[1:]
    pieces = [end] * (3 * len(rows))
    pieces[::3], pieces[1::3] = rows, ids
    return b"".join(pieces)


def _answer(track: Track, serving: Serving, question: Question, told: Told) -> dict[str, Any]:
    card = serving.opened.card
    return {
        "prediction_id": QUOTED_GAP,
        "workload": card.workload,
        card.id_name: GAP,
        "target": question.target,
        "track": track.value,
        "release": serving.name,
        "release_id": card.release_id,
        "family": told.family,
        "data_hour": serving.opened.data_hour,
        "synthetic": card.synthetic,
        "weeks": GAP,
        "note": told.note,
    }


def _row(track: Track, serving: Serving, question: Question, told: Told) -> dict[str, Any]:
    return {
        "workload": serving.release.workload,
        "track": track.value,
        "release": serving.name,
        "release_id": serving.release.release_id,
        "data_hour": serving.opened.data_hour,
        "unique_id": GAP,
        "target": question.target,
        "horizon": question.horizon,
        "family": told.family,
        "weeks": GAP,
    }
