"""Croston, optimised: sizes and gaps between events smoothed apart; on counts as they are. Forecasts the expected week."""

import numpy as np
from statsforecast.models import CrostonOptimized

from ratchet.contracts.forecaster import Floats, Forecaster
from ratchet.forecasters._family import Family, Local
from ratchet.forecasters._guard import WINDOW, quiet, tame


def make(*, season_length: int) -> Forecaster:  # noqa: ARG001 - families share one signature
    """Make a new Croston forecaster."""
    return Family(name="croston", learn=lambda _: Local(arithmetic=_forecast), expects=True)


def _forecast(values: Floats, horizon: int) -> Floats:
    with quiet():
        rows = [
            CrostonOptimized().forecast(y=series[np.isfinite(series)], h=horizon)["mean"]
            if np.nansum(series) > 0
            else np.zeros(horizon)
            for series in values[:, -WINDOW:]
        ]
    return tame(np.asarray(rows, dtype=float), values)
