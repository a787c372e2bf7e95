"""Window median: the median of the last weeks. Costs nothing and is within a few per cent of the best on repository activity."""

from typing import Final

import numpy as np

from ratchet.contracts.forecaster import Floats, Forecaster, Setting
from ratchet.forecasters._family import Family, Local

STRONG_TREND: Final = 0.7
SPACE: Final = {
    "weeks": Setting(
        (8, 13, 26, 52),
        # What has a strong trend is somewhere else than a year ago.
        lambda shape, weeks: (shape.length >= weeks) & ((weeks <= 26) | (shape.trend < STRONG_TREND)),
    )
}


def make(*, season_length: int, weeks: int = 13) -> Forecaster:  # noqa: ARG001 - families share one signature
    """Make a new window median."""

    def forecast(values: Floats, horizon: int) -> Floats:
        return np.repeat(np.nanmedian(values[:, -weeks:], axis=1)[:, None], horizon, axis=1)

    return Family(name="window_median", learn=lambda _: Local(arithmetic=forecast))
