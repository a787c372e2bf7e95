"""TSB (Teunter, Syntetos & Babai 2011): how often anything happens times how much, each smoothed on its own.

For series that are mostly zero. Forecasts the expected week, not the typical one, all series in one pass.
"""

from typing import Final

import numpy as np

from ratchet.contracts.forecaster import Floats, Forecaster, Setting
from ratchet.forecasters._family import Family, Local

MANY_ZEROS: Final = 0.2
_RATES: Final = Setting((0.05, 0.1, 0.2), lambda shape, _: shape.zeros >= MANY_ZEROS)
SPACE: Final = {"size_rate": _RATES, "chance_rate": _RATES}


def make(*, season_length: int, size_rate: float = 0.1, chance_rate: float = 0.1) -> Forecaster:  # noqa: ARG001 - shared signature
    """Make a new TSB forecaster."""

    def forecast(values: Floats, horizon: int) -> Floats:
        expected = _smooth(values, size_rate=size_rate, chance_rate=chance_rate)
        return np.repeat(expected[:, None], horizon, axis=1)

    return Family(name="tsb", learn=lambda _: Local(arithmetic=forecast), expects=True)


def _smooth(values: Floats, *, size_rate: float, chance_rate: float) -> Floats:
    size, chance = np.full(len(values), np.nan), np.full(len(values), np.nan)
    for week in values.T:
        known, some = np.isfinite(week), week > 0
        size = np.where(some, np.where(np.isnan(size), week, size + size_rate * (week - size)), size)
        chance = np.where(known, np.where(np.isnan(chance), some, chance + chance_rate * (some - chance)), chance)
    return np.asarray(np.nan_to_num(size) * chance)
