"""Forecast scores: pure functions over arrays, taken along the last axis; leading axes are kept.

Pairs with a NaN on either side are left out. A score that nothing supports is NaN, never zero: no pairs, or, for
`mase`, a history that never changes or is shorter than two points. Callers decide what an unknown score means.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def mae(actual: ArrayLike, forecast: ArrayLike) -> Floats:
    """Average the absolute error."""
    return mean(np.abs(_error(actual, forecast)))


def rmse(actual: ArrayLike, forecast: ArrayLike) -> Floats:
    """Root of the mean squared error."""
    return np.sqrt(mean(_error(actual, forecast) ** 2))


def mase(actual: ArrayLike, forecast: ArrayLike, history: ArrayLike) -> Floats:
    """Mean absolute error in units of the history's own one-step naive error (Hyndman & Koehler 2006, season 1)."""
    return scaled(mae(actual, forecast), naive_scale(history))


def smape(actual: ArrayLike, forecast: ArrayLike) -> Floats:
    """Symmetric percentage error, 0 to 200; a zero that was forecast as zero counts as 0."""
    size = np.abs(np.asarray(actual, float)) + np.abs(np.asarray(forecast, float))
    return mean(np.abs(_error(actual, forecast)) * 200 / np.where(size == 0, 1, size))


def pinball(actual: ArrayLike, forecast: ArrayLike, quantile: float) -> Floats:
    """Pinball loss of a forecast of one quantile (0 to 1): the lower, the better."""
    error = _error(actual, forecast)
    return mean(np.maximum(quantile * error, (quantile - 1) * error))


def coverage(actual: ArrayLike, lo: ArrayLike, hi: ArrayLike) -> Floats:
    """Share of actuals within the bounds, both bounds included."""
    below, above = _error(actual, lo), _error(hi, actual)
    inside = np.where((below >= 0) & (above >= 0), 1.0, 0.0)
    return mean(np.where(np.isnan(below + above), np.nan, inside))


def naive_scale(history: ArrayLike) -> Floats:
    """Mean absolute change from one point to the next; NaN with fewer than two points, 0 where nothing ever changes."""
    return mean(np.abs(np.diff(np.asarray(history, float), axis=-1)))


def scaled(error: ArrayLike, scale: ArrayLike) -> Floats:
    """Express an error in units of a scale; NaN where the scale is 0 or unknown."""
    units = np.asarray(scale, float)
    return np.asarray(error, float) / np.where(units > 0, units, np.nan)


def mean(values: ArrayLike) -> Floats:
    """Mean of what is known along the last axis; NaN where nothing is."""
    array = np.asarray(values, float)
    known = np.sum(~np.isnan(array), axis=-1)
    total = np.nansum(array, axis=-1)
    return np.asarray(np.where(known > 0, total / np.maximum(known, 1), np.nan))


def _error(actual: ArrayLike, forecast: ArrayLike) -> Floats:
    return np.asarray(np.subtract(np.asarray(actual, float), np.asarray(forecast, float)))
