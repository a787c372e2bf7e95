"""What the pooled families look at: one row of figures per series and origin week, free of the series' level.

Everything is a log1p relative to the mean log of the last half year. Nothing later than the origin week is ever read.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet.blocks import blocks
from ratchet.contracts.forecaster import Floats

Ints = NDArray[np.intp]

WEEKS: Final = 104
SPAN: Final = 520
"""Origins reach ten years back at most."""
MIN_KNOWN: Final = 13
AT_A_TIME: Final = 4096
"""What leads to the figures of so many rows takes ten times the room of them."""
_LAGS: Final = 8
_MEANS: Final = (4, 8, 13, 52, 104)
_MEDIANS: Final = (8, 13, 26, 52)
_HALF_YEAR: Final = 26
_YEAR: Final = 52
NAMES: Final = (
    *(f"lag_{lag}" for lag in range(1, _LAGS + 1)),
    *(f"mean_{weeks}" for weeks in _MEANS),
    *(f"median_{weeks}" for weeks in _MEDIANS),
    "spread_13",
    "spread_52",
    "zeros_8",
    "zeros_26",
    "zeros_52",
    "highest_26",
    "count_26",
    "quiet_weeks",
    "level",
    "age",
    "trend",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Figures [row, figure], each row's base (a log), its spread, and the logs themselves [row, week], newest last."""

    figures: Floats
    base: Floats
    spread: Floats
    logs: Floats

    def season(self, step: int) -> Floats:
        """Return what the same weeks of the year before had, relative to the base; 0 where nobody knows."""
        at = WEEKS - 1 - (_YEAR - step % _YEAR) % _YEAR
        around = self.logs[:, max(at - 1, 0) : at + 2]
        return _or_zero(_mean(around) - self.base)


def origins(values: Floats, *, most: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Return rows and origin weeks to learn from, at most so many: drawn evenly if there are more."""
    weeks = values.shape[1]
    age = np.isfinite(values).cumsum(axis=1)
    start = max(0, weeks - SPAN)
    row, week = np.nonzero(age[:, start : weeks - 1] >= MIN_KNOWN)
    if len(row) > most:
        kept = np.sort(rng.choice(len(row), most, replace=False))
        row, week = row[kept], week[kept]
    return row, week + start


def look(values: Floats, row: Ints, week: Ints) -> Rows:
    """Look back from each origin week."""
    count = len(row)
    every = Rows(
        figures=np.empty((count, len(NAMES))),
        base=np.empty(count),
        spread=np.empty(count),
        logs=np.empty((count, WEEKS)),
    )
    for some in blocks(count, size=AT_A_TIME):
        found = _look(values, row[some], week[some])
        every.figures[some], every.base[some] = found.figures, found.base
        every.spread[some], every.logs[some] = found.spread, found.logs
    return every


def _look(values: Floats, row: Ints, week: Ints) -> Rows:
    at = week[:, None] + np.arange(1 - WEEKS, 1)
    counts = np.where(at >= 0, values[row[:, None], np.maximum(at, 0)], np.nan)
    logs = np.log1p(counts)
    base = _mean(logs[:, -_HALF_YEAR:])
    spread = np.sqrt(_mean((logs[:, -_YEAR:] - _mean(logs[:, -_YEAR:])[:, None]) ** 2))
    some = np.nan_to_num(counts[:, ::-1]) > 0
    quiet_weeks = np.where(some.any(axis=1), some.argmax(axis=1), WEEKS)
    relative = [logs[:, -lag] for lag in range(1, _LAGS + 1)]
    relative += [_mean(logs[:, -weeks:]) for weeks in _MEANS]
    relative += [_median(logs[:, -weeks:]) for weeks in _MEDIANS]
    zeros = np.where(np.isfinite(counts), counts == 0, np.nan)
    columns = [column - base for column in relative]
    columns += [np.sqrt(_mean((logs[:, -13:] - _mean(logs[:, -13:])[:, None]) ** 2)), spread]
    columns += [_mean(zeros[:, -weeks:]) for weeks in (8, _HALF_YEAR, _YEAR)]
    columns += [
        np.nan_to_num(logs[:, -_HALF_YEAR:], nan=0.0).max(axis=1) - base,
        np.log1p(_mean(counts[:, -_HALF_YEAR:])) - base,
        np.log1p(quiet_weeks),
        base,
        np.log(np.isfinite(counts).sum(axis=1)),
        _mean(logs[:, -13:]) - _mean(logs[:, -_HALF_YEAR:-13]),
    ]
    return Rows(figures=_or_zero(np.column_stack(columns)), base=base, spread=spread, logs=logs)


def _mean(values: Floats) -> Floats:
    known = np.isfinite(values).sum(axis=1)
    return np.asarray(np.where(known > 0, np.nansum(values, axis=1) / np.maximum(known, 1), np.nan))


def _median(values: Floats) -> Floats:
    """Median of what is known along the last axis: a sort puts NaN last, so the middle of the known ones is found by count."""
    ordered, known = np.sort(values, axis=1), np.isfinite(values).sum(axis=1)
    row = np.arange(len(values))
    low, high = np.maximum(known - 1, 0) // 2, known // 2
    middle = (ordered[row, low] + ordered[row, np.minimum(high, values.shape[1] - 1)]) / 2
    return np.asarray(np.where(known > 0, middle, np.nan))


def _or_zero(values: Floats) -> Floats:
    return np.asarray(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0))
