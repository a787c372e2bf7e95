"""Fit one family: learn from what is known, and forecast what comes."""

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.errors import DataError
from ratchet.contracts.forecaster import Forecaster, Learned
from ratchet.train.panel import MIN_WEEKS, Panel

Floats = NDArray[np.float64]


def learn(family: Forecaster, panel: Panel) -> Learned | None:
    """Learn from the series that are old enough; None where there is none."""
    rows = np.flatnonzero(panel.ages() >= MIN_WEEKS)
    return family.learn(panel.only(rows).known()) if len(rows) else None


def ask(family: Forecaster, learned: Learned | None, panel: Panel, *, horizon: int) -> Floats:
    """Forecast [series, step], NaN for series that are too young."""
    answer = np.full((len(panel.names), horizon), np.nan)
    rows = np.flatnonzero(panel.ages() >= MIN_WEEKS)
    if learned is None or not len(rows):
        return answer
    forecast = learned.forecast(panel.only(rows).known(), horizon=horizon)
    if forecast.shape != (len(rows), horizon) or not np.isfinite(forecast).all():
        raise DataError(f"family {family.name!r} did not forecast every series for every week")
    answer[rows] = forecast
    return answer


def predict(family: Forecaster, panel: Panel, *, horizon: int) -> Floats:
    """Learn and forecast: [series, step], NaN for series that are too young."""
    return ask(family, learn(family, panel), panel, horizon=horizon)
