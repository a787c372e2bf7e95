"""What every family of forecasters offers: long frames for people, arrays for training, the same numbers in both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Weekly counts up to one week that all series share; `counts` is [series, week], NaN before a series' first week."""

    names: tuple[str, ...]
    weeks: NDArray[np.datetime64]
    counts: Floats

    def until(self, weeks: int) -> Self:
        """Go back to what was known after the first `weeks` weeks: nothing later is in it."""
        return type(self)(names=self.names, weeks=self.weeks[:weeks], counts=self.counts[:, :weeks])

    def only(self, rows: NDArray[np.intp]) -> Self:
        """Keep some of the series."""
        return type(self)(names=tuple(self.names[row] for row in rows), weeks=self.weeks, counts=self.counts[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What series are like, one figure each: it tells which settings of a family are worth trying on them."""

    zeros: Floats
    """Share of the newest three years' weeks in which nothing happened."""
    seasonal: Floats
    """How much of what is left beside the trend a yearly season explains, 0 to 1."""
    trend: Floats
    """How much of what is left beside the season a slow trend explains, 0 to 1."""
    length: Floats
    """Weeks since the first one."""
    memory: Floats
    """Order d of long memory: 0 forgets, 0.5 and more hardly does."""


Where: TypeAlias = Callable[[Shape, Any], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Setting:
    """Values of one option of a family, and the series for which a value, other than the default, can matter: all without `where`."""

    values: tuple[Any, ...]
    where: Where | None = None


class Learned(Protocol):
    """What a family has learnt. It forecasts from what it is shown, which may be newer than what it learnt from."""

    def forecast(self, known: Known, *, horizon: int) -> Floats:
        """Forecast [series, step], finite and never below 0."""

    def explain(self, known: Known) -> Mapping[str, Floats]:
        """Return figures by name, one per series, such as FARIMA's d; empty where the family has none."""

    def files(self) -> Mapping[str, bytes]:
        """Return what a release must keep for the model to answer again: file name to content; empty if nothing is kept."""


@runtime_checkable
class Spreading(Protocol):
    """What a family has learnt that also knows how far from a typical week one may be."""

    def quantiles(self, known: Known, *, horizon: int, shares: Sequence[float]) -> Floats:
        """Forecast [series, step, share], in order, never below 0; all but the median are NaN where that was not to be learnt."""


class Forecaster(Protocol):
    """A family: learns all series at once."""

    @property
    def name(self) -> str:
        """The family's name in cards, metrics and screens, such as `seasonal_naive`."""

    @property
    def pooled(self) -> bool:
        """Whether one model serves all series, so that what is learnt once answers for newer weeks and other series."""

    @property
    def expects(self) -> bool:
        """Whether it forecasts the expected week (the mean) rather than a typical one (the median)."""

    @property
    def repeats(self) -> bool:
        """Whether it says what was in years before, holidays and all."""

    @property
    def options(self) -> Mapping[str, Any]:
        """What it was made with: two of one name and equal options answer alike."""

    def learn(self, known: Known) -> Learned:
        """Learn from everything in `known`, and from nothing else."""

    def fit(self, history: pd.DataFrame) -> Self:
        """Learn from `unique_id, ds, y`: one row per series and week, no gaps, weeks ending on Sunday."""

    def forecast(self, *, horizon: int, levels: Sequence[int] = (80, 95)) -> pd.DataFrame:
        """`unique_id, ds, median, mean, lo_80, hi_80, …` for the `horizon` weeks after each series' last one; never below 0."""

    def explain(self) -> pd.DataFrame:
        """`unique_id` and one column per figure that the family can tell of each series it was fitted to."""
