"""From a typical week to a mean and to bounds that mean what they say, learnt from held-out residuals.

A residual is the error of the square root of the count (Anscombe 1948: its noise hardly depends on the count's level),
in units of the series' own spread over its last year. Residuals are pooled over series of one size and over a block of
steps; a pool that is too small borrows from the other sizes. The pool's part of the bounds are its quantiles around the point.
Where nothing falls below the lower one, because it is 0, the upper one may be missed more often: it is the interval
that covers 80 or 95 %, not each of its ends. The other parts, and how bounds are stretched: `blend.py`.

Median and mean are two answers. The median is the family's point forecast, a typical week. The mean is what sums of
weeks want: the point corrected by the pool's mean and mean square, because the square of (root + spread x residual) is
on average root^2 + 2 x root x spread x mean + spread^2 x mean square (Duan 1983).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ratchet import scores
from ratchet.blocks import blocks
from ratchet.train import blend
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
PRIOR_WEEKS = 26
"""A series' own spread counts with its weeks of the last year, the mean of all series with this many."""
MIN_SPREAD = 0.05
"""About that of a series with one event in two years: less cannot be told from silence, and would divide by nothing."""
FAR = 10.0
"""One series says no more of the others: a week counts as so many spreads away at most, a spread as so many times a usual one."""
AT_A_TIME = 1024
"""What leads to the bounds of so many series takes thirty times the room of the forecasts that they are for."""
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

    def part(self, chosen: int | slice) -> Self:
        """Keep one fold, or some; of one fold: some of the series."""
        own = None if self.own is None else self.own[chosen]
        return type(self)(size=self.size[chosen], spread=self.spread[chosen], own=own)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Forecasts and actuals of held-out weeks, [fold, series, step], and the nature at each cutoff, [fold, series].

    `cutoffs` are the folds' own, in weeks, oldest first; without them no fold is taken to share a week with another.
    `told` are bounds that a family told of just these weeks, [fold, end, series, step] as `fit.ENDS` has them.
    """

    point: Floats
    actual: Floats
    nature: Nature
    cutoffs: tuple[int, ...] = ()
    told: Floats | None = None

    def folds(self, chosen: slice) -> Self:
        """Keep some of the folds, as they lie there."""
        return type(self)(
            point=self.point[chosen],
            actual=self.actual[chosen],
            nature=self.nature.part(chosen),
            cutoffs=self.cutoffs[chosen],
            told=None if self.told is None else self.told[chosen],
        )

    def before(self, fold: int) -> Self:
        """Keep what was known at a fold's cutoff: the folds before it, and of those no week after it."""
        earlier = self.folds(slice(fold))
        if not self.cutoffs:
            return earlier
        weeks = np.array(earlier.cutoffs)[:, None] + np.arange(self.actual.shape[2])
        return replace(earlier, actual=np.where((weeks < self.cutoffs[fold])[:, None, :], earlier.actual, np.nan))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What one pool of residuals says: lower and upper quantile per level, mean, mean square, and how far bounds are stretched."""

    bounds: dict[str, tuple[float, float]]
    mean: float
    square: float
    stretch: dict[str, float] = field(default_factory=lambda: dict.fromkeys(LEVELS, 1.0))
    """By level; in releases of before the pool's own bounds were widened, and nothing else."""


Calibration = dict[tuple[int, int], Pool]
"""(size, block of steps) to what its pool says; every pair is there."""

UNKNOWN = Pool(bounds={"80": (-1.282, 1.282), "95": (-1.960, 1.960)}, mean=0.0, square=0.0)
"""For want of residuals: as if they were normal and the forecast unbiased."""


def describe(values: Floats) -> Nature:
    """Tell the nature of each series from its last year, [series, week] with NaN before its first week."""
    year = values[:, -YEAR:]
    return Nature(size=sizes(year), spread=_spread(_root(year)), own=_root(of_series.ends(values, LEVELS.values())))


def sizes(year: Floats) -> Ints:
    """Tell the size of each series, an index into `SIZES`, from some weeks of it, NaN where there is none."""
    zeros = scores.mean(np.where(np.isnan(year), np.nan, year == 0))
    return np.where(scores.mean(year) >= _BUSY, 0, np.where(zeros >= _MANY_ZEROS, 2, 1))


def learn(held: HeldOut) -> Calibration:
    """Make a pool for every size and block; beyond the held-out steps, forecasts are taken to be as wrong as there.

    Weeks of one fold are wrong together, so a pool of few folds looks narrower than what comes. How far each size's bounds are
    stretched is what folds left out of the pools have needed.
    """
    residual = _residuals(held)
    stretch = _stretch(held, residual)
    return {key: replace(pool, stretch=stretch[key[0]]) for key, pool in gather(residual, held.nature.size).items()}


def apply(calibration: Calibration, *, point: Floats, nature: Nature, told: Floats | None = None) -> dict[str, Floats]:
    """Make every statistic of a release as [series, step]: bounds in order, the median within them, nothing below 0.

    `told` are a family's own bounds, [end, series, step]; without them their part is the pool's.
    """
    answer: dict[str, Floats] = {}
    for rows in blocks(len(point), size=AT_A_TIME):
        part = None if told is None else told[:, rows]
        for name, values in _apply(calibration, point[rows], nature.part(rows), part).items():
            answer.setdefault(name, np.empty(point.shape))[rows] = values
    return answer


def _apply(calibration: Calibration, point: Floats, nature: Nature, told: Floats | None) -> dict[str, Floats]:
    root, spread = _root(point), nature.spread[:, None]
    cells = _Cells(calibration, nature.size, point.shape[1])
    second = spread**2 * cells.of(lambda pool: pool.square) + 2 * root * spread * cells.of(lambda pool: pool.mean)
    answer = {"median": point, "mean": np.maximum(point + second, 0.0)}
    factor = cells.of(lambda pool: np.repeat([pool.stretch[level] for level in LEVELS], 2))
    around = root[:, :, None]
    blended = _blended(calibration, point=point, nature=nature, told=told)
    ends = _count(blend.enclose(around + factor * (blended - around), root))
    for column, level in enumerate(LEVELS):
        answer[f"lo_{level}"] = np.minimum(ends[:, :, 2 * column], point)
        answer[f"hi_{level}"] = np.maximum(ends[:, :, 2 * column + 1], point)
    return answer


def usual(spreads: Floats) -> float:
    """Average the spreads of all series, so that a huge one hardly counts more than the others; 0 where none is known."""
    some = spreads[np.isfinite(spreads)]
    moving = some[some > 0]
    if not len(moving):
        return 0.0
    return float(np.minimum(some, FAR * np.quantile(moving, 0.5, method="lower")).mean())


def gather(residual: Floats, size_of: Ints) -> Calibration:
    """Pool residuals, [fold, series, step], by the size of each series then, [fold, series], and by block of steps."""
    blocks = np.broadcast_to(_blocks(residual.shape[2]), residual.shape)
    sizes = np.broadcast_to(size_of[:, :, None], residual.shape)
    known, furthest = np.isfinite(residual), int(blocks.max(initial=0))
    found: Calibration = {}
    for size, block in np.ndindex(len(SIZES), furthest + 1):
        step = known & (blocks == block)
        pool = next((pool for pool in (step & (sizes == size), step, known) if pool.sum() >= MIN_POOL), None)
        found[size, block] = UNKNOWN if pool is None else _pool(np.sort(residual[pool]))
    return {
        (size, block): found[size, min(block, furthest)] for size, block in np.ndindex(len(SIZES), len(BLOCK_ENDS) + 1)
    }


def _residuals(held: HeldOut) -> Floats:
    return np.asarray((_root(held.actual) - _root(held.point)) / held.nature.spread[:, :, None])


def _blended(calibration: Calibration, *, point: Floats, nature: Nature, told: Floats | None) -> Floats:
    """Roots of the bounds, [series, step, end], before they are stretched."""
    root, spread = _root(point)[:, :, None], nature.spread[:, None, None]
    cells = _Cells(calibration, nature.size, point.shape[1])
    bounds = cells.of(lambda pool: [bound for level in LEVELS for bound in pool.bounds[level]])
    pooled = np.maximum(root + spread * bounds, 0.0)
    own = None if nature.own is None else nature.own[:, None, :]
    family = None if told is None else _root(np.moveaxis(told, 0, -1))
    return blend.enclose(blend.blend(pooled, own, family), root[:, :, 0])


def _stretch(held: HeldOut, residual: Floats) -> list[dict[str, float]]:
    """Find, by size and level, how far to stretch the bounds so that folds left out of the pools are covered as promised."""
    found = [dict.fromkeys(LEVELS, 1.0) for _ in SIZES]
    folds = range(len(held.point))
    if len(folds) < MIN_FOLDS:
        return found
    needed = np.full((*held.point.shape, len(LEVELS)), np.nan)
    for fold in folds:
        others = np.arange(len(folds)) != fold
        point, told = held.point[fold], None if held.told is None else held.told[fold]
        pools = gather(residual[others], held.nature.size[others])
        for rows in blocks(len(point), size=AT_A_TIME):
            part = None if told is None else told[:, rows]
            ends = _blended(pools, point=point[rows], nature=held.nature.part(fold).part(rows), told=part)
            actual = _root(held.actual[fold, rows])
            needed[fold, rows] = blend.needed(ends, point=_root(point[rows]), actual=actual)
    for size, column in np.ndindex(len(SIZES), len(LEVELS)):
        level = list(LEVELS)[column]
        some = needed[..., column][held.nature.size == size]
        some = some[~np.isnan(some)]
        if len(some) >= MIN_POOL:
            found[size][level] = blend.stretch(some, LEVELS[level])
    return found


def _pool(residual: Floats) -> Pool:
    bounds = {level: _quantiles(residual, miss=1 - share) for level, share in LEVELS.items()}
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


class _Cells:
    """Which pool each series asks at each step."""

    def __init__(self, calibration: Calibration, size: Ints, steps: int) -> None:
        self._pools = [[calibration[size, block] for block in range(len(BLOCK_ENDS) + 1)] for size in range(len(SIZES))]
        self._places = size[:, None], _blocks(steps)

    def of(self, figure: Callable[[Pool], Any]) -> Floats:
        """What those pools say, [series, step], or [series, step, …] where it is more than one figure."""
        return np.array([[figure(pool) for pool in row] for row in self._pools], dtype=np.float64)[self._places]


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
