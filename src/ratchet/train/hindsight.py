"""How the bounds would have done: folds answered with what was known at their cutoff, beside what happened."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ratchet import scores
from ratchet.train.calibrate import LEVELS, SIZES, HeldOut, apply, learn

Floats = NDArray[np.float64]


def answer_fold(held: HeldOut, fold: int) -> dict[str, Floats]:
    """Answer a fold as it would have been done then, from what was known at its cutoff: every statistic as [series, step]."""
    told = None if held.told is None else held.told[fold]
    return apply(learn(held.before(fold)), point=held.point[fold], nature=held.nature.part(fold), told=told)


def rehearse(held: HeldOut) -> dict[str, Floats]:
    """Answer the newer half of the folds as it would have been done then, from what was known at each cutoff.

    Every statistic as [fold, series, step], of those folds alone; empty where there is but one, which nobody could have answered yet.
    """
    first, answer = max(1, len(held.point) // 2), dict[str, Floats]()
    for fold in range(first, len(held.point)):
        for name, values in answer_fold(held, fold).items():
            answer.setdefault(name, np.empty(held.point[first:].shape))[fold - first] = values
    return answer


def achieved(held: HeldOut, answer: Mapping[str, Floats]) -> dict[str, float]:
    """Measure the coverage of what `rehearse` answered: by level, by level and size, and by level and step."""
    shares: dict[str, float] = {}
    newest = held.folds(slice(-len(answer["median"]), None)) if answer else held
    for level in LEVELS if answer else ():
        inside = covered(newest.actual, answer[f"lo_{level}"], answer[f"hi_{level}"])
        shares[level] = float(scores.mean(inside.ravel()))
        for size, name in enumerate(SIZES):
            shares[f"{level}/{name}"] = float(scores.mean(inside[newest.nature.size == size].ravel()))
        for step in {0, 3, 7, 12, inside.shape[2] - 1} & set(range(inside.shape[2])):
            shares[f"{level}/step {step + 1}"] = float(scores.mean(inside[:, :, step].ravel()))
    return {name: round(share, 4) for name, share in shares.items() if np.isfinite(share)}


def covered(actual: Floats, lo: Floats, hi: Floats) -> Floats:
    """1 where an actual lies within its bounds, 0 where not, NaN where nobody knows."""
    return np.asarray(np.where(np.isnan(actual + lo + hi), np.nan, (actual >= lo) & (actual <= hi)))
