"""What could not land: one JSON line each time in `bronze/<source>/troubles.jsonl`; the last one of a name counts."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import DataError
from ratchet.contracts.source import Trouble
from ratchet.ingest.durable import exclusive

NAME: Final = "troubles.jsonl"
_LOCK: Final = ".lock"
_OVER: Final = "over"
_YOUNG: Final = timedelta(days=2)
_ASK_YOUNG_AGAIN: Final = timedelta(minutes=30)
_ASK_OLD_AGAIN: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A trouble, and when it was met last."""

    trouble: Trouble
    at: datetime


def read(folder: Path) -> dict[str, Remembered]:
    """The last trouble of each name that is not over; a torn last line counts as not written."""
    try:
        text = (folder / NAME).read_bytes()
    except FileNotFoundError:
        return {}
    lines = text[: text.rfind(b"\n") + 1].splitlines()
    last = {row.trouble.name: row for row in (_parse(line, folder, at) for at, line in enumerate(lines, start=1))}
    return {name: row for name, row in last.items() if row.trouble.what != _OVER}


def remember(folder: Path, trouble: Trouble, *, at: datetime) -> None:
    """Add a trouble, on disk when this returns; a line that a kill has torn is cut off before."""
    line = (json.dumps({**asdict(trouble), "at": at.isoformat()}) + "\n").encode()
    with exclusive(folder / _LOCK), (folder / NAME).open("a+b") as stream:
        stream.seek(0)
        stream.truncate(stream.read().rfind(b"\n") + 1)
        stream.write(line)
        stream.flush()
        os.fsync(stream.fileno())


def settle(folder: Path, names: Iterable[str], *, at: datetime) -> None:
    """Write down that these troubles are over."""
    for name in names:
        remember(folder, Trouble(what=_OVER, name=name, reason=""), at=at)


def is_due(known: Remembered | None, hour: datetime, *, now: datetime) -> bool:
    """Whether to ask for an hour: a missing one is asked for again every half hour while young, then once a day.

    So is one that a wrong clock has dated later than now.
    """
    if known is None or known.trouble.what != "missing":
        return True
    return not timedelta(0) <= now - known.at < (_ASK_YOUNG_AGAIN if now - hour < _YOUNG else _ASK_OLD_AGAIN)


def _parse(line: bytes, folder: Path, number: int) -> Remembered:
    try:
        values = json.loads(line)
        at = datetime.fromisoformat(values.pop("at"))
        return Remembered(trouble=Trouble(**values), at=at)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{folder / NAME}, line {number}: not a trouble ({error})") from error
