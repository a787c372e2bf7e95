"""What has landed: one JSON line per hour in `bronze/<source>/manifest.jsonl`, only ever appended to."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from ratchet.contracts.errors import DataError

_NAME = "manifest.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """One hour in bronze: where it lies and what it was when it arrived."""

    source: str
    hour: datetime
    file: str
    """Relative to the source's folder."""
    bytes: int
    sha256: str
    seconds: float
    part: str = ""
    """What of the hour the file holds, such as `owner/name/commits`; empty if it is the whole hour."""
    kept_at: str = ""


def read(folder: Path) -> tuple[Landed, ...]:
    """Every hour landed in a source's folder, in order of arrival; a torn last line counts as not written."""
    try:
        text = (folder / _NAME).read_bytes()
    except FileNotFoundError:
        return ()
    whole = text[: text.rfind(b"\n") + 1]
    return tuple(_parse(line, folder, number) for number, line in enumerate(whole.splitlines(), start=1))


def append(folder: Path, landed: Landed) -> None:
    """Add an hour, on disk when this returns. The caller holds the source's lock."""
    line = json.dumps({**asdict(landed), "hour": landed.hour.isoformat()}) + "\n"
    with (folder / _NAME).open("ab") as stream:
        stream.write(line.encode())
        stream.flush()
        os.fsync(stream.fileno())


def mend(folder: Path) -> None:
    """Cut off a last line that a kill has torn. The caller holds the source's lock."""
    path = folder / _NAME
    if path.exists():
        with path.open("r+b") as stream:
            stream.truncate(stream.read().rfind(b"\n") + 1)


def _parse(line: bytes, folder: Path, number: int) -> Landed:
    try:
        values = json.loads(line)
        return Landed(**{**values, "hour": datetime.fromisoformat(values["hour"])})
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{folder / _NAME}, line {number}: not a manifest entry ({error})") from error
