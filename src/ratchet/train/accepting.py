"""Gold as a panel: the series that can be trained on, and a reason for each that cannot."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.contracts.coverage import seen, whole_counts
from ratchet.contracts.errors import DataError
from ratchet.contracts.frames import SERIES_COLUMNS, number_series
from ratchet.contracts.release import split_name
from ratchet.train.panel import MIN_WEEKS, WEEK, Panel
from ratchet.train.revisions import find_revisions
from ratchet.train.typical import fill

Bools = NDArray[np.bool_]
Days = NDArray[np.datetime64]
Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

MAX_COUNT: Final = 1e12
NEWEST_WEEKS: Final = 13
_FIRST_DAY: Final = np.datetime64("1677-09-22", "us")
"""Those of a panel are counted in nanoseconds, which begin a day before."""
_WEEK: Final = WEEK.to_timedelta64().astype("timedelta64[us]")
_DAYS: Final = 7
_MONDAY_AFTER_1970: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Gold's rows by series and week: of each its place in `names`, its week, what was counted and how much of the week was seen."""

    names: tuple[str, ...]
    series: Ints
    ds: Days
    y: Floats
    seen: Floats

    @property
    def begins(self) -> Ints:
        """Each series' first row."""
        return np.searchsorted(self.series, np.arange(len(self.names)))

    @property
    def ends(self) -> Ints:
        """Each series' last row."""
        return np.searchsorted(self.series, np.arange(len(self.names)), side="right") - 1

    def any(self, rows: Bools) -> Bools:
        """Mark the series of which a row is marked."""
        return np.bincount(self.series[rows], minlength=len(self.names)) > 0

    def after(self, gap: Callable[[NDArray[np.timedelta64]], Bools]) -> Bools:
        """Mark the series of which two weeks that follow each other are so far apart."""
        same = np.diff(self.series) == 0
        return self.any(np.append(same & gap(np.diff(self.ds)), np.zeros(min(1, len(self.ds)), dtype=bool)))

    def only(self, kept: Bools) -> Self:
        """Keep some of the series."""
        rows = kept[self.series]
        return type(self)(
            names=tuple(self.names[at] for at in np.flatnonzero(kept)),
            series=(np.cumsum(kept) - 1)[self.series[rows]],
            ds=self.ds[rows],
            y=self.y[rows],
            seen=self.seen[rows],
        )


def accept(
    history: pd.DataFrame, *, targets: Sequence[str], data_hour: datetime, vintages: pd.DataFrame | None = None
) -> tuple[Panel, dict[str, str]]:
    """Tell what can be trained on as of the data hour, and why the rest cannot: series name to reason.

    Weeks that end after the data hour's day are not known yet and are left out. A week that was seen in part counts as what it would
    have been as a whole, one of which hardly anything was seen as a typical one. `DataError` only if no series is left.
    `vintages` say what was known of them when (`unique_id, target, ds, known_at, y`); without them all was known at once.
    """
    rows = _as_of(history, data_hour)
    rejected = _find_faults(rows, targets)
    if len(rejected) == len(rows.names):
        reasons = "; ".join(sorted(set(rejected.values()))) or "no week is complete by the data hour"
        raise DataError(f"no series can be trained on: {reasons}")
    panel = _panel(rows.only(np.array([name not in rejected for name in rows.names])))
    if vintages is None:
        return panel, rejected
    seen_of_it = panel.happened(0, len(panel.weeks))
    told = find_revisions(vintages, names=panel.names, weeks=panel.weeks, values=seen_of_it, most=MAX_COUNT)
    return replace(panel, revisions=told), rejected


def newest_seen(history: pd.DataFrame, data_hour: datetime) -> float:
    """How much was seen of the last weeks that end by the data hour's day, mean over series and weeks."""
    day = pd.Timestamp(data_hour.astimezone(UTC).date())
    ds = history["ds"].dt.tz_localize(None)
    newest = ((ds <= day) & (ds > day - NEWEST_WEEKS * WEEK)).to_numpy()
    return round(float(seen(history)[newest].mean()), 4) if newest.any() else 1.0


def _as_of(history: pd.DataFrame, data_hour: datetime) -> Rows:
    missing = [column for column in SERIES_COLUMNS if column not in history.columns]
    if missing:
        raise DataError(f"history: columns missing: {', '.join(missing)}")
    if not pd.api.types.is_datetime64_any_dtype(history["ds"]):
        raise DataError("history: ds must be a date")
    # Nanoseconds end in 1677, and two of their dates may be further apart than they can count.
    ds = history["ds"].dt.tz_localize(None).astype("datetime64[us]").to_numpy()
    known = ~(ds > np.datetime64(data_hour.astimezone(UTC).date(), "us"))
    names, series = number_series(history.loc[known, ["unique_id", "target"]])
    order = np.lexsort((ds[known], series))
    rows = np.flatnonzero(known)[order]
    y = pd.to_numeric(history["y"], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return Rows(names=names, series=series[order], ds=ds[rows], y=y[rows], seen=seen(history)[rows])


def _find_faults(rows: Rows, targets: Sequence[str]) -> dict[str, str]:
    """Name each series that cannot be trained on, with what is said first of all that is wrong with it."""
    found: dict[str, str] = {}
    for wrong, why in [*_in_names(rows.names, targets), *_in_weeks(rows), *_in_values(rows)]:
        for at in np.flatnonzero(wrong).tolist():
            if rows.names[at] not in found:
                found[rows.names[at]] = why(at)
    return dict(sorted(found.items()))


Doubts = Iterator[tuple[Bools, Callable[[int], str]]]
"""Which series something is wrong with, and what."""


def _in_names(names: tuple[str, ...], targets: Sequence[str]) -> Doubts:
    parts = [split_name(name) for name in names]
    usable = [bool(unique_id) and unique_id.isprintable() for unique_id, _ in parts]
    yield ~np.array(usable, dtype=bool), lambda _: "it has no usable name"
    unknown = [target not in targets for _, target in parts]
    yield np.array(unknown, dtype=bool), lambda at: f"no such target: {parts[at][1]!r}"


def _in_weeks(rows: Rows) -> Doubts:
    unknown = np.isnat(rows.ds) | (rows.ds < _FIRST_DAY)
    yield rows.any(unknown), lambda _: "a row has no week, or one before 1678"
    yield rows.after(lambda gap: gap == np.timedelta64(0)), lambda _: "more than one row for the same week"
    days = np.where(unknown, _FIRST_DAY, rows.ds).astype("datetime64[D]")
    sunday = (days.astype(np.int64) - _MONDAY_AFTER_1970) % _DAYS == _DAYS - 1
    yield rows.any(~sunday | (days != rows.ds)), lambda _: "a week does not end on Sunday"
    yield rows.after(lambda gap: gap != _WEEK), lambda _: "weeks are missing"
    lasts = rows.ds[rows.ends]
    common = _most_common(lasts)
    yield lasts != common, lambda at: f"its last week is {_day(lasts[at])}, not {_day(common)} as of most series"
    yield rows.ends - rows.begins + 1 < MIN_WEEKS, lambda _: f"shorter than {MIN_WEEKS} weeks"


def _in_values(rows: Rows) -> Doubts:
    yield rows.any(~np.isfinite(rows.y)), lambda _: "y is not a number in every row"
    yield rows.any(rows.y < 0), lambda _: "y is negative in a row"
    yield rows.any(rows.y > MAX_COUNT), lambda _: "y is beyond any plausible count"


def _most_common(weeks: Days) -> np.datetime64:
    """Find the week that most series share; the latest one of equals."""
    found, counts = np.unique(weeks[~np.isnat(weeks)], return_counts=True)
    return np.max(found[counts == counts.max()]) if len(found) else np.datetime64("NaT")


def _day(week: np.datetime64) -> str:
    return str(week.astype("datetime64[D]"))


def _panel(rows: Rows) -> Panel:
    """Series without a fault have no gaps and end together: a row's place is told by how far it is from its series' last one."""
    longest = int((rows.ends - rows.begins).max()) + 1
    week = longest - 1 - (rows.ends[rows.series] - np.arange(len(rows.series)))
    values = np.full((len(rows.names), longest), np.nan)
    values[rows.series, week] = whole_counts(rows.y, rows.seen)
    unseen = np.zeros(values.shape, dtype=bool)
    unseen[rows.series, week] = np.isnan(values[rows.series, week])
    return Panel(
        names=rows.names,
        weeks=pd.DatetimeIndex(rows.ds[-1] - _WEEK * np.arange(longest)[::-1]).as_unit("ns"),
        values=fill(values, unseen),
        unseen=unseen if unseen.any() else None,
    )
