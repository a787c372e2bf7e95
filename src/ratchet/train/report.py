"""What a card and `scores.json` say of how families did on held-out weeks. The unmeasured is left out, never 0."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratchet import scores
from ratchet.contracts.release import split_name
from ratchet.train.calibrate import LEVELS, SIZES, HeldOut
from ratchet.train.choose import Choice
from ratchet.train.combine import NAME, median
from ratchet.train.explain import NOTHING, Explained
from ratchet.train.hindsight import covered
from ratchet.train.panel import Panel
from ratchet.train.validation import Validation

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Measured = Mapping[str, Floats]
"""By score: [fold, series], of those folds that it could be measured on."""

QUANTILES = {"lo_95": 0.025, "lo_80": 0.1, "median": 0.5, "hi_80": 0.9, "hi_95": 0.975}
UNVALIDATED = "too young to be validated, or it never changed: it follows the family that is best over all series"


def measure(validation: Validation, choice: Choice, held: HeldOut, answer: Mapping[str, Floats]) -> Measured:
    """Score what the release says, as chosen per series; what needs bounds on those folds that `hindsight.rehearse` could answer."""
    measured = _scores(validation, held.point)
    if not answer:
        return measured
    newest = slice(-len(answer["median"]), None)
    actual, scale = validation.actual[newest], validation.scale[newest]
    units = np.where(scale > 0, scale, np.nan)
    loss = [scores.pinball(actual, answer[name], share) * 2 / units for name, share in QUANTILES.items()]
    error = (choice.mean(validation.forecasts[:, newest], answer["mean"]) - actual) / units[:, :, None]
    return {
        **measured,
        "spl": np.mean(loss, axis=0),
        "rmsse_mean": np.sqrt(scores.mean(error**2)),
        "bias_mean": scores.mean(error),
        **{
            f"coverage_{level}": scores.mean(covered(actual, answer[f"lo_{level}"], answer[f"hi_{level}"]))
            for level in LEVELS
        },
    }


def summarise(
    validation: Validation, choice: Choice, release: Measured, names: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Score each family, the ensemble, the `release` as it was measured, and that by target: mean over folds, then series.

    On folds that nothing was chosen by. `coverage_80_error` is what chance alone may have done to `coverage_80`.
    """
    rows = dict(zip(validation.families, validation.forecasts, strict=True))
    if NAME in choice.families:
        rows[NAME] = median(validation.forecasts, choice.members)
    things, targets = np.array([split_name(name) for name in names]).T
    everybody = np.ones(len(names), dtype=bool)
    scored = {family: _average(_scores(validation, forecasts), everybody) for family, forecasts in rows.items()}
    groups = {"release": everybody}
    groups |= {f"release/{target}": targets == target for target in sorted(set(targets)) if len(set(targets)) > 1}
    return scored | {name: _average(release, kept) | _errors(release, kept, things) for name, kept in groups.items()}


def describe_series(
    panel: Panel,
    validation: Validation,
    release: Measured,
    *,
    choice: Choice,
    size: Ints,
    explained: Explained = NOTHING,
) -> list[dict[str, Any]]:
    """Make one record per series, in the panel's order.

    Its family, its size, each family's MASE, every score of what the release says, what families tell, any note.
    """
    mase = dict(zip(validation.families, scores.mean(validation.mase()), strict=True))
    if NAME in choice.families:
        mase[NAME] = scores.mean(validation.mase_of(median(validation.forecasts, choice.members)))
    own = {name: scores.mean(values.T) for name, values in release.items()}
    return [
        _record(
            name,
            choice.families[choice.family[row]],
            SIZES[size[row]],
            {family: values[row] for family, values in mase.items()},
            {
                "scores": _measured({name: values[row] for name, values in own.items()}),
                "explained": explained.of(row),
            },
        )
        for row, name in enumerate(panel.names)
    ]


def _record(name: str, family: str, size: str, mase: dict[str, float], more: dict[str, Any]) -> dict[str, Any]:
    unique_id, target = split_name(name)
    known = _measured(mase)
    record = {"unique_id": unique_id, "target": target, "family": family, "size": size, "mase": known}
    record |= {name: some for name, some in more.items() if some}
    return record if known else record | {"note": UNVALIDATED}


def _scores(validation: Validation, forecasts: Floats) -> Measured:
    """[fold, series] by score."""
    actual, scale = validation.actual, validation.scale
    error = scores.scaled(forecasts - actual, scale[:, :, None])
    return {
        "mase": scores.mean(np.abs(error)),
        "rmsse": np.sqrt(scores.mean(error**2)),
        "bias": scores.mean(error),
        "smape": scores.smape(actual, forecasts),
        "mae": scores.mae(actual, forecasts),
        "rmse": scores.rmse(actual, forecasts),
    }


def _average(by_fold: Measured, kept: NDArray[np.bool_]) -> dict[str, float]:
    return _measured({name: float(scores.mean(scores.mean(values[:, kept].T))) for name, values in by_fold.items()})


def _errors(by_fold: Measured, kept: NDArray[np.bool_], things: NDArray[np.str_]) -> dict[str, float]:
    covered_by_series = {name: scores.mean(values.T) for name, values in by_fold.items() if name.startswith("coverage")}
    return _measured(
        {f"{name}_error": _error(values[kept], things[kept]) for name, values in covered_by_series.items()}
    )


def _error(values: Floats, things: NDArray[np.str_]) -> float:
    """Tell the standard error of a mean over series, [series]: those of one thing are right and wrong together."""
    known = np.isfinite(values)
    found, thing = np.unique(things[known], return_inverse=True)
    if len(found) < 2:
        return float("nan")
    off = np.bincount(thing, values[known] - values[known].mean())
    return float(np.sqrt((off**2).sum() * len(found) / (len(found) - 1)) / known.sum())


def _measured(values: dict[str, float]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in values.items() if np.isfinite(value)}
