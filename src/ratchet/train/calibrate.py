"""From a typical week to a mean and to bounds that mean what they say, learnt from held-out residuals.

A residual is the error of the square root of the count (Anscombe 1948: its noise hardly depends on the count's level),
in units of the series' own spread over its last year. Residuals are pooled over series of one size and over a block of
steps; a pool that is too small borrows from the other sizes. The bounds are quantiles of the pool around the point.
Where nothing falls below the lower one, because it is 0, the upper one may be missed more often: it is the interval
that covers 80 or 95 %, not each of its ends.

Median and mean are two answers. The median is the family's point forecast, a typical week. The mean is what sums of
weeks want: the point corrected by the pool's mean and mean square, because the square of (root + spread x residual) is
on average root^2 + 2 x root x spread x mean + spread^2 x mean square (Duan 1983).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ratchet import scores

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

SIZES = ("busy", "mid", "sparse")
LEVELS = {"80": 0.80, "95": 0.95}
BLOCK_ENDS = (4, 13)
"""Steps 1 to 4, 5 to 13, and all later ones."""
YEAR = 52
MIN_POOL = 100
PRIOR_WEEKS = 26
"""A series' own spread counts with its weeks of the last year, the mean of all series with this many."""
MIN_SPREAD = 0.05
"""About that of a series with one event in two years: less cannot be told from silence, and would divide by nothing."""
_BUSY = 10.0
_MANY_ZEROS = 0.3
_ANSCOMBE = 3 / 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """What series are like as of a week, each [..., series]: index into `SIZES`, spread of the root of the counts."""

    size: Ints
    spread: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Forecasts and actuals of held-out weeks, [fold, series, step], and the nature at each cutoff, [fold, series]."""

    point: Floats
    actual: Floats
    nature: Nature

    def folds(self, chosen: list[int]) -> Self:
        """Keep some of the folds."""
        nature = Nature(size=self.nature.size[chosen], spread=self.nature.spread[chosen])
        return type(self)(point=self.point[chosen], actual=self.actual[chosen], nature=nature)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What one pool of residuals says: lower and upper quantile per level, mean and mean square."""

    bounds: dict[str, tuple[float, float]]
    mean: float
    square: float


Calibration = dict[tuple[int, int], Pool]
"""(size, block of steps) to what its pool says; every pair is there."""

UNKNOWN = Pool(bounds={"80": (-1.282, 1.282), "95": (-1.960, 1.960)}, mean=0.0, square=0.0)
"""For want of residuals: as if they were normal and the forecast unbiased."""


def describe(values: Floats) -> Nature:
    """Tell the nature of each series from its last year, [series, week] with NaN before its first week."""
    year = values[:, -YEAR:]
    zeros = scores.mean(np.where(np.isnan(year), np.nan, year == 0))
    size = np.where(scores.mean(year) >= _BUSY, 0, np.where(zeros >= _MANY_ZEROS, 2, 1))
    return Nature(size=size, spread=_spread(_root(year)))


def learn(held: HeldOut) -> Calibration:
    """Make a pool for every size and block; beyond the held-out steps, forecasts are taken to be as wrong as there."""
    residual = (_root(held.actual) - _root(held.point)) / held.nature.spread[:, :, None]
    blocks = np.broadcast_to(_blocks(residual.shape[2]), residual.shape)
    sizes = np.broadcast_to(held.nature.size[:, :, None], residual.shape)
    known, furthest = np.isfinite(residual), blocks.max(initial=0)
    calibration = {}
    for size, block in np.ndindex(len(SIZES), len(BLOCK_ENDS) + 1):
        step = known & (blocks == min(block, furthest))
        pool = next((pool for pool in (step & (sizes == size), step, known) if pool.sum() >= MIN_POOL), None)
        calibration[size, block] = UNKNOWN if pool is None else _pool(residual[pool])
    return calibration


def apply(calibration: Calibration, *, point: Floats, nature: Nature) -> dict[str, Floats]:
    """Make every statistic of a release as [series, step]: bounds in order, the median within them, nothing below 0."""
    root, spread = _root(point), nature.spread[:, None]
    answer = {"median": point, "mean": point.copy()}
    answer |= {f"{side}_{level}": point.copy() for level in LEVELS for side in ("lo", "hi")}
    for pool, where in _cells(calibration, nature.size, _blocks(point.shape[1])):
        second = spread**2 * pool.square + 2 * root * spread * pool.mean
        answer["mean"] = np.where(where, np.maximum(point + second, 0.0), answer["mean"])
        for level, (lo, hi) in pool.bounds.items():
            answer[f"lo_{level}"] = np.where(
                where, np.minimum(_count(root + spread * lo), point), answer[f"lo_{level}"]
            )
            answer[f"hi_{level}"] = np.where(
                where, np.maximum(_count(root + spread * hi), point), answer[f"hi_{level}"]
            )
    return answer


def achieved(held: HeldOut) -> dict[str, float]:
    """Measure coverage on folds whose residuals were left out of the pools: by level, and by level and size."""
    count = len(held.point)
    if count <= 1:
        return {}
    inside = {level: np.full(held.actual.shape, np.nan) for level in LEVELS}
    for fold in range(count):
        rest = learn(held.folds([other for other in range(count) if other != fold]))
        nature = Nature(size=held.nature.size[fold], spread=held.nature.spread[fold])
        answer = apply(rest, point=held.point[fold], nature=nature)
        for level in LEVELS:
            single = [array[..., None] for array in (held.actual[fold], answer[f"lo_{level}"], answer[f"hi_{level}"])]
            inside[level][fold] = scores.coverage(*single)
    groups = {"": slice(None)} | {f"/{name}": held.nature.size == size for size, name in enumerate(SIZES)}
    shares = {
        level + group: float(scores.mean(inside[level][rows].ravel()))
        for level in LEVELS
        for group, rows in groups.items()
    }
    return {name: round(share, 4) for name, share in shares.items() if np.isfinite(share)}


def _pool(residual: Floats) -> Pool:
    bounds = {level: _quantiles(residual, miss=1 - share) for level, share in LEVELS.items()}
    return Pool(bounds=bounds, mean=float(residual.mean()), square=float((residual**2).mean()))


def _quantiles(residual: Floats, *, miss: float) -> tuple[float, float]:
    lo = float(np.quantile(residual, miss / 2, method="lower"))
    # Zeros tie: fewer may be below the lower bound than it allows for, and the upper one makes up for it.
    below = float(np.mean(residual < lo))
    # (n + 1) / n: the bound must hold for one more residual, not only for those at hand (Vovk et al. 2005).
    share = min(1.0, (1 - (miss - below)) * (len(residual) + 1) / len(residual))
    return lo, float(np.quantile(residual, share, method="higher"))


def _cells(calibration: Calibration, size: Ints, blocks: Ints) -> Iterator[tuple[Pool, NDArray[np.bool_]]]:
    for (one_size, block), pool in calibration.items():
        yield pool, (size[:, None] == one_size) & (blocks == block)


def _spread(roots: Floats) -> Floats:
    weeks = np.isfinite(roots).sum(axis=-1)
    own = np.sqrt(scores.mean((roots - scores.mean(roots)[:, None]) ** 2))
    everyone = float(np.nan_to_num(scores.mean(own)))
    shared = (weeks * np.nan_to_num(own) + PRIOR_WEEKS * everyone) / (weeks + PRIOR_WEEKS)
    return np.asarray(np.maximum(shared, MIN_SPREAD))


def _blocks(steps: int) -> Ints:
    return np.asarray(np.searchsorted(BLOCK_ENDS, np.arange(1, steps + 1), side="left"))


def _root(count: Floats) -> Floats:
    return np.asarray(np.sqrt(count + _ANSCOMBE))


def _count(root: Floats) -> Floats:
    return np.asarray(np.maximum(np.maximum(root, 0.0) ** 2 - _ANSCOMBE, 0.0))
