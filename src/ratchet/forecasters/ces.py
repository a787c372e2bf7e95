"""CES: complex exponential smoothing chosen by AICc, on log1p of the last 156 weeks.

A season of 52 weeks gained nothing on repository activity and costs a hundredfold: `season_length` is not used.
"""

from collections.abc import Callable
from typing import cast

from statsforecast.models import AutoCES

from ratchet.contracts.forecaster import Floats, Forecaster
from ratchet.forecasters._family import Family, Local
from ratchet.forecasters._guard import each_log


def make(*, season_length: int) -> Forecaster:  # noqa: ARG001 - families share one signature; see the module's first lines
    """Make a new CES forecaster."""
    return Family(name="ces", learn=lambda _: Local(arithmetic=each_log(_learn)))


def _learn(logs: Floats) -> Callable[[int], Floats]:
    model = AutoCES(season_length=1).fit(logs)
    return lambda horizon: cast("Floats", model.predict(horizon)["mean"])
