"""The part of bounds that is a series' own: quantiles of its recent weeks, whatever was forecast."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet import recent

Floats = NDArray[np.float64]

HALF_LIFE: Final = 26
WEEKS: Final = 156


def ends(values: Floats, levels: Iterable[float]) -> Floats:
    """Return the lower and the upper end of each level in turn, as counts, [series, end]."""
    shares = tuple(share for level in levels for share in ((1 - level) / 2, (1 + level) / 2))
    return recent.quantiles(values[:, -WEEKS:], half_life=HALF_LIFE, shares=shares)
