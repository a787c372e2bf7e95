"""The ensemble: the median of those families that deserve it, one set for all series, chosen by the folds to choose by.

A median of three or so different kinds of model is better than each (Petropoulos & Svetunkov 2020 found the same on M4); one
set for all series, because sets chosen per series win on noise. Every set of up to `MOST` families that beat naive is tried.
"""

from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet import scores
from ratchet.blocks import blocks
from ratchet.train.sample import sample
from ratchet.train.validation import Validation

Floats = NDArray[np.float64]

NAME: Final = "ensemble"
MOST: Final = 5
AMONG: Final = 7
ENOUGH: Final = 3
CLOSE: Final = 0.015
"""Sets this close cannot be told apart on a handful of folds; of those, one of three or more is the safer bet."""
SAMPLE: Final = 400
"""Series that sets are compared on: their order does not change with more."""
AT_A_TIME: Final = 1024
"""The median of so many series takes several times the room of what it is of."""


def deserving(validation: Validation, *, candidates: tuple[int, ...], naive: int | None) -> tuple[int, ...]:
    """Return the best set of families by their index; those that do not beat naive are left out, unless none does."""
    some = validation.only(sample(validation.scale.shape[1], most=SAMPLE))
    errors = _relative(some, some.forecasts)
    known = [index for index in candidates if np.isfinite(errors[index])]
    if not known:
        return candidates[:1]
    better = [index for index in known if naive is None or index == naive or errors[index] < errors[naive]]
    better = [index for index in better if index != naive] or known
    best = sorted(better, key=lambda index: errors[index])[:AMONG]
    sets = [members for size in range(1, min(MOST, len(best)) + 1) for members in combinations(best, size)]
    trials = np.array([_relative(some, median(some.forecasts, members)[None])[0] for members in sets])
    close = np.flatnonzero(trials <= np.nanmin(trials) * (1 + CLOSE)).tolist()
    return tuple(sorted(sets[min(close, key=lambda at: (-min(len(sets[at]), ENOUGH), trials[at]))]))


def median(forecasts: Floats, members: tuple[int, ...]) -> Floats:
    """Return the median of some families' forecasts, [family, …] to […]; NaN where they have none."""
    middle = np.empty(forecasts.shape[1:])
    for rows in blocks(forecasts.shape[-2], size=AT_A_TIME):
        some = (..., rows, slice(None))
        middle[some] = np.median(forecasts[some][list(members)], axis=0)
    return middle


def _relative(validation: Validation, forecasts: Floats) -> Floats:
    """Mean over series of the MASE relative to that of all families, [candidate]: every series counts alike."""
    mase = scores.mean(np.array([validation.mase_of(said) for said in forecasts]))
    level = scores.mean(scores.mean(validation.mase()).T)
    return scores.mean(mase / np.where(level > 0, level, np.nan))
