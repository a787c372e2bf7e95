"""What stands in for a week of which hardly anything was seen."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

WEEKS: Final = 13


def typical(weeks: NDArray[np.float64], at: int) -> float:
    """Return the median of the weeks before one of them or, at a series' beginning, of those after; 0 where none is known."""
    before, after = weeks[max(0, at - WEEKS) : at], weeks[at + 1 :]
    near = before[np.isfinite(before)] if np.isfinite(before).any() else after[np.isfinite(after)][:WEEKS]
    return float(np.floor(np.median(near) + 0.5)) if len(near) else 0.0
