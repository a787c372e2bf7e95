"""Theta: the mean of a trend line and exponential smoothing, on log1p of the last 156 weeks, without a season.

The plain Theta, not AutoTheta: a tenth of the cost for the same error. `season_length` is not used, as in `ets`.
"""

from typing import cast

from statsforecast.models import Theta

from ratchet.contracts.forecaster import Forecaster
from ratchet.forecasters._log_window import on_log_window
from ratchet.forecasters._per_series import Floats, Learned, PerSeries


def make(*, season_length: int) -> Forecaster:  # noqa: ARG001 - families share one signature; see the module's first lines
    """Make a new Theta forecaster."""
    return PerSeries(name="theta", learn=on_log_window(_learn))


def _learn(logs: Floats) -> Learned:
    model = Theta(season_length=1).fit(logs)
    return lambda horizon: cast("Floats", model.predict(horizon)["mean"])
