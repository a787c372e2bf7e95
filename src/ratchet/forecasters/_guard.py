"""What keeps one odd series from stopping a batch: quiet arithmetic, and a typical week where a model has no sense to offer."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.forecaster import Floats

WINDOW = 156
"""Weeks that models learn from: three years lower error, cost and the width of intervals on activity counts."""
MIN_WEEKS = 10
LearnOne = Callable[[Floats], Callable[[int], Floats]]
"""How one series is learnt, on log1p, oldest week first: what it returns forecasts logs."""
_FAILURES = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)


def tame(forecast: Floats, values: Floats) -> Floats:
    """Return finite forecasts between 0 and about twice a series' highest week; a typical week where nothing was to be learnt."""
    window = values[:, -WINDOW:]
    learnt = learnable(values) & np.isfinite(forecast).all(axis=1)
    bounded = np.clip(np.nan_to_num(forecast), 0.0, (2 * np.nanmax(window, axis=1) + 1)[:, None])
    return np.asarray(np.where(learnt[:, None], bounded, np.nanmedian(window, axis=1)[:, None]))


def learnable(values: Floats) -> NDArray[np.bool_]:
    """Say which series a model can learn from: long enough, and not always the same."""
    window = values[:, -WINDOW:]
    known = np.isfinite(window).sum(axis=1)
    return np.asarray((known >= MIN_WEEKS) & (np.nanmax(window, axis=1) > np.nanmin(window, axis=1)))


def each_log(learn: LearnOne) -> Callable[[Floats, int], Floats]:
    """Make array arithmetic of a model of one series; where it fails on a series, the typical week answers."""

    def forecast(values: Floats, horizon: int) -> Floats:
        answer = np.full((len(values), horizon), np.nan)
        for row, series in enumerate(np.log1p(values[:, -WINDOW:])):
            logs = series[np.isfinite(series)]
            # Models of a constant differ only in rounding noise, and some divide by its variance.
            if len(logs) >= MIN_WEEKS and np.ptp(logs) > 0:
                answer[row] = _attempt(learn, logs, horizon)
        return tame(answer, values)

    return forecast


@contextmanager
def quiet() -> Iterator[None]:
    """Let libraries warn into the void: what they warn of is looked at in their answers."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _attempt(learn: LearnOne, logs: Floats, horizon: int) -> Floats:
    try:
        with quiet():
            return np.asarray(np.expm1(np.minimum(learn(logs)(horizon), logs.max() + 1)), dtype=float)
    except _FAILURES:
        return np.full(horizon, np.nan)
