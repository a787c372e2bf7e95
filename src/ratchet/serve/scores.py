"""What a release measured of each series on held-out weeks: an index of its `scores.json`, which itself stays on disk.

Read whole, the records of 100,000 series are 100 MB in every worker, and reading them holds every forecast up for half a second.
"""

import json
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.release import series_key

PIECE: Final = 1 << 16
"""Bytes that are read at once; no record is as long."""
ENTRY: Final = np.dtype([("key", "u8"), ("start", "i8"), ("length", "i4"), ("target", "u2"), ("mase", "f8")])

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Finds a series' record, and the best and worst ones by the MASE of the family that answers."""

    content: mmap.mmap | bytes
    entries: NDArray[np.void]
    """One a series, in the order of `keys`."""
    keys: NDArray[np.uint64]
    order: NDArray[np.intp]
    """Of the entries that could be validated, best first."""
    targets: dict[str, int]

    def of(self, unique_id: str, target: str) -> Record:
        """Return the record of a series; empty if there is none."""
        key = np.uint64(series_key(unique_id, target))
        at = int(self.keys.searchsorted(key))
        return self._read(at) if at < len(self.keys) and self.keys[at] == key else {}

    def ranked(self, *, worst: bool, target: str | None, limit: int) -> list[Record]:
        """Return the records of the worst or the best series, of one target or of all."""
        order = self.order[::-1] if worst else self.order
        if target is not None:
            order = order[self.entries["target"][order] == self.targets.get(target, -1)]
        return [self._read(int(at)) for at in order[:limit]]

    def _read(self, at: int) -> Record:
        start, length = int(self.entries["start"][at]), int(self.entries["length"][at])
        record: Record = json.loads(self.content[start : start + length])
        return record


def read_scores(path: Path) -> Scores:
    """Index a release's scores; a release without any that make sense has none."""
    targets: dict[str, int] = {}
    try:
        with path.open("rb") as stream:
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        return _index(content, np.fromiter(_entries(content, targets), dtype=ENTRY), targets)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _index(b"", np.empty(0, dtype=ENTRY), {})


def _index(content: mmap.mmap | bytes, entries: NDArray[np.void], targets: dict[str, int]) -> Scores:
    entries = entries[entries["key"].argsort()]
    order = entries["mase"].argsort(kind="stable")
    return Scores(
        content=content,
        entries=entries,
        keys=np.ascontiguousarray(entries["key"]),
        order=order[: np.isfinite(entries["mase"]).sum()],
        targets=targets,
    )


def _entries(content: mmap.mmap, targets: dict[str, int]) -> Iterator[tuple[int, int, int, int, float]]:
    for start, length, record in _records(content):
        unique_id, target = record["unique_id"], record["target"]
        mase = record.get("mase", {}).get(record["family"])
        of_target = targets.setdefault(target, len(targets))
        yield series_key(unique_id, target), start, length, of_target, np.nan if mase is None else mase


def _records(content: mmap.mmap) -> Iterator[tuple[int, int, Record]]:
    """Yield each record of a list with its place, one by one: another thread may have its turn after each."""
    decode, text, place = json.JSONDecoder().raw_decode, "", 0
    for first in range(0, len(content), PIECE):
        text += content[first : first + PIECE].decode("ascii")  # as `train` writes it: a character is a byte
        end = 0
        while (start := text.find("{", end)) >= 0:
            try:
                record, stop = decode(text, start)
            except ValueError:  # it goes on in the next piece
                break
            yield place + start, stop - start, record
            end = stop
        place, text = place + end, text[end:]
        if len(text) > PIECE:
            raise ValueError("no list of records")
