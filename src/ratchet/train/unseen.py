"""How wrong a forecast from a bare level is, learnt on the same folds as everything else: what serving needs for posted histories."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratchet import posted
from ratchet.train import calibrate
from ratchet.train.panel import MIN_WEEKS, Panel
from ratchet.train.validation import Validation


def learn(panel: Panel, validation: Validation, nature: calibrate.Nature) -> dict[str, Any]:
    """Return pools of residuals by size and block, the usual spread and the coverage achieved, as JSON can hold them."""
    held = calibrate.HeldOut(
        point=_levels(panel, validation),
        actual=validation.actual,
        nature=replace(nature, own=None),  # of a posted history no more than a level is known
        cutoffs=tuple(fold.cutoff for fold in validation.folds),
    )
    pools = calibrate.learn(held)
    sizes = {
        name: [pools[size, block] for block in range(len(calibrate.BLOCK_ENDS) + 1)]
        for size, name in enumerate(calibrate.SIZES)
    }
    return {
        "family": posted.FAMILY,
        "spread": round(calibrate.usual(posted.spreads(panel.values)), 6),
        "pools": {name: [_write(pool) for pool in blocks] for name, blocks in sizes.items()},
        "coverage": calibrate.achieved(held),
    }


def _levels(panel: Panel, validation: Validation) -> NDArray[np.float64]:
    levels = np.full(validation.actual.shape, np.nan)
    for number, fold in enumerate(validation.folds):
        known = fold.known(panel)
        old_enough = known.ages() >= MIN_WEEKS
        levels[number] = np.where(old_enough, posted.level(known.values), np.nan)[:, None]
    return levels


def _write(pool: calibrate.Pool) -> dict[str, float]:
    bounds = {
        f"{side}_{name}": value
        for name, both in pool.bounds.items()
        for side, value in zip(("lo", "hi"), np.array(both) * pool.stretch[name], strict=True)
    }
    return {
        name: round(float(value), 6) for name, value in {**bounds, "mean": pool.mean, "square": pool.square}.items()
    }
