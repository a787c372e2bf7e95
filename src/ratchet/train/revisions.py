"""What a panel's weeks were said to be before they were what they are: so that a fold learns from what was known at its cutoff."""

from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.contracts.coverage import LEAST_SEEN, seen, whole_counts
from ratchet.contracts.frames import number_series

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

DAY = pd.Timedelta(1, "D")


def _no_places() -> Places:
    return np.empty(0, dtype=np.intp)


def _no_values() -> Floats:
    return np.empty(0, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revisions:
    """An entry for each telling of a cell that was told more than once; those of one cell in the order of telling."""

    row: Places = field(default_factory=_no_places)
    week: Places = field(default_factory=_no_places)
    known: Places = field(default_factory=_no_places)
    """How many of the panel's weeks were complete when it was told."""
    value: Floats = field(default_factory=_no_values)
    """NaN where hardly anything had been seen."""

    def __len__(self) -> int:
        """Count the entries."""
        return len(self.row)

    def until(self, weeks: int) -> Self:
        """Keep of the first `weeks` weeks what was told by the time they were complete; of a cell told only later, what came first."""
        kept = (self.week < weeks) & ((self.known <= weeks) | self.begins())
        return self.take(np.flatnonzero(kept))

    def only(self, rows: Places) -> Self:
        """Keep those of some series, numbered as they are asked for."""
        place = np.full(max(int(self.row.max(initial=-1)), int(rows.max(initial=-1))) + 1, -1)
        place[rows] = np.arange(len(rows))
        kept = self.take(np.flatnonzero(place[self.row] >= 0))
        return replace(kept, row=place[kept.row])

    def newest(self, values: Floats) -> Floats:
        """Put what was told last of each cell into [series, week]."""
        if not len(self):
            return values
        last = np.append(self.begins()[1:], True)
        shown = values.copy()
        shown[self.row[last], self.week[last]] = self.value[last]
        return shown

    def to_bytes(self) -> bytes:
        """Equal revisions are equal bytes on every machine; none are none."""
        places = (np.ascontiguousarray(part, dtype="<i8").tobytes() for part in (self.row, self.week, self.known))
        return b"".join([*places, np.ascontiguousarray(self.value, dtype="<f8").tobytes()])

    def begins(self) -> NDArray[np.bool_]:
        """Mark each entry that is its cell's first."""
        if not len(self):
            return np.empty(0, dtype=bool)
        return np.append(True, (np.diff(self.row) != 0) | (np.diff(self.week) != 0))

    def take(self, places: Places) -> Self:
        """Keep some of the entries."""
        return type(self)(
            row=self.row[places], week=self.week[places], known=self.known[places], value=self.value[places]
        )


def find_revisions(
    vintages: pd.DataFrame, *, names: tuple[str, ...], weeks: pd.DatetimeIndex, values: Floats, most: float
) -> Revisions:
    """Say what of the vintages is news to a panel: cells of which it knows, and that were ever told otherwise, up to `most`."""
    told, series = number_series(vintages)
    row = pd.Index(names).get_indexer(pd.Index(told, dtype=object))[series]
    week = weeks.get_indexer(_plain(vintages["ds"]))
    known_at = _plain(vintages["known_at"]).to_numpy()
    known = np.searchsorted((weeks + DAY).to_numpy(), known_at, side="right").astype(np.intp)
    there = (row >= 0) & (week >= 0) & np.isfinite(values[row, week])
    share = seen(vintages)
    value = whole_counts(vintages["y"].to_numpy(dtype=float, na_value=np.nan), share)
    there &= (share < LEAST_SEEN) | ((value >= 0) & (value <= most))
    order = np.lexsort((known_at, week, row))
    every = Revisions(row=row, week=week, known=known, value=value).take(order[there[order]])
    cell = np.cumsum(every.begins()) - 1
    differs = every.value != values[every.row, every.week]
    is_news = np.bincount(cell, weights=differs) > 0
    return every.take(np.flatnonzero(is_news[cell])) if len(every) else every


def _plain(moments: "pd.Series[pd.Timestamp]") -> pd.DatetimeIndex:
    found = pd.DatetimeIndex(moments)
    return (found.tz_convert(UTC).tz_localize(None) if found.tz else found).as_unit("ns")
