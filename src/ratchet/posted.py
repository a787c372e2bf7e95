"""A forecast from a posted history alone, calibrated in training and answered in serving with the same functions.

The point is the level of the root of the counts, recent weeks counting most, and it stays: a short history of unknown origin
says little about trend or season. The bounds are what forecasts of this kind missed by on series of the release of which no more
was looked at than so many weeks, and of the same size, in units of the history's spread (`train.calibrate` says why the root).
So how little few weeks say, of the level and of the spread, is in them. Between two lengths that were measured lie all others,
by how uncertain their level is.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FAMILY: Final = "level"
HALF_LIFE_WEEKS: Final = 6.0
YEAR: Final = 52
MIN_SPREAD: Final = 0.05
PRIOR_WEEKS_BEFORE: Final = 26
"""Of releases that did not say it."""
SIZES: Final = ("busy", "mid", "sparse")
BUSY: Final = 10.0
MANY_ZEROS: Final = 0.3
BLOCK_ENDS: Final = (4, 13)
ANSCOMBE: Final = 3 / 8
BOUNDS: Final = ("lo_80", "hi_80", "lo_95", "hi_95")
ABOVE: Final = ("mean", "square")


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """What a release knows of how wrong a level is: the usual spread, and what pools of residuals say, by size.

    `bounds` are [length of history, block of steps, bound], squared with their sign; `unsure` is the `uncertainty` of each length,
    the longest first. `above` are mean and mean square of a residual after a year, [block of steps, figure]. The usual spread counts with
    `prior_weeks` beside the weeks that were posted.
    """

    spread: float
    prior_weeks: float
    unsure: Floats
    bounds: Mapping[str, Floats]
    above: Mapping[str, Floats]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what `train.unseen.learn` wrote; a `KeyError` or `ValueError` if it is something else."""
        lengths = {YEAR: _read(values["pools"], BOUNDS)}
        if shorter := values.get("shorter"):
            lengths |= {int(weeks): _read(pools, BOUNDS) for weeks, pools in shorter.items()}
        else:  # a release of before shorter ones were measured: to one week's bounds its level's own error is added
            wider = math.sqrt(2 / (1 + uncertainty(np.zeros(YEAR))))
            lengths[1] = {size: wider * bounds for size, bounds in lengths[YEAR].items()}
        order = sorted(lengths, reverse=True)
        return cls(
            spread=float(values["spread"]),
            prior_weeks=float(values.get("prior_weeks", PRIOR_WEEKS_BEFORE)),
            unsure=np.array([uncertainty(np.zeros(weeks)) for weeks in order]),
            bounds={size: _squared(np.array([lengths[weeks][size] for weeks in order])) for size in SIZES},
            above=_read(values["pools"], ABOVE),
        )

    def reach(self, size: str, unsure: float) -> Floats:
        """Tell how many spreads off the bounds are of histories whose level is as uncertain, [block of steps, bound]."""
        after = int(np.clip(np.searchsorted(self.unsure, unsure), 1, len(self.unsure) - 1))
        less, more = self.unsure[after - 1 : after + 1]
        share = (unsure - less) / (more - less)
        squares = (1 - share) * self.bounds[size][after - 1] + share * self.bounds[size][after]
        return np.asarray(np.sign(squares) * np.sqrt(np.abs(squares)))


def level(values: Floats) -> Floats:
    """Return the level of each history along the last axis, newest week last; NaN is a week that nobody knows."""
    roots = np.sqrt(values[..., -YEAR:] + ANSCOMBE)
    mean = (np.nan_to_num(roots) * _weights(roots)).sum(axis=-1)
    return np.asarray(np.maximum(mean**2 - ANSCOMBE, 0.0))


def uncertainty(values: Floats) -> float:
    """Return the variance of a history's level, in those of a week: 1 for one week, .06 for a year of them."""
    return float((_weights(values[-YEAR:]) ** 2).sum())


def spreads(values: Floats) -> Floats:
    """Return the spread of the root of the counts over the last year, per history; NaN where no week is known."""
    roots = np.sqrt(values[..., -YEAR:] + ANSCOMBE)
    known = np.isfinite(roots)
    weeks = np.where(known.any(axis=-1), known.sum(axis=-1), np.nan)
    centre = np.nansum(roots, axis=-1) / weeks
    return np.asarray(np.sqrt(np.nansum((roots - centre[..., None]) ** 2, axis=-1) / weeks))


def spread_of(own: Floats, weeks: int, *, usual: float, prior_weeks: float) -> Floats:
    """Return the spread that histories of so many known weeks are taken to have: their own, beside the usual one."""
    return np.asarray(np.maximum((weeks * own + prior_weeks * usual) / (weeks + prior_weeks), MIN_SPREAD))


def forecast(values: Floats, horizon: int, yardstick: Yardstick) -> dict[str, list[float]]:
    """Forecast one history of at least one known week: every statistic of a release, week by week, bounds in order."""
    year = values[-YEAR:]
    known = year[np.isfinite(year)]
    point = float(level(values))
    root = np.sqrt(point + ANSCOMBE)
    spread = spread_of(spreads(known), len(known), usual=yardstick.spread, prior_weeks=yardstick.prior_weeks)
    size, unsure = size_of(known), uncertainty(year)
    blocks = np.searchsorted(BLOCK_ENDS, np.arange(1, horizon + 1))
    mean, square = yardstick.above[size][blocks].T
    # Roots of fewer weeks were averaged, so their mean leans less to the low side; one week is its own mean.
    leans = (1 - unsure) / (1 - uncertainty(np.zeros(YEAR)))
    more = leans * (spread**2 * square + 2 * root * spread * mean)
    answer = {"median": np.full(horizon, point), "mean": np.maximum(point + more, 0.0)}
    ends = _count(root + spread * yardstick.reach(size, unsure)[blocks])
    for name, end in zip(BOUNDS, ends.T, strict=True):
        outward = np.minimum if name.startswith("lo") else np.maximum
        # The two levels are learnt apart: the wider one encloses the narrower one all the same.
        inner = answer.get(name.replace("95", "80"), answer["median"])
        answer[name] = outward(end, inner)
    return {name: weeks.tolist() for name, weeks in answer.items()}


def size_of(known: Floats) -> str:
    """Name the size class of a history, as training does."""
    if known.mean() >= BUSY:
        return "busy"
    return "sparse" if (known == 0).mean() >= MANY_ZEROS else "mid"


def _weights(weeks: Floats) -> Floats:
    """What each known week counts, along the last axis, together 1; NaN where none is known."""
    age = np.arange(weeks.shape[-1])[::-1]
    weight = np.where(np.isnan(weeks), 0.0, 0.5 ** (age / HALF_LIFE_WEEKS))
    total = weight.sum(axis=-1, keepdims=True)
    return np.asarray(weight / np.where(total == 0, np.nan, total))


def _count(roots: Floats) -> Floats:
    return np.asarray(np.maximum(np.maximum(roots, 0.0) ** 2 - ANSCOMBE, 0.0))


def _read(pools: Mapping[str, Any], figures: tuple[str, ...]) -> dict[str, Floats]:
    read = {size: np.array([[pool[name] for name in figures] for pool in pools[size]], dtype=float) for size in SIZES}
    if {len(blocks) for blocks in read.values()} != {len(BLOCK_ENDS) + 1}:
        raise ValueError("pools are missing")
    return read


def _squared(bounds: Floats) -> Floats:
    return np.asarray(bounds * np.abs(bounds))
