"""What a release remembers of its data, to tell drift from its own past: small, whatever the number of series."""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratchet import reference, scores
from ratchet.contracts.drift import DriftPolicy, Observations
from ratchet.train.calibrate import HeldOut
from ratchet.train.panel import Panel

Floats = NDArray[np.float64]


def yardsticks(panel: Panel, policy: DriftPolicy) -> Floats:
    """[series, 2]: each series' mean over the reference's weeks, and its naive error over its whole history."""
    recent = panel.values[:, -policy.reference_weeks :]
    return np.stack([scores.mean(recent), scores.naive_scale(panel.values)], axis=1)


def learn(panel: Panel, held: HeldOut, scale: Floats, policy: DriftPolicy) -> dict[str, Any]:
    """Every feature that can be compared later, and how wrong validation found the release to be at each step.

    `scale` is each series' naive error up to each cutoff, [fold, series].
    """
    levels = yardsticks(panel, policy)[:, 0]
    weeks = policy.reference_weeks
    labels = [f"{week:%Y-%m-%d}" for week in panel.weeks[-weeks:]]
    activity = reference.observe_activity(panel.values[:, -weeks:], names=panel.names, weeks=labels, levels=levels)
    expected, errors = _residuals(panel, held, scale, weeks=policy.recent_weeks)
    observed = {**activity, reference.RESIDUALS: errors, reference.PREDICTIONS: _predictions(panel, held, levels)}
    remembered = {name: reference.remember(values) for name, values in observed.items()}
    return {
        "expected_error": [float(f"{value:.6g}") if np.isfinite(value) else None for value in expected],
        "features": {name: asdict(kept) for name, kept in remembered.items() if kept is not None},
    }


def _residuals(panel: Panel, held: HeldOut, scale: Floats, *, weeks: int) -> tuple[Floats, Observations]:
    """By the fold that they came from: all weeks after one cutoff are wrong together."""
    error = np.abs(held.actual - held.point)
    scaled = scores.scaled(error, scale[:, :, None])
    by_step = scores.mean(scaled.transpose(2, 0, 1).reshape(scaled.shape[2], -1))
    relative = reference.residuals(held.actual, held.point, scale=scale, expected=by_step)[:, :, :weeks]
    return by_step, _by_fold(panel, held, relative)


def _predictions(panel: Panel, held: HeldOut, levels: Floats) -> Observations:
    said = reference.relate_forecast(held.point, levels[None, :])
    return _by_fold(panel, held, said)


def _by_fold(panel: Panel, held: HeldOut, values: Floats) -> Observations:
    return {
        f"{panel.weeks[cutoff - 1]:%Y-%m-%d}": tuple(values[number][np.isfinite(values[number])].tolist())
        for number, cutoff in enumerate(held.cutoffs)
    }
