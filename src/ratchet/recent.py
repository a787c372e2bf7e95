"""Quantiles of recent weeks: the older a week, the less it counts."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def quantiles(values: Floats, *, half_life: float, shares: tuple[float, ...]) -> Floats:
    """Return quantiles of each series, [series, share]: a week counts half of what one does `half_life` weeks later."""
    age = np.arange(values.shape[1])[::-1]
    weights = np.where(np.isfinite(values), 0.5 ** (age / half_life), 0.0)
    order = np.argsort(values, axis=1, kind="stable")  # NaN, which counts for nothing, last
    below = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    place = [(below >= share * below[:, -1:]).argmax(axis=1) for share in shares]
    ordered = np.take_along_axis(values, order, axis=1)
    return np.take_along_axis(ordered, np.stack(place, axis=1), axis=1)
