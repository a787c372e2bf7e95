"""What stands in for a week of which hardly anything was seen."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WEEKS: Final = 13


def fill(values: Floats, unseen: NDArray[np.bool_]) -> Floats:
    """Put a typical week into [series, week] where nothing is known, in order: what was put before counts."""
    for week in np.flatnonzero(unseen.any(axis=0)).tolist():
        rows = np.flatnonzero(unseen[:, week])
        values[rows, week] = typical(values[rows], week)
    return values


def typical(weeks: Floats, at: int) -> Floats:
    """Return the median of the weeks before one of them or, at a series' beginning, of those after, [series]; 0 where none is known."""
    before = weeks[:, max(0, at - WEEKS) : at]
    begun = np.isfinite(before).any(axis=1)
    found = np.zeros(len(weeks))
    if begun.any():
        found[begun] = np.nanmedian(before[begun], axis=1)
    for row in np.flatnonzero(~begun):
        after = weeks[row, at + 1 :]
        near = after[np.isfinite(after)][:WEEKS]
        found[row] = np.median(near) if len(near) else 0.0
    return np.asarray(np.floor(found + 0.5))
