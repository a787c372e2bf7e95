"""Two ways to ask how a family would have done: directly, and blind.

Direct: learn, forecast every step of the horizon from the cutoff at once. Blind (recursive): learn, forecast the next week, take it as if
it had come true, learn and forecast again, to the end of the horizon; then the whole path is scored. Blind is what a family does that can
only see one week ahead, at `horizon` times the cost; on activity it is no better, because a forecast that is fed back adds nothing known.
"""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ratchet import scores
from ratchet.contracts.forecaster import Forecaster
from ratchet.train.fit import predict
from ratchet.train.folds import Fold
from ratchet.train.panel import Panel

Floats = NDArray[np.float64]
Procedure = Literal["direct", "blind"]
PROCEDURES: Final[tuple[Procedure, ...]] = ("direct", "blind")


def backtest(family: Forecaster, panel: Panel, folds: tuple[Fold, ...], *, procedure: Procedure) -> Floats:
    """Forecast each fold's held-out weeks by a procedure: [fold, series, step], NaN where a series was too young."""
    ahead = blind if procedure == "blind" else predict
    return np.array([ahead(family, fold.known(panel), horizon=fold.horizon) for fold in folds])


def blind(family: Forecaster, panel: Panel, *, horizon: int) -> Floats:
    """Forecast week by week, each forecast appended as if it had come true before the next is learnt."""
    shown = panel
    for _ in range(horizon):
        shown = shown.and_then(predict(family, shown, horizon=1))
    return shown.newest(horizon)


def score(panel: Panel, folds: tuple[Fold, ...], forecasts: Floats) -> dict[str, float]:
    """Score whole paths: mean over folds, then over series; `mase`, `rmsse` and `bias` in units of the naive error up to each cutoff."""
    actual = np.array([fold.actual(panel) for fold in folds])
    scale = np.array([scores.naive_scale(fold.known(panel).values) for fold in folds])
    error = scores.scaled(forecasts - actual, scale[:, :, None])
    by_fold = {
        "mase": scores.mean(np.abs(error)),
        "rmsse": np.sqrt(scores.mean(error**2)),
        "bias": scores.mean(error),
        "smape": scores.smape(actual, forecasts),
        "mae": scores.mae(actual, forecasts),
    }
    return {name: float(scores.mean(scores.mean(values.T))) for name, values in by_fold.items()}
