"""Prophet: a piecewise trend and a yearly season, additive on log1p; explained as trend and season.

On weekly data a weekly season cannot be told from the level, so there is none. The yearly one has Christmas in it.
`mode="multiplicative"` is Prophet on raw counts as many set it; it blows up where weeks are zero, so what it says is kept between 0
and about twice a series' highest week.
A second or so per ten series: not in a workload's default recipe.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from ratchet.contracts.forecaster import Floats, Forecaster, Known, Setting
from ratchet.forecasters._family import Family
from ratchet.forecasters._guard import MIN_WEEKS, quiet, tame

Mode = Literal["additive", "multiplicative"]
FEW_ZEROS: Final = 0.05
SOME_TREND: Final = 0.3
SPACE: Final = {
    "mode": Setting(("additive", "multiplicative"), lambda shape, _: shape.zeros < FEW_ZEROS),
    "changes": Setting((0.01, 0.05, 0.2), lambda shape, _: shape.trend >= SOME_TREND),
}
_TWO_YEARS = 104
"""With less, a yearly season is a free curve through noise."""


def make(*, season_length: int, mode: Mode = "additive", changes: float = 0.05, seed: int = 0) -> Forecaster:  # noqa: ARG001 - shared
    """Make a new Prophet; `changes` is its flexibility of trend (`changepoint_prior_scale`)."""
    return Family(name="prophet", learn=lambda _: _Prophets(mode=mode, changes=changes, seed=seed), repeats=True)


class _Prophets:
    """One Prophet per series, fitted when it is asked: there is nothing to keep."""

    def __init__(self, *, mode: Mode, changes: float, seed: int) -> None:
        self._mode, self._changes, self._seed = mode, changes, seed

    def forecast(self, known: Known, *, horizon: int) -> Floats:
        """Forecast a typical week, [series, step]."""
        answer = np.full((len(known.counts), horizon), np.nan)
        for row in range(len(answer)):
            frame = self._predict(known, row, horizon)
            if frame is not None:
                answer[row] = self._back(frame["yhat"].to_numpy(dtype=float)[-horizon:])
        return tame(answer, known.counts)

    def explain(self, known: Known) -> Mapping[str, Floats]:
        """Return trend and yearly season of the last week, on the scale that was fitted."""
        names = ("trend", "yearly")
        figures = {name: np.full(len(known.counts), np.nan) for name in names}
        for row in range(len(known.counts)):
            frame = self._predict(known, row, 1)
            if frame is not None:
                for name in names:
                    figures[name][row] = frame[name].iloc[-2] if name in frame else 0.0
        return figures

    def files(self) -> Mapping[str, bytes]:
        """Return nothing."""
        return {}

    def _predict(self, known: Known, row: int, horizon: int) -> pd.DataFrame | None:
        there = np.isfinite(known.counts[row])
        counts = known.counts[row][there]
        if len(counts) < MIN_WEEKS or np.ptp(counts) == 0:
            return None
        y = np.log1p(counts) if self._mode == "additive" else counts
        frame = pd.DataFrame({"ds": pd.DatetimeIndex(known.weeks[there]), "y": y})
        try:
            with quiet():
                model = self._new(yearly=len(counts) >= _TWO_YEARS).fit(frame, seed=self._seed)
                return pd.DataFrame(model.predict(model.make_future_dataframe(horizon, freq="7D")))
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
            return None

    def _new(self, *, yearly: bool) -> Any:  # noqa: ANN401 - Prophet ships no types
        for name in ("cmdstanpy", "prophet"):
            logging.getLogger(name).setLevel(logging.ERROR)
        from prophet import Prophet  # noqa: PLC0415 - a second, and it logs on import

        return Prophet(
            yearly_seasonality=yearly,
            weekly_seasonality=False,
            daily_seasonality=False,
            seasonality_mode=self._mode,
            changepoint_prior_scale=self._changes,
            uncertainty_samples=0,
        )

    def _back(self, answer: Floats) -> Floats:
        return np.asarray(np.expm1(np.minimum(answer, 60)) if self._mode == "additive" else answer)
