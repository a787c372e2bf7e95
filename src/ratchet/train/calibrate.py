"""From a typical week to a mean and to bounds that mean what they say, learnt from held-out residuals.

A residual is the error of the square root of the count (Anscombe 1948: its noise hardly depends on the count's level),
in units of the series' own spread over its last year. Residuals are pooled over series of one size and over a block of
steps; a pool that is too small borrows from the other sizes. The bounds are quantiles of the pool around the point.
Where nothing falls below the lower one, because it is 0, the upper one may be missed more often: it is the interval
that covers 80 or 95 %, not each of its ends. A third of each bound is then the series' own (`own.py`).

Median and mean are two answers. The median is the family's point forecast, a typical week. The mean is what sums of
weeks want: the point corrected by the pool's mean and mean square, because the square of (root + spread x residual) is
on average root^2 + 2 x root x spread x mean + spread^2 x mean square (Duan 1983).
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ratchet import scores
from ratchet.train import own as of_series

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

SIZES = ("busy", "mid", "sparse")
LEVELS = {"80": 0.80, "95": 0.95}
BLOCK_ENDS = (4, 13)
"""Steps 1 to 4, 5 to 13, and all later ones."""
YEAR = 52
MIN_POOL = 100
MIN_FOLDS = 3
"""With fewer, how wrong weeks are together cannot be told."""
WIDER = tuple(float(factor) for factor in np.round(np.linspace(1.3, 0.2, 23), 3))
"""What the share of missed weeks is multiplied with, narrowest bounds first."""
PRIOR_WEEKS = 26
"""A series' own spread counts with its weeks of the last year, the mean of all series with this many."""
MIN_SPREAD = 0.05
"""About that of a series with one event in two years: less cannot be told from silence, and would divide by nothing."""
FAR = 10.0
"""One series says no more of the others: a week counts as so many spreads away at most, a spread as so many times a usual one."""
_BUSY = 10.0
_MANY_ZEROS = 0.3
_ANSCOMBE = 3 / 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """What series are like as of a week, each [..., series]: index into `SIZES`, spread of the root of the counts.

    `own` are roots of quantiles of recent weeks, [..., series, bound], level by level; None: bounds are the pool's alone.
    """

    size: Ints
    spread: Floats
    own: Floats | None = None

    def part(self, chosen: int | list[int]) -> Self:
        """Keep one fold, or some."""
        own = None if self.own is None else self.own[chosen]
        return type(self)(size=self.size[chosen], spread=self.spread[chosen], own=own)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Forecasts and actuals of held-out weeks, [fold, series, step], and the nature at each cutoff, [fold, series].

    `cutoffs` are the folds' own, in weeks, oldest first; without them no fold is taken to share a week with another.
    """

    point: Floats
    actual: Floats
    nature: Nature
    cutoffs: tuple[int, ...] = ()

    def folds(self, chosen: list[int]) -> Self:
        """Keep some of the folds."""
        nature = self.nature.part(chosen)
        cutoffs = tuple(self.cutoffs[fold] for fold in chosen) if self.cutoffs else ()
        return type(self)(point=self.point[chosen], actual=self.actual[chosen], nature=nature, cutoffs=cutoffs)

    def before(self, fold: int) -> Self:
        """Keep what was known at a fold's cutoff: the folds before it, and of those no week after it."""
        earlier = self.folds(list(range(fold)))
        if not self.cutoffs:
            return earlier
        weeks = np.array(earlier.cutoffs)[:, None] + np.arange(self.actual.shape[2])
        return replace(earlier, actual=np.where((weeks < self.cutoffs[fold])[:, None, :], earlier.actual, np.nan))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What one pool of residuals says: lower and upper quantile per level, mean and mean square."""

    bounds: dict[str, tuple[float, float]]
    mean: float
    square: float


Misses = dict[str, float]
"""Level to the share of weeks that its bounds may miss."""
Calibration = dict[tuple[int, int], Pool]
"""(size, block of steps) to what its pool says; every pair is there."""

UNKNOWN = Pool(bounds={"80": (-1.282, 1.282), "95": (-1.960, 1.960)}, mean=0.0, square=0.0)
"""For want of residuals: as if they were normal and the forecast unbiased."""


def describe(values: Floats) -> Nature:
    """Tell the nature of each series from its last year, [series, week] with NaN before its first week."""
    year = values[:, -YEAR:]
    zeros = scores.mean(np.where(np.isnan(year), np.nan, year == 0))
    size = np.where(scores.mean(year) >= _BUSY, 0, np.where(zeros >= _MANY_ZEROS, 2, 1))
    return Nature(size=size, spread=_spread(_root(year)), own=_root(of_series.ends(values, LEVELS.values())))


def learn(held: HeldOut) -> Calibration:
    """Make a pool for every size and block; beyond the held-out steps, forecasts are taken to be as wrong as there.

    Weeks of one fold are wrong together, so a pool of few folds looks narrower than what comes. Each size's bounds are widened
    (or narrowed) until folds left out of the pools are covered as promised.
    """
    misses = _misses(held)
    return {key: pool(key, misses[key[0]]) for key, pool in _pools(held).items()}


def apply(calibration: Calibration, *, point: Floats, nature: Nature) -> dict[str, Floats]:
    """Make every statistic of a release as [series, step]: bounds in order, the median within them, nothing below 0."""
    root, spread = _root(point), nature.spread[:, None]
    answer = {"median": point, "mean": point.copy()}
    answer |= {f"{side}_{level}": point.copy() for level in LEVELS for side in ("lo", "hi")}
    for pool, where in _cells(calibration, nature.size, _blocks(point.shape[1])):
        second = spread**2 * pool.square + 2 * root * spread * pool.mean
        answer["mean"] = np.where(where, np.maximum(point + second, 0.0), answer["mean"])
        for column, level in enumerate(LEVELS):
            own = None if nature.own is None else nature.own[:, None, 2 * column : 2 * column + 2]
            pooled = np.maximum(np.stack([root + spread * bound for bound in pool.bounds[level]], axis=2), 0.0)
            ends = _count(of_series.blend(pooled, own))
            answer[f"lo_{level}"] = np.where(where, np.minimum(ends[:, :, 0], point), answer[f"lo_{level}"])
            answer[f"hi_{level}"] = np.where(where, np.maximum(ends[:, :, 1], point), answer[f"hi_{level}"])
    return answer


def rehearse(held: HeldOut) -> dict[str, Floats]:
    """Answer the newer half of the folds as it would have been done then, from what was known at each cutoff.

    Every statistic as [fold, series, step]; NaN on the folds before, which nobody could have answered yet.
    """
    answer: dict[str, Floats] = {}
    for fold in range(max(1, len(held.point) // 2), len(held.point)):
        said = apply(learn(held.before(fold)), point=held.point[fold], nature=held.nature.part(fold))
        for name, values in said.items():
            answer.setdefault(name, np.full(held.point.shape, np.nan))[fold] = values
    return answer


def achieved(held: HeldOut) -> dict[str, float]:
    """Measure the coverage of `rehearse`: by level, by level and size, and by level and step."""
    answer = rehearse(held)
    shares: dict[str, float] = {}
    for level in LEVELS if answer else ():
        inside = covered(held.actual, answer[f"lo_{level}"], answer[f"hi_{level}"])
        shares[level] = float(scores.mean(inside.ravel()))
        for size, name in enumerate(SIZES):
            shares[f"{level}/{name}"] = float(scores.mean(inside[held.nature.size == size].ravel()))
        for step in {0, 3, 7, 12, inside.shape[2] - 1} & set(range(inside.shape[2])):
            shares[f"{level}/step {step + 1}"] = float(scores.mean(inside[:, :, step].ravel()))
    return {name: round(share, 4) for name, share in shares.items() if np.isfinite(share)}


def usual(spreads: Floats) -> float:
    """Average the spreads of all series, so that a huge one hardly counts more than the others; 0 where none is known."""
    some = spreads[np.isfinite(spreads)]
    moving = some[some > 0]
    if not len(moving):
        return 0.0
    return float(np.minimum(some, FAR * np.quantile(moving, 0.5, method="lower")).mean())


def covered(actual: Floats, lo: Floats, hi: Floats) -> Floats:
    """1 where an actual lies within its bounds, 0 where not, NaN where nobody knows."""
    return np.asarray(np.where(np.isnan(actual + lo + hi), np.nan, (actual >= lo) & (actual <= hi)))


def to_json(calibration: Calibration) -> list[dict[str, Any]]:
    """Say a calibration as JSON can hold it."""
    return [{"size": SIZES[size], "block": block, **asdict(pool)} for (size, block), pool in calibration.items()]


def from_json(pools: list[dict[str, Any]]) -> Calibration:
    """Read what `to_json` wrote."""
    return {
        (SIZES.index(pool["size"]), int(pool["block"])): Pool(
            bounds={level: (float(lo), float(hi)) for level, (lo, hi) in pool["bounds"].items()},
            mean=float(pool["mean"]),
            square=float(pool["square"]),
        )
        for pool in pools
    }


def _pools(held: HeldOut) -> dict[tuple[int, int], Callable[[tuple[int, int], Misses], Pool]]:
    residual = _residuals(held)
    blocks = np.broadcast_to(_blocks(residual.shape[2]), residual.shape)
    sizes = np.broadcast_to(held.nature.size[:, :, None], residual.shape)
    known, furthest = np.isfinite(residual), int(blocks.max(initial=0))
    found: dict[tuple[int, int], Floats] = {}
    for size, block in np.ndindex(len(SIZES), furthest + 1):
        step = known & (blocks == block)
        pool = next((pool for pool in (step & (sizes == size), step, known) if pool.sum() >= MIN_POOL), None)
        found[size, block] = np.zeros(0) if pool is None else np.sort(residual[pool])
    return {
        (size, block): partial(_say, found[size, min(block, furthest)])
        for size, block in np.ndindex(len(SIZES), len(BLOCK_ENDS) + 1)
    }


def _say(residual: Floats, _key: tuple[int, int], misses: Misses) -> Pool:
    return _pool(residual, misses) if len(residual) else UNKNOWN


def _residuals(held: HeldOut) -> Floats:
    return np.asarray((_root(held.actual) - _root(held.point)) / held.nature.spread[:, :, None])


def _misses(held: HeldOut) -> list[Misses]:
    """Find, by size, the largest share that bounds may miss so that folds left out are still covered as promised."""
    plain = [{level: 1 - share for level, share in LEVELS.items()} for _ in SIZES]
    count = len(held.point)
    if count < MIN_FOLDS:
        return plain
    inside = {(size, level): np.zeros((2, len(WIDER))) for size in range(len(SIZES)) for level in LEVELS}
    residual, blocks = _residuals(held), _blocks(held.point.shape[2])
    for fold in range(count):
        for (size, block), pool in _pools(held.folds([other for other in range(count) if other != fold])).items():
            left = residual[fold][held.nature.size[fold] == size][:, blocks == block].ravel()
            left = left[np.isfinite(left)]
            for column, factor in enumerate(WIDER if len(left) else ()):
                said = pool((size, block), {level: (1 - share) * factor for level, share in LEVELS.items()})
                for level, (lo, hi) in said.bounds.items():
                    within = (left >= min(lo, 0.0)) & (left <= max(hi, 0.0))
                    inside[size, level][:, column] += within.sum(), len(left)
    for (size, level), (within, total) in inside.items():
        enough = np.flatnonzero(within >= LEVELS[level] * total)
        if total[0] >= MIN_POOL:
            plain[size][level] *= WIDER[enough[0]] if len(enough) else WIDER[-1]
    return plain


def _pool(residual: Floats, misses: Misses) -> Pool:
    bounds = {level: _quantiles(residual, miss=miss) for level, miss in misses.items()}
    # A week of a million among weeks of ten would be the mean of every series in the pool.
    near = np.clip(residual, -FAR, FAR)
    return Pool(bounds=bounds, mean=float(near.mean()), square=float((near**2).mean()))


def _quantiles(ordered: Floats, *, miss: float) -> tuple[float, float]:
    count = len(ordered)
    lo = float(ordered[int(np.floor(miss / 2 * (count - 1)))])
    # Zeros tie: fewer may be below the lower bound than it allows for, and the upper one makes up for it.
    below = float(np.searchsorted(ordered, lo, side="left")) / count
    # (n + 1) / n: the bound must hold for one more residual, not only for those at hand (Vovk et al. 2005).
    share = min(1.0, (1 - (miss - below)) * (count + 1) / count)
    return lo, float(ordered[int(np.ceil(share * (count - 1)))])


def _cells(calibration: Calibration, size: Ints, blocks: Ints) -> Iterator[tuple[Pool, NDArray[np.bool_]]]:
    for (one_size, block), pool in calibration.items():
        yield pool, (size[:, None] == one_size) & (blocks == block)


def _spread(roots: Floats) -> Floats:
    weeks = np.isfinite(roots).sum(axis=-1)
    own = np.sqrt(scores.mean((roots - scores.mean(roots)[:, None]) ** 2))
    everyone = usual(own)
    shared = (weeks * np.nan_to_num(own) + PRIOR_WEEKS * everyone) / (weeks + PRIOR_WEEKS)
    return np.asarray(np.maximum(shared, MIN_SPREAD))


def _blocks(steps: int) -> Ints:
    return np.asarray(np.searchsorted(BLOCK_ENDS, np.arange(1, steps + 1), side="left"))


def _root(count: Floats) -> Floats:
    return np.asarray(np.sqrt(count + _ANSCOMBE))


def _count(root: Floats) -> Floats:
    return np.asarray(np.maximum(np.maximum(root, 0.0) ** 2 - _ANSCOMBE, 0.0))
