"""A forecast from a posted history alone, calibrated in training and answered in serving with the same functions.

The point is the level of the root of the counts, recent weeks counting most, and it stays: a short history of unknown origin
says little about trend or season. The bounds are what forecasts of this kind missed by on the release's own held-out weeks, in
series of the same size, in units of the history's spread (`train.calibrate` says why the root). There a year was known. Of fewer
weeks the level itself is uncertain: its error is added to theirs. And it leans less to the low side, because roots of fewer weeks were
averaged, so the mean is corrected by less; one week alone is its own mean.
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
PRIOR_WEEKS: Final = 26
MIN_SPREAD: Final = 0.05
BUSY: Final = 10.0
MANY_ZEROS: Final = 0.3
BLOCK_ENDS: Final = (4, 13)
ANSCOMBE: Final = 3 / 8
BOUNDS: Final = ("lo_80", "hi_80", "lo_95", "hi_95")


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """What a release knows of how wrong a level is: residual pools by size and block of steps, and the usual spread."""

    spread: float
    pools: Mapping[str, tuple[Mapping[str, float], ...]]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what `train.unseen.learn` wrote; a `KeyError` or `ValueError` if it is something else."""
        pools = {
            size: tuple({name: float(pool[name]) for name in (*BOUNDS, "mean", "square")} for pool in blocks)
            for size, blocks in values["pools"].items()
        }
        if set(pools) != {"busy", "mid", "sparse"} or {len(blocks) for blocks in pools.values()} != {
            len(BLOCK_ENDS) + 1
        }:
            raise ValueError("pools are missing")
        return cls(spread=float(values["spread"]), pools=pools)


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


def forecast(values: Floats, horizon: int, yardstick: Yardstick) -> dict[str, list[float]]:
    """Forecast one history of at least one known week: every statistic of a release, week by week, bounds in order."""
    year = values[-YEAR:]
    known = year[np.isfinite(year)]
    point = float(level(values))
    root = float(np.sqrt(point + ANSCOMBE))
    spread = _spread(known, yardstick.spread)
    blocks = np.searchsorted(BLOCK_ENDS, np.arange(1, horizon + 1), side="left")
    steps = [yardstick.pools[size_of(known)][block] for block in blocks.tolist()]
    unsure, usual = uncertainty(year), uncertainty(np.zeros(YEAR))
    leans, wide = (1 - unsure) / (1 - usual), spread * math.sqrt((1 + unsure) / (1 + usual))
    above = [leans * (spread**2 * step["square"] + 2 * root * spread * step["mean"]) for step in steps]
    answer = {"median": [point] * horizon, "mean": [max(point + more, 0.0) for more in above]}
    for name in BOUNDS:
        outward = min if name.startswith("lo") else max
        # Each level is stretched by a factor of its own: the wider ones enclose the narrower ones all the same.
        inner = answer.get(name.replace("95", "80"), answer["median"])
        answer[name] = [
            outward(_count(root + wide * step[name]), near) for step, near in zip(steps, inner, strict=True)
        ]
    return answer


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


def _spread(known: Floats, shared: float) -> float:
    own = float(spreads(known))
    return max((len(known) * own + PRIOR_WEEKS * shared) / (len(known) + PRIOR_WEEKS), MIN_SPREAD)


def _count(root: float) -> float:
    return max(max(root, 0.0) ** 2 - ANSCOMBE, 0.0)
