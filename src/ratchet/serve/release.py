"""A release folder, opened for answering: checked, memory-mapped, and shared by every thread without a lock."""

import heapq
import json
import mmap
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from ratchet.contracts.errors import ReleaseError, UnknownSeriesError
from ratchet.contracts.release import (
    BEHIND,
    CARD,
    FAMILY,
    ISSUE,
    KEYS,
    NAME_OFFSETS,
    NAMES,
    POSTED,
    SCORES,
    SEPARATOR,
    STATISTICS,
    WEEKS,
    Card,
    Issue,
    file_digest,
    issue_folder,
    issues_in,
    series_key,
    series_name,
    split_name,
)
from ratchet.posted import Yardstick
from ratchet.serve.scores import Scores, read_scores

SLICE: Final = 1000  # series that are looked through in one piece: a fraction of a millisecond
DIGITS: Final = 3  # float32 has seven significant ones; three decimals say all that a weekly count can


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of a release's series as (unique_id, target), and how many there are in all."""

    total: int
    series: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class OpenRelease:
    """A release that can answer. Its arrays are views of mapped files: a million series open as fast as ten."""

    card: Card
    folder: Path
    issue: int
    data_hour: datetime
    made_at: datetime
    weeks: tuple[str, ...]
    keys: NDArray[np.uint64] = field(repr=False)
    offsets: NDArray[np.uint64] = field(repr=False)
    names: mmap.mmap = field(repr=False)
    statistics: tuple[NDArray[np.float32], ...] = field(repr=False)
    family: NDArray[np.uint8] | None = field(default=None, repr=False)
    history: NDArray[np.int32] | None = field(default=None, repr=False)
    """How many weeks each series was trained on, if the release says so."""
    behind: NDArray[np.int32] | None = field(default=None, repr=False)
    """How many of the newest weeks each series' forecast does not know; None where there is no such series."""
    yardstick: Yardstick | None = field(default=None, repr=False)
    """What posted histories are answered with, if the release learnt it."""

    def forecast(self, unique_id: str, target: str, horizon: int) -> list[dict[str, Any]]:
        """Return the next `horizon` weeks, each with mean, median and bounds, or an `UnknownSeriesError`."""
        return self._weeks(self.row(unique_id, target), horizon)

    def _weeks(self, row: int, horizon: int) -> list[dict[str, Any]]:
        figures = np.array([statistic[row, :horizon] for statistic in self.statistics], dtype=np.float64)
        columns = figures.round(DIGITS).tolist()
        return [
            {
                "week": week,
                "mean": mean,
                "median": median,
                "lo_80": lo_80,
                "hi_80": hi_80,
                "lo_95": lo_95,
                "hi_95": hi_95,
            }
            for week, mean, median, lo_80, hi_80, lo_95, hi_95 in zip(self.weeks, *columns, strict=False)
        ]

    def rendered(self, row: int, horizon: int) -> bytes:
        """Return the weeks of a row as JSON, for both the answer and the log."""
        return orjson.dumps(self._weeks(row, horizon))

    def series(self, *, search: str = "", limit: int = 100, offset: int = 0) -> Page:
        """Series in the order of their names; `search` is any part of a `unique_id`, in any case."""
        found = self._by_name if not search else self._by_name[self._matches(search)[self._by_name]]
        page = found[offset : offset + limit]
        return Page(total=len(found), series=tuple(split_name(self._name(int(row))) for row in page))

    def smoke(self) -> None:
        """Answer one real forecast and look at it, or raise a `ReleaseError`: what cannot do this must not go live."""
        unique_id, target = split_name(self._name(len(self.keys) // 2))
        try:
            weeks = self.forecast(unique_id, target, self.card.horizon)
        except UnknownSeriesError as error:
            raise ReleaseError(f"{self.folder}: {error}; {KEYS} and {NAMES} do not belong together") from error
        for week in weeks:
            figures = [float(week[statistic]) for statistic in STATISTICS]
            bounds = [float(week[bound]) for bound in ("lo_95", "lo_80", "hi_80", "hi_95")]
            if not np.isfinite(figures).all() or min(figures) < 0 or bounds != sorted(bounds):
                raise ReleaseError(
                    f"{self.folder}: the forecast of {unique_id} {target} for {week['week']} is no forecast"
                )

    def row(self, unique_id: str, target: str) -> int:
        """Return where a series is in every array, or an `UnknownSeriesError`."""
        key = np.uint64(series_key(unique_id, target))
        row = int(self.keys.searchsorted(key))
        # The name is compared too: two strings may share 64 bits, and a wrong answer is worse than none.
        if row == len(self.keys) or self.keys[row] != key or self._name(row) != series_name(unique_id, target):
            raise UnknownSeriesError(f"no forecast for {unique_id!r}, {target}")
        return row

    def _name(self, row: int) -> str:
        return self.names[int(self.offsets[row]) : int(self.offsets[row + 1])].decode()

    @cached_property
    def scores(self) -> Scores:
        """What was measured of each series: read when it is first asked for, gone with the release."""
        return read_scores(self.folder / SCORES)

    @cached_property
    def _by_name(self) -> NDArray[np.intp]:
        """Rows in the order of their names: sorted when the first list is asked for, kept as numbers only."""
        rows = range(len(self.keys))
        # Merged from short lists, in steps that let other threads go on: one long sort would hold every forecast up.
        parts = (sorted(rows[first : first + SLICE], key=self._name) for first in rows[::SLICE])
        return np.fromiter(heapq.merge(*parts, key=self._name), dtype=np.intp, count=len(rows))

    def _matches(self, search: str) -> NDArray[np.bool_]:
        wanted, found = search.encode().lower(), np.zeros(len(self.keys), dtype=np.bool_)
        for first in range(0, len(found), SLICE):
            starts = self.offsets[first : first + SLICE + 1].astype(np.intp)
            names = self.names[starts[0] : starts[-1]]
            starts -= starts[0]
            hits = np.array(_places(wanted, names.lower()), dtype=np.intp)
            rows = starts.searchsorted(hits, side="right") - 1
            separators = np.flatnonzero(np.frombuffer(names, dtype=np.uint8) == ord(SEPARATOR))
            ends = separators[separators.searchsorted(starts[:-1])]  # of the ids
            found[first + rows[hits + len(wanted) <= ends[rows]]] = True
        return found


def _places(wanted: bytes, text: bytes) -> list[int]:
    """Return where a text has what is wanted; overlapping places too: one that runs over a name's end must not hide the next."""
    places, place = [], text.find(wanted)
    while place >= 0:
        places.append(place)
        place = text.find(wanted, place + 1)
    return places


def open_release(folder: Path, *, verify: bool, issue: int = 0) -> OpenRelease:
    """Open a release at an issue, the newest unless told. Whatever is missing or broken is a `ReleaseError` that names the file."""
    card = _read_card(folder / CARD)
    issued = _read_issue(folder, issue or _newest_issue(folder))
    if verify:
        _verify(folder, card, issued)
    offsets = _map(folder / NAME_OFFSETS, (card.series + 1,), np.uint64)
    return OpenRelease(
        card=card,
        folder=folder,
        issue=issued.number,
        data_hour=issued.data_hour,
        made_at=datetime.fromtimestamp((folder / CARD).stat().st_mtime, UTC),
        weeks=_weeks(issued.first_week, card.horizon),
        keys=_map(folder / KEYS, (card.series,), np.uint64),
        offsets=offsets,
        names=_map_bytes(folder / NAMES, int(offsets[-1])),
        statistics=tuple(
            _map(folder / issue_folder(issued.number) / f"{name}.npy", (card.series, card.horizon), np.float32)
            for name in STATISTICS
        ),
        family=_map_if_there(folder / FAMILY, (card.series,), np.uint8),
        history=_map_if_there(folder / WEEKS, (card.series,), np.int32),
        behind=_map_if_there(folder / issue_folder(issued.number) / BEHIND, (card.series,), np.int32),
        yardstick=_read_yardstick(folder / POSTED),
    )


def _read_card(path: Path) -> Card:
    try:
        card = Card.from_json(path.read_bytes())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"{path}: no card of a release: {error!r}") from error
    if card.series < 1 or card.horizon < 1 or not card.checksums:
        raise ReleaseError(f"{path}: a release needs at least one series, one week and its checksums")
    return card


def _verify(folder: Path, card: Card, issued: Issue) -> None:
    place = issue_folder(issued.number)
    checksums = card.checksums | {f"{place}/{name}": digest for name, digest in issued.checksums.items()}
    needed = {KEYS, NAME_OFFSETS, NAMES, *(f"{place}/{name}.npy" for name in STATISTICS)}
    if unlisted := needed - checksums.keys():
        raise ReleaseError(f"{folder / CARD}: no checksum of {', '.join(sorted(unlisted))}")
    _compare(folder, checksums)


def is_whole(folder: Path) -> bool:
    """Tell whether a copy has all that training wrote, as it wrote it; what was issued since is not looked at."""
    try:
        _compare(folder, _read_card(folder / CARD).checksums)
    except ReleaseError:
        return False
    return True


def _compare(folder: Path, checksums: Mapping[str, str]) -> None:
    for name, digest in checksums.items():
        try:
            found = file_digest(folder / name)
        except OSError as error:
            raise ReleaseError(f"{folder / name}: cannot be read: {error.strerror}") from error
        if found != digest:
            raise ReleaseError(f"{folder / name}: its SHA-256 is {found}, the card says {digest}")


def _newest_issue(folder: Path) -> int:
    issues = issues_in(folder)
    if not issues:
        raise ReleaseError(f"{folder / 'forecasts'}: no issue in it")
    return issues[-1]


def _read_issue(folder: Path, number: int) -> Issue:
    try:
        return Issue.read(folder, number)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"{folder / issue_folder(number) / ISSUE}: no issue of a release: {error!r}") from error


def _weeks(first: date, horizon: int) -> tuple[str, ...]:
    return tuple((first + timedelta(weeks=number)).isoformat() for number in range(horizon))


def _map(path: Path, shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ReleaseError(f"{path}: cannot be mapped: {error}") from error
    if mapped.shape != shape or mapped.dtype != kind:
        raise ReleaseError(f"{path}: holds {mapped.dtype} {mapped.shape}, the card needs {np.dtype(kind)} {shape}")
    return np.asarray(mapped)  # a plain view: slicing a memmap costs several times as much


def _map_if_there(path: Path, shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any] | None:
    """Releases from before these arrays existed, and issues that need none of them, answer without."""
    return _map(path, shape, kind) if path.exists() else None


def _read_yardstick(path: Path) -> Yardstick | None:
    if not path.exists():
        return None
    try:
        return Yardstick.from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"{path}: not what posted histories are answered with: {error!r}") from error


def _map_bytes(path: Path, size: int) -> mmap.mmap:
    try:
        with path.open("rb") as stream:
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{path}: cannot be mapped: {error}") from error
    if len(mapped) != size:
        raise ReleaseError(f"{path}: holds {len(mapped)} bytes, {NAME_OFFSETS} needs {size}")
    return mapped
