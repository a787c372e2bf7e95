"""What has landed: one JSON line per file in `bronze/<source>/manifest.jsonl`, only ever appended to."""

import json
import os
import threading
from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from ratchet.contracts.errors import DataError
from ratchet.ingest.durable import exclusive, replace_text

NAME: Final = "manifest.jsonl"
_LOCK: Final = ".lock"
_NOTES: Final = "notes.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """One file in bronze: where it lies and what it was when it arrived."""

    source: str
    hour: datetime
    file: str
    """Relative to the source's folder."""
    bytes: int
    sha256: str
    seconds: float
    part: str = ""
    """What of the source beside the hour, such as one series' commits; empty where the hour says it all."""
    kept_at: datetime | None = None
    """When it was complete in bronze; None in rows of older versions."""
    cursor: str = ""
    """How far the source had come in this part; only the source understands it."""


def read(folder: Path) -> tuple[Landed, ...]:
    """Every file landed in a source's folder, in order of arrival; a torn last line counts as not written."""
    return tuple(Manifest(folder).entries())


class Manifest:
    """A source's manifest, for several threads and processes; it is read once, and then only what was added.

    It is also what a source may know of its own past: the port `Landings`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guard = threading.RLock()
        self._entries: list[Landed] = []
        self._hours: set[datetime] = set()
        self._files: Counter[datetime] = Counter()
        self._cursors: dict[str, str] = {}
        self._at = 0

    def entries(self) -> tuple[Landed, ...]:
        """Every file landed, in order of arrival."""
        with self._guard:
            self._refresh()
            return tuple(self._entries)

    def hours(self) -> AbstractSet[datetime]:
        """The hours that have landed; the set grows with the manifest."""
        with self._guard:
            self._refresh()
            return self._hours

    def files(self, hour: datetime) -> int:
        """How many files of this hour have landed."""
        with self._guard:
            self._refresh()
            return self._files[hour]

    def cursor(self, part: str) -> str:
        """The cursor of the part's newest file; empty before the first one."""
        with self._guard:
            self._refresh()
            return self._cursors.get(part, "")

    def append(self, landed: Landed) -> None:
        """Add a file, on disk when this returns; a line that a kill has torn is cut off before."""
        values = {**asdict(landed), "hour": landed.hour.isoformat()}
        values["kept_at"] = landed.kept_at.isoformat() if landed.kept_at else None
        line = (json.dumps(values) + "\n").encode()
        with self._guard, exclusive(self.folder / _LOCK), (self.folder / NAME).open("a+b") as stream:
            self._refresh()
            stream.truncate(self._at)
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())

    def note(self, key: str) -> str:
        """What a source kept under this key; empty if nothing, or if it was lost."""
        return str(self._notes().get(key, ""))

    def keep_note(self, key: str, value: str) -> None:
        """Keep something that only saves work."""
        with self._guard:
            notes = self._notes()
            if notes.get(key) != value:
                replace_text(self.folder / _NOTES, json.dumps({**notes, key: value}, indent=0) + "\n")

    def _notes(self) -> dict[str, Any]:
        try:
            notes = json.loads((self.folder / _NOTES).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return notes if isinstance(notes, dict) else {}

    def _refresh(self) -> None:
        try:
            with (self.folder / NAME).open("rb") as stream:
                stream.seek(self._at)
                added = stream.read()
        except FileNotFoundError:
            return
        whole = added[: added.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self._add(_parse(line, self.folder, len(self._entries) + 1))
        self._at += len(whole)

    def _add(self, entry: Landed) -> None:
        self._entries.append(entry)
        self._hours.add(entry.hour)
        self._files[entry.hour] += 1
        self._cursors[entry.part] = entry.cursor


def _parse(line: bytes, folder: Path, number: int) -> Landed:
    try:
        values = orjson.loads(line)
        kept_at = values.get("kept_at")
        times = {
            "hour": datetime.fromisoformat(values["hour"]),
            "kept_at": datetime.fromisoformat(kept_at).astimezone(UTC) if kept_at else None,
        }
        return Landed(**{**values, **times})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{folder / NAME}, line {number}: not a manifest entry ({error})") from error
