"""What a person would look at of the newest folds, as figures: drawn by whoever registers the release. The unmeasured is null, never 0."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet import scores
from ratchet.contracts.release import split_name
from ratchet.train import calibrate, hindsight
from ratchet.train.choose import Choice
from ratchet.train.combine import NAME, median
from ratchet.train.panel import Panel
from ratchet.train.search import Trial
from ratchet.train.validation import Validation

Floats = NDArray[np.float64]

SHOWN_WEEKS: Final = 78
"""Weeks of history that are shown before a forecast: a season and a half."""
DIGITS: Final = 4


def evaluate(panel: Panel, validation: Validation, choice: Choice, held: calibrate.HeldOut) -> dict[str, Any]:
    """Error by step of each family and of the release, the release's error on each fold, and its best, median and worst series."""
    if not validation.folds:
        return {"by_step": {}, "by_fold": [], "series": []}
    rows = dict(zip(validation.families, validation.forecasts, strict=True))
    if NAME in choice.families:
        rows[NAME] = median(validation.forecasts, choice.members)
    rows["release"] = held.point
    own = _scaled(validation, held.point)
    return {
        "by_step": {who: _listed(scores.mean(_by_step(_scaled(validation, said)))) for who, said in rows.items()},
        "by_fold": [
            {"from": _week(panel, fold.cutoff), "mase": _listed(scores.mean(scores.mean(errors)))}
            for fold, errors in zip(validation.folds, own, strict=True)
        ],
        "series": _series(panel, validation, held, scores.mean(scores.mean(own).T)),
    }


def tell_search(trials: Sequence[Trial]) -> dict[str, Any]:
    """What was tried and what came of it; nothing where nothing was tried."""
    return {"search": [trial.to_json() for trial in trials]} if trials else {}


def _scaled(validation: Validation, forecasts: Floats) -> Floats:
    """Absolute errors in units of each series' naive error, [fold, series, step]."""
    return scores.scaled(np.abs(forecasts - validation.actual), validation.scale[:, :, None])


def _by_step(errors: Floats) -> Floats:
    """[step, series]: the mean over folds."""
    return scores.mean(np.moveaxis(errors, 0, 2)).T


def _series(panel: Panel, validation: Validation, held: calibrate.HeldOut, mase: Floats) -> list[dict[str, Any]]:
    known = np.flatnonzero(np.isfinite(mase) & np.isfinite(held.point[-1]).all(axis=1))
    if not len(known):
        return []
    order = known[np.argsort(mase[known], kind="stable")]
    places = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    last = len(held.point) - 1
    said = hindsight.answer_fold(held, last)
    fold = validation.folds[last]
    begin = max(0, fold.cutoff - SHOWN_WEEKS)
    return [
        {
            "rank": rank,
            **dict(zip(("unique_id", "target"), split_name(panel.names[row]), strict=True)),
            "mase": round(float(mase[row]), DIGITS),
            "first_week": _week(panel, begin),
            "history": _listed(fold.known(panel).values[row, begin:]),  # noqa: PD011  # a panel's array
            "actual": _listed(validation.actual[last, row]),
            "forecast": {name: _listed(values[row]) for name, values in said.items() if name != "mean"},
        }
        for rank, row in places.items()
    ]


def _week(panel: Panel, index: int) -> str:
    return str(pd.Timestamp(panel.weeks[index]).date())


def _listed(values: Floats) -> Any:  # noqa: ANN401  # a number, or a list of them
    rounded: NDArray[np.object_] = np.round(values, DIGITS).astype(object)
    return np.where(np.isfinite(values), rounded, np.array(None, dtype=object)).tolist()
