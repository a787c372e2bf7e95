"""What a card and `scores.json` say of how families did on held-out weeks. The unmeasured is left out, never 0."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratchet import scores
from ratchet.contracts.release import split_name
from ratchet.train.calibrate import LEVELS, SIZES, HeldOut, covered, rehearse
from ratchet.train.choose import Choice
from ratchet.train.combine import NAME, median
from ratchet.train.explain import NOTHING, Explained, Figures
from ratchet.train.panel import Panel
from ratchet.train.validation import Validation

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

QUANTILES = {"lo_95": 0.025, "lo_80": 0.1, "median": 0.5, "hi_80": 0.9, "hi_95": 0.975}
UNVALIDATED = "too young to be validated, or it never changed: it follows the family that is best over all series"


def summarise(
    validation: Validation, choice: Choice, held: HeldOut, names: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Score each family, the ensemble, the `release` as chosen per series, and that by target: mean over folds, then series.

    On folds that nothing was chosen by. What needs bounds is measured on those of them that had bounds to be answered with.
    """
    rows = dict(zip(validation.families, validation.forecasts, strict=True))
    if NAME in choice.families:
        rows[NAME] = median(validation.forecasts, choice.members)
    scored = {family: _measured(_scores(validation, forecasts)) for family, forecasts in rows.items()}
    answer = rehearse(held)
    if answer:
        answer["mean"] = choice.mean(validation.forecasts, answer["mean"])
    targets = np.array([split_name(name)[1] for name in names])
    groups = {"release": np.ones(len(names), dtype=bool)}
    groups |= {f"release/{target}": targets == target for target in sorted(set(targets)) if len(set(targets)) > 1}
    return scored | {name: _measured(_release(validation, held, answer, kept)) for name, kept in groups.items()}


def _release(
    validation: Validation, held: HeldOut, answer: dict[str, Floats], kept: NDArray[np.bool_]
) -> dict[str, float]:
    part = replace(validation, actual=validation.actual[:, kept], scale=validation.scale[:, kept])
    measured = _scores(part, held.point[:, kept])
    if not answer:
        return measured
    units = np.where(part.scale > 0, part.scale, np.nan)
    loss = [scores.pinball(part.actual, answer[name][:, kept], share) * 2 / units for name, share in QUANTILES.items()]
    error = (answer["mean"][:, kept] - part.actual) / units[:, :, None]
    by_fold = {
        "spl": np.mean(loss, axis=0),
        "rmsse_mean": np.sqrt(scores.mean(error**2)),
        "bias_mean": scores.mean(error),
        **{
            f"coverage_{level}": scores.mean(
                covered(part.actual, answer[f"lo_{level}"][:, kept], answer[f"hi_{level}"][:, kept])
            )
            for level in LEVELS
        },
    }
    return measured | {name: _average(values) for name, values in by_fold.items()}


def describe_series(
    panel: Panel, validation: Validation, *, choice: Choice, size: Ints, explained: Explained = NOTHING
) -> list[dict[str, Any]]:
    """Make one record per series, in the panel's order: its family, its size, each family's MASE, what families tell, any note."""
    if NAME in choice.families:
        validation = validation.also(NAME, median(validation.forecasts, choice.members))
    mase = scores.mean(validation.mase())
    return [
        _record(
            name,
            choice.families[choice.family[row]],
            SIZES[size[row]],
            dict(zip(validation.families, mase[:, row], strict=True)),
            explained.of(row),
        )
        for row, name in enumerate(panel.names)
    ]


def _record(name: str, family: str, size: str, mase: dict[str, float], explained: Figures) -> dict[str, Any]:
    unique_id, target = split_name(name)
    known = _measured(mase)
    record = {"unique_id": unique_id, "target": target, "family": family, "size": size, "mase": known}
    record |= {"explained": explained} if explained else {}
    return record if known else record | {"note": UNVALIDATED}


def _scores(validation: Validation, forecasts: Floats) -> dict[str, float]:
    actual, scale = validation.actual, validation.scale
    error = scores.scaled(forecasts - actual, scale[:, :, None])
    by_fold = {
        "mase": scores.mean(np.abs(error)),
        "rmsse": np.sqrt(scores.mean(error**2)),
        "bias": scores.mean(error),
        "smape": scores.smape(actual, forecasts),
        "mae": scores.mae(actual, forecasts),
        "rmse": scores.rmse(actual, forecasts),
    }
    return {name: _average(values) for name, values in by_fold.items()}


def _average(by_fold: Floats) -> float:
    return float(scores.mean(scores.mean(by_fold.T)))


def _measured(values: dict[str, float]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in values.items() if np.isfinite(value)}
