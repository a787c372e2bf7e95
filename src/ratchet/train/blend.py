"""What a bound is made of, on the scale of roots, and how far it is stretched so that it means what it says.

A pool knows how wrong forecasts are, a series how it is unlike others of its size, and a family with bounds of its own what is unlike
other weeks about these. On activity the average of all three is better than each, and than any two.

Such an average is as wide as its parts, not as wide as was promised. So it is stretched, or drawn in, around the point by as much as weeks
of folds left out have needed (a conformal factor: Vovk et al. 2005; Romano, Patterson & Candes 2019).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PART: Final = 1 / 3
"""How much of a bound is the series' own, and how much the family's; all else is the pool's."""
MOST: Final = 2.0
"""What would have to be stretched by more, or by less than its inverse, is not for want of width."""
TRUST: Final = 0.5
"""Half of what a handful of folds ask for, in ratio: weeks of one fold are wrong together, so they say less than they are."""


def blend(pooled: Floats, *others: Floats | None) -> Floats:
    """Average, [..., end]; where another is not known, its part is the pool's."""
    blended = pooled.copy()
    for other in others:
        if other is not None:
            blended += PART * np.where(np.isnan(other), 0.0, other - pooled)
    return blended


def enclose(ends: Floats, point: Floats) -> Floats:
    """Have the narrowest bounds enclose the point, and every wider ones those: lower and upper end of each level in turn, [..., end]."""
    enclosed = np.empty_like(ends)
    inner = [point, point]
    for column in range(0, ends.shape[-1], 2):
        inner = [np.minimum(ends[..., column], inner[0]), np.maximum(ends[..., column + 1], inner[1])]
        enclosed[..., column], enclosed[..., column + 1] = inner
    return enclosed


def needed(ends: Floats, *, point: Floats, actual: Floats) -> Floats:
    """Return how far each level's bounds must be stretched to reach what happened, [..., level]; NaN where nobody knows."""
    off = actual - point
    sides = np.where((off < 0)[..., None], ends[..., ::2], ends[..., 1::2]) - point[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.abs(off[..., None] / sides)
    return np.asarray(np.where(off[..., None] == 0, 0.0, factor))


def stretch(factors: Floats, share: float) -> float:
    """Return how far to stretch so that `share` of the weeks that needed these factors are covered, as far as they can be trusted."""
    ordered = np.sort(factors)
    # (n + 1) / n: the bound must hold for one more week, not only for those at hand.
    place = int(np.ceil(share * (len(ordered) + 1))) - 1
    factor = ordered[min(place, len(ordered) - 1)]
    return float(np.clip(factor, 1 / MOST, MOST) ** TRUST)
