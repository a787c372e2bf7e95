"""Seasonal naive: each week as it was one season ago; as last week where a series is shorter than a season."""

import numpy as np

from ratchet.contracts.forecaster import Floats, Forecaster
from ratchet.forecasters._family import Family, Local


def make(*, season_length: int) -> Forecaster:
    """Make a new seasonal naive forecaster."""

    def forecast(values: Floats, horizon: int) -> Floats:
        last = np.repeat(values[:, -1:], horizon, axis=1)
        if values.shape[1] < season_length:
            return last
        cycle = values[:, -season_length:][:, np.arange(horizon) % season_length]
        return np.asarray(np.where(np.isfinite(values[:, -season_length])[:, None], cycle, last))

    return Family(name="seasonal_naive", learn=lambda _: Local(arithmetic=forecast), repeats=True)
