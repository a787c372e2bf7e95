"""Seasonal naive: each week as it was one season ago; as last week where a series is shorter than a season."""

import numpy as np

from ratchet.contracts.forecaster import Forecaster
from ratchet.forecasters._per_series import Floats, Learned, PerSeries


def make(*, season_length: int) -> Forecaster:
    """Make a new seasonal naive forecaster."""

    def learn(y: Floats) -> Learned:
        cycle = y[-season_length:] if len(y) >= season_length else y[-1:]
        return lambda horizon: np.resize(cycle, horizon)

    return PerSeries(name="seasonal_naive", learn=learn)
