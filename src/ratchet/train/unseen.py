"""How wrong a forecast from a bare level is, learnt on the same folds as everything else: what serving needs for posted histories."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratchet import posted
from ratchet.train import calibrate, hindsight
from ratchet.train.panel import MIN_WEEKS, Panel


def learn(panel: Panel, held: calibrate.HeldOut) -> dict[str, Any]:
    """Return pools of residuals by size and block, the usual spread and the coverage achieved, as JSON can hold them."""
    # Of a posted history no more than a level is known.
    bare = replace(held, point=_levels(panel, held), nature=replace(held.nature, own=None), told=None)
    pools = calibrate.learn(bare)
    sizes = {
        name: [pools[size, block] for block in range(len(calibrate.BLOCK_ENDS) + 1)]
        for size, name in enumerate(calibrate.SIZES)
    }
    return {
        "family": posted.FAMILY,
        "spread": round(calibrate.usual(posted.spreads(panel.values)), 6),
        "pools": {name: [_write(pool) for pool in blocks] for name, blocks in sizes.items()},
        "coverage": hindsight.achieved(bare, hindsight.rehearse(bare)),
    }


def _levels(panel: Panel, held: calibrate.HeldOut) -> NDArray[np.float64]:
    levels = np.full(held.actual.shape, np.nan)
    for number, cutoff in enumerate(held.cutoffs):
        known = panel.until(cutoff)
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
