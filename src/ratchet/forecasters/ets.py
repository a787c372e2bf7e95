"""ETS: exponential smoothing chosen by AICc, on log1p of the last 156 weeks, without a season.

A season of 52 weeks gained nothing on repository activity and costs a hundredfold: `season_length` is not used.
"""

from typing import cast

from statsforecast.models import AutoETS

from ratchet.contracts.forecaster import Forecaster
from ratchet.forecasters._log_window import on_log_window
from ratchet.forecasters._per_series import Floats, Learned, PerSeries


def make(*, season_length: int) -> Forecaster:  # noqa: ARG001 - families share one signature; see the module's first lines
    """Make a new ETS forecaster."""
    return PerSeries(name="ets", learn=on_log_window(_learn))


def _learn(logs: Floats) -> Learned:
    model = AutoETS(season_length=1).fit(logs)
    return lambda horizon: cast("Floats", model.predict(horizon)["mean"])
