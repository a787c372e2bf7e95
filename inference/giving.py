"""What a batch is given: every forecast signed and in the log at once, then the answer, each result in its place."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import orjson

from inference.desk import Desk
from inference.forms import Columns, Form, write_rows
from inference.identity import Caller
from inference.service import Lines

ENDING: Final = b"]}"


def give(desk: Desk, results: Sequence[Form], asker: Caller, log: Lines, *, now: datetime) -> bytes:
    """Return the answer to a batch: how much of it was answered, then each result."""
    told = Columns._make(zip(*results, strict=True))
    ids = _write_down(desk, told, asker, log, now=now)
    summary = orjson.dumps(desk.describe() | {"answered": len(ids), "failed": len(results) - len(ids)})
    if len(ids) < len(results):
        signed = iter(ids)
        ids = [next(signed) if row else b"" for row in told.row]
    pieces = [b","] * (4 * len(results))
    pieces[1::4], pieces[2::4], pieces[3::4] = told.opening, ids, told.answer
    pieces[0] = summary[:-1] + b',"results":['
    pieces.append(ENDING)
    return b"".join(pieces)


def _write_down(desk: Desk, told: Columns, asker: Caller, log: Lines, *, now: datetime) -> list[bytes]:
    """Sign every forecast, and log all of them at once before any is answered; return their ids."""
    rows = told.row if all(told.row) else tuple(filter(None, told.row))
    ids = desk.sign_many(now, len(rows))
    if rows:
        answers = dict(zip(told.answer_id, told.line, strict=True))
        answers.pop(b"", None)  # a refusal's
        log.append_lines(write_rows(rows, ids, asker, at=now), len(rows), answers)
    for target, count in Counter(filter(None, told.target)).items():
        desk.meters.answered(target, count)
    return ids
