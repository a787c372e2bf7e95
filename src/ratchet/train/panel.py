"""Gold as a panel: the series that can be trained on, and a reason for each that cannot."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.contracts.coverage import seen, whole_counts
from ratchet.contracts.errors import DataError
from ratchet.contracts.forecaster import Known
from ratchet.contracts.frames import SERIES_COLUMNS
from ratchet.contracts.release import series_name, split_name
from ratchet.train.revisions import Revisions, find_revisions

Floats = NDArray[np.float64]

MIN_WEEKS = 4
MAX_COUNT = 1e12
TYPICAL_WEEKS = 13
WEEK = pd.Timedelta(7, "D")
_SUNDAY = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Series that end in the same week. `values` is [series, week], NaN before a series' first week, never after it.

    `values` are the newest; `revisions` say which of them were told otherwise before. Of weeks that are `unseen` too little was counted:
    their values are guesses to learn from, and nothing is scored by them.
    """

    names: tuple[str, ...]
    weeks: pd.DatetimeIndex
    values: Floats
    revisions: Revisions = field(default_factory=Revisions)
    unseen: NDArray[np.bool_] | None = None

    def until(self, weeks: int) -> Self:
        """Go back to the panel as it was after its first `weeks` weeks: nothing that came or was told later is in it."""
        told = self.revisions.until(weeks)
        values = told.newest(self.values[:, :weeks])
        unseen = None if self.unseen is None else self.unseen[:, :weeks]
        return type(self)(names=self.names, weeks=self.weeks[:weeks], values=values, revisions=told, unseen=unseen)

    def and_then(self, values: Floats) -> Self:
        """Take the weeks that follow, [series, week], as if they had come true."""
        more = self.weeks[-1] + WEEK * np.arange(1, values.shape[1] + 1)
        weeks = pd.DatetimeIndex([*self.weeks, *more])
        unseen = None if self.unseen is None else np.pad(self.unseen, ((0, 0), (0, values.shape[1])))
        return replace(self, weeks=weeks, values=np.concatenate([self.values, values], axis=1), unseen=unseen)

    def happened(self, begin: int, end: int) -> Floats:
        """Return what is known to have happened from one week up to another, [series, week]; NaN where nobody can tell."""
        values = self.values[:, begin:end]
        return values if self.unseen is None else np.where(self.unseen[:, begin:end], np.nan, values)

    def newest(self, weeks: int) -> Floats:
        """Return the last weeks, [series, week]."""
        return self.values[:, -weeks:]

    def only(self, rows: NDArray[np.intp]) -> Self:
        """Keep some of its series."""
        names = tuple(self.names[row] for row in rows)
        unseen = None if self.unseen is None else self.unseen[rows]
        return replace(self, names=names, values=self.values[rows], revisions=self.revisions.only(rows), unseen=unseen)

    def ages(self) -> NDArray[np.intp]:
        """Count the weeks of each series."""
        return np.asarray(np.isfinite(self.values).sum(axis=1))

    def known(self) -> Known:
        """Say the same as families take it."""
        return Known(names=self.names, weeks=self.weeks.to_numpy(dtype="datetime64[ns]"), counts=self.values)

    def digest(self) -> str:
        """Hash every name, week, value and revision: equal panels have equal digests on every machine."""
        digest = hashlib.blake2b("\n".join(self.names).encode(), digest_size=16)
        digest.update(self.weeks.to_numpy(dtype="datetime64[s]").astype("<i8").tobytes())
        digest.update(np.ascontiguousarray(self.values, dtype="<f8").tobytes())
        digest.update(self.revisions.to_bytes())
        if self.unseen is not None:
            digest.update(np.packbits(self.unseen).tobytes())
        return digest.hexdigest()


def accept(
    history: pd.DataFrame, *, targets: Sequence[str], data_hour: datetime, vintages: pd.DataFrame | None = None
) -> tuple[Panel, dict[str, str]]:
    """Tell what can be trained on as of the data hour, and why the rest cannot: series name to reason.

    Weeks that end after the data hour's day are not known yet and are left out. A week that was seen in part counts as what it would
    have been as a whole, one of which hardly anything was seen as a typical one. `DataError` only if no series is left.
    `vintages` say what was known of them when (`unique_id, target, ds, known_at, y`); without them all was known at once.
    """
    frame = _as_of(history, data_hour)
    series = {str(name): group for name, group in frame.groupby("name", sort=True)}
    common = _common_last_week(series)
    faults = {name: _fault(name, group, targets=targets, common=common) for name, group in series.items()}
    rejected = {name: fault for name, fault in faults.items() if fault}
    accepted = {name: group for name, group in series.items() if name not in rejected}
    if not accepted:
        reasons = "; ".join(sorted(set(rejected.values()))) or "no week is complete by the data hour"
        raise DataError(f"no series can be trained on: {reasons}")
    panel = _panel(accepted)
    if vintages is None:
        return panel, rejected
    told = find_revisions(vintages, names=panel.names, weeks=panel.weeks, values=panel.values, most=MAX_COUNT)
    return replace(panel, revisions=told), rejected


def newest_seen(history: pd.DataFrame, data_hour: datetime) -> float:
    """How much was seen of the last weeks that end by the data hour's day, mean over series and weeks."""
    day = pd.Timestamp(data_hour.astimezone(UTC).date())
    ds = history["ds"].dt.tz_localize(None)
    newest = ((ds <= day) & (ds > day - TYPICAL_WEEKS * WEEK)).to_numpy()
    return round(float(seen(history)[newest].mean()), 4) if newest.any() else 1.0


def _as_of(history: pd.DataFrame, data_hour: datetime) -> pd.DataFrame:
    missing = [column for column in SERIES_COLUMNS if column not in history.columns]
    if missing:
        raise DataError(f"history: columns missing: {', '.join(missing)}")
    if not pd.api.types.is_datetime64_any_dtype(history["ds"]):
        raise DataError("history: ds must be a date")
    ids, targets = history["unique_id"].fillna("").astype(str), history["target"].fillna("").astype(str)
    frame = pd.DataFrame(
        {
            "name": [series_name(unique_id, target) for unique_id, target in zip(ids, targets, strict=True)],
            # Nanoseconds end in 1677, and two of their dates may be further apart than they can count.
            "ds": history["ds"].dt.tz_localize(None).astype("datetime64[us]").to_numpy(),
            "y": pd.to_numeric(history["y"], errors="coerce").to_numpy(dtype=float, na_value=np.nan),
            "seen": seen(history),
        }
    )
    known = frame[~(frame["ds"] > pd.Timestamp(data_hour.astimezone(UTC).date()))]
    return known.sort_values(["name", "ds"], kind="stable")


def _common_last_week(series: dict[str, pd.DataFrame]) -> pd.Timestamp:
    """Find the last week that most series share; the latest one of equals."""
    lasts = pd.Series([group["ds"].iloc[-1] for group in series.values()], dtype="datetime64[us]").value_counts()
    return pd.Timestamp(lasts[lasts == lasts.max()].index.max())


def _fault(name: str, group: pd.DataFrame, *, targets: Sequence[str], common: pd.Timestamp) -> str | None:
    unique_id, target = split_name(name)
    if not unique_id or not unique_id.isprintable():
        return "it has no usable name"
    if target not in targets:
        return f"no such target: {target!r}"
    return _fault_in_weeks(group["ds"], common) or _fault_in_values(group["y"].to_numpy())


def _fault_in_weeks(ds: "pd.Series[pd.Timestamp]", common: pd.Timestamp) -> str | None:
    # Those of a panel are counted in nanoseconds, which begin in 1677.
    if ds.isna().any() or ds.iloc[0] < pd.Timestamp.min:
        return "a row has no week, or one before 1678"
    if ds.duplicated().any():
        return "more than one row for the same week"
    if (ds.dt.dayofweek != _SUNDAY).any() or (ds != ds.dt.normalize()).any():
        return "a week does not end on Sunday"
    if (ds.diff().iloc[1:] != WEEK).any():
        return "weeks are missing"
    if ds.iloc[-1] != common:
        return f"its last week is {ds.iloc[-1]:%Y-%m-%d}, not {common:%Y-%m-%d} as of most series"
    return f"shorter than {MIN_WEEKS} weeks" if len(ds) < MIN_WEEKS else None


def _fault_in_values(y: Floats) -> str | None:
    if not np.isfinite(y).all():
        return "y is not a number in every row"
    if (y < 0).any():
        return "y is negative in a row"
    return "y is beyond any plausible count" if (y > MAX_COUNT).any() else None


def _panel(series: dict[str, pd.DataFrame]) -> Panel:
    longest = max(series.values(), key=len)
    values = np.full((len(series), len(longest)), np.nan)
    for row, group in enumerate(series.values()):
        values[row, len(longest) - len(group) :] = whole_counts(group["y"].to_numpy(), group["seen"].to_numpy())
    ages = np.array([len(group) for group in series.values()])
    unseen = np.isnan(values) & (np.arange(len(longest)) >= len(longest) - ages[:, None])
    return Panel(
        names=tuple(series),
        weeks=pd.DatetimeIndex(longest["ds"]).as_unit("ns"),
        values=_fill(values, unseen),
        unseen=unseen if unseen.any() else None,
    )


def _fill(values: Floats, unseen: NDArray[np.bool_]) -> Floats:
    """Put a typical week where too little was seen: the median of those before or, at a series' beginning, of those after."""
    for row, week in np.argwhere(unseen):
        before, after = values[row, max(0, week - TYPICAL_WEEKS) : week], values[row, week:]
        near = before[np.isfinite(before)] if np.isfinite(before).any() else after[np.isfinite(after)][:TYPICAL_WEEKS]
        values[row, week] = np.floor(np.median(near) + 0.5) if len(near) else 0.0
    return values
