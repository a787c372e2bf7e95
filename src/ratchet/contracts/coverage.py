"""Weeks that were seen in part: a count of half a week is not a quiet week."""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

COVERAGE: Final = "coverage"
"""The column that says how much of a week was seen, where a workload can tell."""
LEAST_SEEN: Final = 0.25

Floats = NDArray[np.float64]


def seen(frame: "pd.DataFrame") -> Floats:
    """How much of each row's week was seen, from 0 to 1; all of it where nothing is said of that."""
    if COVERAGE not in frame.columns:
        return np.ones(len(frame))
    return frame[COVERAGE].fillna(1.0).to_numpy(dtype=float)


def whole_counts(y: Floats, coverage: Floats) -> Floats:
    """Estimate what was counted in weeks that were seen in part, had they been seen whole; NaN where too little was seen."""
    estimate = np.rint(y / np.maximum(coverage, LEAST_SEEN))
    return np.asarray(np.where(coverage >= 1, y, np.where(coverage >= LEAST_SEEN, estimate, np.nan)))
