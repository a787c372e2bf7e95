"""How wrong a forecast from a bare level is, by how many weeks it is made of: what serving needs for posted histories.

A posted history is short as often as not, and a few weeks say little of a level and less of a spread. So how wrong forecasts of so many
weeks are is learnt from windows of so many: they are cut from every series, and answered as serving answers what is posted.
"""

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ratchet import posted
from ratchet.train import calibrate
from ratchet.train.panel import Panel

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

LENGTHS: Final = (1, 2, 4, 8, 13, 26, posted.YEAR)
PRIOR_WEEKS: Final = 4
"""The usual spread counts with so many weeks beside a history's own: series differ in it by more than a few weeks are wrong about it."""
SCATTER: Final = {"mean": 0.0, "square": 1.0}
"""In spreads, weeks scatter around the root of the level as the spread says: the mean lies above the level by as much."""
STRIDE: Final = 8
BACK: Final = 156
"""Windows end in every eighth week of the last three years."""
MOST: Final = 20_000
"""More windows of one length would only say the same again."""


def learn(panel: Panel, horizon: int) -> dict[str, Any]:
    """Return pools of residuals by length of history, size and block, and the usual spread, as JSON can hold them."""
    usual = round(calibrate.usual(posted.spreads(panel.values)), 6)
    pools: dict[int, calibrate.Calibration] = {}
    for weeks in LENGTHS:
        residual, size = _miss(panel, weeks, horizon, usual)
        # Where few series are as old, forecasts are taken to be as wrong as those of fewer weeks.
        enough = np.isfinite(residual).sum() >= calibrate.MIN_POOL
        pools[weeks] = calibrate.gather(residual, size) if enough or not pools else pools[max(pools)]
    return {
        "family": posted.FAMILY,
        "spread": usual,
        "prior_weeks": PRIOR_WEEKS,
        "pools": _write(pools.pop(posted.YEAR), SCATTER),
        "shorter": {str(weeks): _write(said, {}) for weeks, said in pools.items()},
    }


def _miss(panel: Panel, weeks: int, horizon: int, usual: float) -> tuple[Floats, Ints]:
    """Return by how many spreads forecasts of so many weeks missed, [cutoff, series, step], NaN if nobody can tell, and the sizes then."""
    cutoffs = range(len(panel.weeks) - 1, max(len(panel.weeks) - BACK, weeks) - 1, -STRIDE)
    rows = _some(len(panel.names), max(MOST // max(len(cutoffs), 1), 1))
    residual, size = np.full((len(cutoffs), len(rows), horizon), np.nan), np.zeros((len(cutoffs), len(rows)), np.intp)
    for number, (window, actual) in enumerate(_cut(panel.only(rows), cutoffs, weeks, horizon)):
        spread = posted.spread_of(posted.spreads(window), weeks, usual=usual, prior_weeks=PRIOR_WEEKS)
        miss = np.sqrt(actual + posted.ANSCOMBE) - np.sqrt(posted.level(window) + posted.ANSCOMBE)[:, None]
        residual[number, :, : miss.shape[1]] = miss / spread[:, None]
        size[number] = calibrate.sizes(window)
    return residual, size


def _cut(panel: Panel, cutoffs: range, weeks: int, horizon: int) -> Iterator[tuple[Floats, Floats]]:
    """Cut so many weeks of each series before every cutoff, as they were known then, all NaN where not all are there, and what followed."""
    for cutoff in cutoffs:
        window = panel.until(cutoff).newest(weeks)
        whole = np.isfinite(window).all(axis=1, keepdims=True)
        yield np.where(whole, window, np.nan), panel.happened(cutoff, cutoff + horizon)


def _some(series: int, most: int) -> Ints:
    """Choose series at random, the same ones each time."""
    return np.sort(np.random.default_rng(0).permutation(series)[:most])


def _write(pools: calibrate.Calibration, also: dict[str, float]) -> dict[str, list[dict[str, float]]]:
    blocks = range(len(calibrate.BLOCK_ENDS) + 1)
    return {name: [_bounds(pools[size, block]) | also for block in blocks] for size, name in enumerate(calibrate.SIZES)}


def _bounds(pool: calibrate.Pool) -> dict[str, float]:
    """Round outward: where all windows are alike, as those of one week without events, bounds are whole counts and enclose them."""
    ends = zip(posted.BOUNDS, (end for level in calibrate.LEVELS for end in pool.bounds[level]), strict=True)
    return {name: (math.floor if name.startswith("lo") else math.ceil)(end * 1e6) / 1e6 for name, end in ends}
