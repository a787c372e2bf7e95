"""The part of bounds that is a series' own: quantiles of its recent weeks, on the scale of roots, whatever was forecast.

Pools know how wrong forecasts are; a series knows how it is unlike others of its size. On activity the average of both is better than each.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet import recent

Floats = NDArray[np.float64]

SHARE: Final = 1 / 3
"""How much of a bound is the series' own."""
HALF_LIFE: Final = 26
WEEKS: Final = 156


def ends(values: Floats, levels: Iterable[float]) -> Floats:
    """Return the lower and the upper end of each level in turn, as counts, [series, end]."""
    shares = tuple(share for level in levels for share in ((1 - level) / 2, (1 + level) / 2))
    return recent.quantiles(values[:, -WEEKS:], half_life=HALF_LIFE, shares=shares)


def blend(pooled: Floats, own: Floats | None) -> Floats:
    """Average what a pool says with what the series itself says, if that is known."""
    return pooled if own is None else (1 - SHARE) * pooled + SHARE * own
