"""Window average: the mean of the last weeks. Not a typical week but the expected one: it follows bursts."""

from typing import Final

import numpy as np

from ratchet.contracts.forecaster import Floats, Forecaster, Setting
from ratchet.forecasters._family import Family, Local

SPACE: Final = {"weeks": Setting((8, 13, 26), lambda shape, weeks: shape.length >= weeks)}


def make(*, season_length: int, weeks: int = 13) -> Forecaster:  # noqa: ARG001 - families share one signature
    """Make a new window average."""

    def forecast(values: Floats, horizon: int) -> Floats:
        return np.repeat(np.nanmean(values[:, -weeks:], axis=1)[:, None], horizon, axis=1)

    return Family(name="window_average", learn=lambda _: Local(arithmetic=forecast), expects=True)
