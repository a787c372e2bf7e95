"""Recent median: a median in which a week counts for less the older it is.

How recent is recent nobody knows, so it is the median of four such medians: a week counts half after 6, 13, 26 or 52 weeks.
"""

from typing import Final

import numpy as np

from ratchet.contracts.forecaster import Floats, Forecaster
from ratchet.forecasters._family import Family, Local
from ratchet.forecasters._guard import WINDOW
from ratchet.recent import quantiles

HALF_LIVES: Final = (6, 13, 26, 52)


def make(*, season_length: int) -> Forecaster:  # noqa: ARG001 - families share one signature
    """Make a new recent median."""

    def forecast(values: Floats, horizon: int) -> Floats:
        recent = values[:, -WINDOW:]
        medians = [quantiles(recent, half_life=weeks, shares=(0.5,))[:, 0] for weeks in HALF_LIVES]
        return np.repeat(np.median(medians, axis=0)[:, None], horizon, axis=1)

    return Family(name="recent_median", learn=lambda _: Local(arithmetic=forecast))
