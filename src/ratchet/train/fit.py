"""Fit one family: learn from what is known, and forecast what comes."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.errors import DataError
from ratchet.contracts.forecaster import Forecaster, Learned, Spreading
from ratchet.train.calibrate import LEVELS
from ratchet.train.panel import MIN_WEEKS, Panel

Floats = NDArray[np.float64]

ENDS: Final = tuple(round(share, 6) for level in LEVELS.values() for share in ((1 - level) / 2, (1 + level) / 2))
"""The lower and the upper end of each level in turn, as shares."""
_TYPICAL: Final = 0.5


def learn(family: Forecaster, panel: Panel) -> Learned | None:
    """Learn from the series that are old enough; None where there is none."""
    rows = np.flatnonzero(panel.ages() >= MIN_WEEKS)
    return family.learn(panel.only(rows).known()) if len(rows) else None


def shares(learned: Learned | None) -> tuple[float, ...]:
    """Which quantiles are told by what was learnt: a typical week first."""
    return (_TYPICAL, *ENDS) if isinstance(learned, Spreading) else (_TYPICAL,)


def answer(family: Forecaster, learned: Learned | None, panel: Panel, *, horizon: int) -> Floats:
    """Forecast a typical week and, of a family that knows them, `ENDS`: [statistic, series, step], NaN for series too young."""
    rows = np.flatnonzero(panel.ages() >= MIN_WEEKS)
    told = shares(learned)
    said = np.full((len(told), len(panel.names), horizon), np.nan)
    if learned is None or not len(rows):
        return said
    known = panel.only(rows).known()
    if isinstance(learned, Spreading):
        forecast = np.moveaxis(learned.quantiles(known, horizon=horizon, shares=told), 2, 0)
    else:
        forecast = learned.forecast(known, horizon=horizon)[None]
    if forecast.shape != (len(told), len(rows), horizon) or not np.isfinite(forecast[0]).all():
        raise DataError(f"family {family.name!r} did not forecast every series for every week")
    said[:, rows] = forecast
    return said


def ask(family: Forecaster, learned: Learned | None, panel: Panel, *, horizon: int) -> Floats:
    """Forecast a typical week, [series, step], NaN for series that are too young."""
    return np.asarray(answer(family, learned, panel, horizon=horizon)[0])


def predict(family: Forecaster, panel: Panel, *, horizon: int) -> Floats:
    """Learn and forecast: [series, step], NaN for series that are too young."""
    return ask(family, learn(family, panel), panel, horizon=horizon)
