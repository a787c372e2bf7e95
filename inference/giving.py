"""What a batch is given: every forecast signed and in the log at once, then the answer, each result in its place."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

import orjson

from inference.desk import Desk
from inference.forms import Form, write_rows
from inference.identity import Caller
from inference.service import Lines

OPENING, ANSWER, ANSWER_ID, LINE, TARGET = map(attrgetter, ("opening", "answer", "answer_id", "line", "target"))
ENDING: Final = b"]}"


class Refusal(NamedTuple):
    """A problem in the place of an answer: a form without a gap."""

    opening: bytes
    answer: bytes = b""


Result: TypeAlias = Form | Refusal


def give(desk: Desk, results: Sequence[Result], asker: Caller, log: Lines, *, now: datetime) -> bytes:
    """Return the answer to a batch: how much of it was answered, then each result."""
    forms = [one for one in results if isinstance(one, Form)]
    ids = _write_down(desk, forms, asker, log, now=now)
    summary = orjson.dumps(desk.describe() | {"answered": len(forms), "failed": len(results) - len(forms)})
    if len(forms) < len(results):
        signed = iter(ids)
        ids = [next(signed) if isinstance(one, Form) else b"" for one in results]
    pieces = [b","] * (4 * len(results))
    pieces[1::4], pieces[2::4], pieces[3::4] = map(OPENING, results), ids, map(ANSWER, results)
    pieces[0] = summary[:-1] + b',"results":['
    pieces.append(ENDING)
    return b"".join(pieces)


def _write_down(desk: Desk, forms: Sequence[Form], asker: Caller, log: Lines, *, now: datetime) -> list[bytes]:
    """Sign every forecast, and log all of them at once before any is answered; return their ids."""
    ids = desk.sign_many(now, len(forms))
    if forms:
        answers = dict(zip(map(ANSWER_ID, forms), map(LINE, forms), strict=True))
        log.append_lines(write_rows(forms, ids, asker, at=now), len(forms), answers)
    for target, count in Counter(map(TARGET, forms)).items():
        desk.meters.answered(target, count)
    return ids
