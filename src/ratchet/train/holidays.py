"""Weeks of the year in which everyone does less, or more, than in those around: Christmas and New Year, on repository activity.

No family can tell them from one series, for they come once a year; all series together can. How far each week was from the weeks
around it is the median over series; how far each week of the year is, the mean of that over years. What is further from the usual
week than chance would have it changes forecasts, on the scale of log1p. Nothing else does: data without such weeks stays as it is.

Weeks are counted from the one that holds December 25, so that the same holiday is in the same week of every year.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ratchet.contracts.forecaster import Forecaster
from ratchet.train.panel import WEEK, Panel
from ratchet.train.sample import sample
from ratchet.train.validation import Validation

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

AROUND: Final = 8
"""Weeks on either side that a week is compared with."""
WEEKS: Final = 520
PLACES: Final = 53
LEAST_LEVEL: Final = 3.0
"""Of a series with fewer a week, a quiet week says nothing."""
LEAST_SERIES: Final = 5
SAMPLE: Final = 400
"""Series that are looked at: their median does not change with more."""
LEAST_YEARS: Final = 3
"""With fewer, one odd week cannot be told from a holiday; with more, it must have been so in most."""
SURE: Final = 4.0
"""Standard errors from the usual week: of 53 weeks that are all alike, chance takes one for a holiday in few data sets of a hundred."""
_SUNDAY: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Holidays:
    """Weeks since the Christmas week to how much log1p changes in them."""

    changes: Mapping[int, float]

    def apply(self, forecasts: Floats, weeks: pd.DatetimeIndex) -> Floats:
        """Change forecasts for some weeks, [..., step]."""
        change = np.array([self.changes.get(int(place), 0.0) for place in places(weeks)])
        changed = np.maximum(np.expm1(np.log1p(forecasts) + change), 0.0)
        return np.asarray(np.where(change != 0, changed, forecasts))

    def told(self, family: Forecaster, forecasts: Floats, panel: Panel) -> Floats:
        """Change what a family said of the weeks that follow a panel's last one; not where it repeats years that had them."""
        return forecasts if family.repeats else self.ahead(forecasts, panel)

    def ahead(self, forecasts: Floats, panel: Panel) -> Floats:
        """Change forecasts for the weeks that follow a panel's last one."""
        weeks = [panel.weeks[-1] + step * WEEK for step in range(1, forecasts.shape[-1] + 1)]
        return self.apply(forecasts, pd.DatetimeIndex(weeks))

    def to_json(self) -> dict[str, Any]:
        """Say it as JSON can hold it."""
        return {str(place): change for place, change in self.changes.items()}

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(changes={int(place): float(change) for place, change in known.items()})


NONE: Final = Holidays(changes={})


def learn(panel: Panel) -> Holidays:
    """Find the weeks of the year that are unlike the others, from everything in the panel."""
    by_week = _by_week(panel.newest(WEEKS))
    place = places(panel.weeks[-WEEKS:])
    years = [by_week[(place == at) & np.isfinite(by_week)] for at in range(PLACES)]
    kept = [at for at, changes in enumerate(years) if len(changes) >= LEAST_YEARS]
    if not kept:
        return NONE
    change = np.array([years[at].mean() for at in kept])
    most = np.array([np.median(years[at]) for at in kept])
    rest = np.concatenate([years[at] - mean for at, mean in zip(kept, change, strict=True)])
    error = np.sqrt((rest**2).sum() / (len(rest) - len(kept)) / [len(years[at]) for at in kept])
    usual = np.median(change)
    sure = (np.abs(change - usual) > SURE * error) & (most * change > 0) & (np.abs(most) > np.abs(change) / 2)
    return Holidays(changes={kept[at]: round(float(change[at] - usual), 6) for at in np.flatnonzero(sure)})


def on_folds(panel: Panel, validation: Validation, families: Sequence[Forecaster]) -> None:
    """Change what was forecast on folds, where it is, by what was known of holidays at each fold's cutoff."""
    for number, fold in enumerate(validation.folds):
        known = fold.known(panel)
        year = learn(known)
        for index, family in enumerate(families):
            validation.forecasts[index, number] = year.told(family, validation.forecasts[index, number], known)
        for index, ends in validation.ends.items():
            ends[number] = year.told(families[index], ends[number], known)


def places(weeks: pd.DatetimeIndex) -> Ints:
    """Count the weeks since the last one that holds a December 25, for weeks named by their last day, a Sunday."""
    years = np.arange(weeks[0].year - 1, weeks[-1].year + 1)
    christmas = [pd.Timestamp(year=int(year), month=12, day=25) for year in years]
    ends = np.array([day + pd.Timedelta(_SUNDAY - day.weekday(), "D") for day in christmas], dtype="datetime64[D]")
    days = weeks.to_numpy().astype("datetime64[D]")
    last = ends[np.searchsorted(ends, days, side="right") - 1]
    return np.asarray((days - last).astype(int) // 7, dtype=np.intp)


def _by_week(values: Floats) -> Floats:
    """Return how far each week was from those around it on log1p, the median over series; NaN where too few can tell."""
    logs = np.log1p(values[sample(len(values), most=SAMPLE)])
    around = sliding_window_view(
        np.pad(logs, ((0, 0), (AROUND, AROUND)), constant_values=np.nan), 2 * AROUND + 1, axis=1
    )
    level = _median(around)
    told = (np.isfinite(around).sum(axis=2) > AROUND) & (level >= np.log1p(LEAST_LEVEL))
    change = np.where(told, logs - level, np.nan)
    return np.asarray(np.where(told.sum(axis=0) >= LEAST_SERIES, _median(change.T), np.nan))


def _median(values: Floats) -> Floats:
    """Median of what is known along the last axis; NaN where nothing is."""
    ordered, known = np.sort(values, axis=-1), np.isfinite(values).sum(axis=-1)
    low, high = np.maximum(known - 1, 0) // 2, np.minimum(known // 2, values.shape[-1] - 1)
    return np.asarray(
        (np.take_along_axis(ordered, low[..., None], -1) + np.take_along_axis(ordered, high[..., None], -1))[..., 0] / 2
    )
