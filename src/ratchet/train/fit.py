"""Fit families: on each fold to learn how wrong they are, and on everything to forecast what comes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.errors import DataError
from ratchet.contracts.forecaster import Forecaster
from ratchet.scores import mae, naive_scale, scaled
from ratchet.train.folds import Fold
from ratchet.train.panel import MIN_WEEKS, Panel

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Held-out weeks: `forecasts` [family, fold, series, step], `actual` [fold, series, step], `scale` [fold, series].

    A forecast is NaN where a series was too young at the fold's cutoff. `scale` is the naive error up to the cutoff.
    """

    families: tuple[str, ...]
    folds: tuple[Fold, ...]
    forecasts: Floats
    actual: Floats
    scale: Floats

    def mase(self) -> Floats:
        """[family, series, fold]: NaN where a series was too young, or had never changed."""
        return scaled(mae(self.actual, self.forecasts), self.scale).transpose(0, 2, 1)


def validate(
    panel: Panel, families: Sequence[Forecaster], folds: tuple[Fold, ...], *, say: Callable[[str], None]
) -> Validation:
    """Every family on every fold; it sees nothing after a fold's cutoff."""
    horizon = folds[0].horizon if folds else 0
    shape = (len(families), len(folds), len(panel.names), horizon)
    forecasts = np.full(shape, np.nan)
    for number, fold in enumerate(folds):
        for index, family in enumerate(families):
            say(f"fold {number + 1} of {len(folds)}: {family.name}")
            forecasts[index, number] = predict(family, fold.known(panel), horizon=horizon)
    return Validation(
        families=tuple(family.name for family in families),
        folds=folds,
        forecasts=forecasts,
        actual=np.array([fold.actual(panel) for fold in folds]).reshape(shape[1:]),
        scale=np.array([naive_scale(fold.known(panel).values) for fold in folds]).reshape(shape[1:3]),
    )


def predict(family: Forecaster, panel: Panel, *, horizon: int) -> Floats:
    """Fit and forecast: [series, step], NaN for series that are too young."""
    answer = np.full((len(panel.names), horizon), np.nan)
    rows = np.flatnonzero(panel.ages() >= MIN_WEEKS)
    if not len(rows):
        return answer
    known = panel.only(rows).known()
    forecast = family.learn(known).forecast(known, horizon=horizon)
    if forecast.shape != (len(rows), horizon) or not np.isfinite(forecast).all():
        raise DataError(f"family {family.name!r} did not forecast every series for every week")
    answer[rows] = forecast
    return answer
