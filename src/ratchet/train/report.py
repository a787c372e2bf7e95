"""What a card and `scores.json` say of how families did on held-out weeks. The unmeasured is left out, never 0."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratchet import scores
from ratchet.contracts.release import split_name
from ratchet.train.calibrate import SIZES
from ratchet.train.fit import Validation
from ratchet.train.panel import Panel

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

UNVALIDATED = "too young to be validated, or it never changed: it follows the family that is best over all series"


def summarise(validation: Validation, choice: Ints) -> dict[str, dict[str, float]]:
    """Score each family, and of the `release` as chosen per series: mean over folds, then over series."""
    rows = {family: validation.forecasts[index] for index, family in enumerate(validation.families)}
    rows["release"] = chosen(validation, choice)
    return {name: _measured(_scores(validation, forecasts)) for name, forecasts in rows.items()}


def chosen(validation: Validation, choice: Ints) -> Floats:
    """Take each series' held-out forecasts from its chosen family: [fold, series, step]."""
    return validation.forecasts[choice, :, np.arange(len(choice))].transpose(1, 0, 2)


def describe_series(panel: Panel, validation: Validation, *, choice: Ints, size: Ints) -> list[dict[str, Any]]:
    """Make one record per series, in the panel's order: its family, its size, each family's MASE, any note."""
    mase = scores.mean(validation.mase())
    return [
        _record(
            name,
            validation.families[choice[row]],
            SIZES[size[row]],
            dict(zip(validation.families, mase[:, row], strict=True)),
        )
        for row, name in enumerate(panel.names)
    ]


def _record(name: str, family: str, size: str, mase: dict[str, float]) -> dict[str, Any]:
    unique_id, target = split_name(name)
    known = _measured(mase)
    record = {"unique_id": unique_id, "target": target, "family": family, "size": size, "mase": known}
    return record if known else record | {"note": UNVALIDATED}


def _scores(validation: Validation, forecasts: Floats) -> dict[str, float]:
    actual, scale = validation.actual, validation.scale
    error = scores.scaled(forecasts - actual, scale[:, :, None])
    by_fold = {
        "mase": scores.mean(np.abs(error)),
        "rmsse": np.sqrt(scores.mean(error**2)),
        "bias": scores.mean(error),
        "smape": scores.smape(actual, forecasts),
    }
    return {name: float(scores.mean(scores.mean(values.T))) for name, values in by_fold.items()}


def _measured(values: dict[str, float]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in values.items() if np.isfinite(value)}
