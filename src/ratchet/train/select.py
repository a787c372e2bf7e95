"""Choose a family for each series, without believing a handful of folds too much.

Picking each series' winner on few folds loses 3 to 5 % to one family for all. So each series' relative score is shrunk
toward the family's mean over all series (the idea of James & Stein 1961): with n folds, the series' own record weighs
n / (n + PRIOR_FOLDS).
"""

import numpy as np
from numpy.typing import NDArray

from ratchet.scores import mean

Floats = NDArray[np.float64]

PRIOR_FOLDS = 12
"""With six folds a series' own record weighs a third, the global ranking two thirds."""


def pick(mase: Floats, *, prior_folds: float = PRIOR_FOLDS) -> NDArray[np.intp]:
    """Pick each series' best family by shrunk score, [family, series, fold] to [series]; the first of equals."""
    return np.asarray(np.argmin(shrunk(mase, prior_folds=prior_folds), axis=0))


def shrunk(mase: Floats, *, prior_folds: float = PRIOR_FOLDS) -> Floats:
    """Shrink relative errors to [family, series]; a series without a score gets the global one."""
    own = relative(mase)
    overall = mean(own)
    # Nothing known of any series: every family is as good as the others.
    overall = np.where(np.isnan(overall), 1.0, overall)[:, None]
    folds = np.sum(np.isfinite(mase).all(axis=0), axis=-1)
    weight = folds / (folds + prior_folds) if prior_folds > 0 else np.ones(len(folds))
    return np.where(np.isnan(own), overall, weight * np.nan_to_num(own) + (1 - weight) * overall)


def relative(mase: Floats) -> Floats:
    """Divide a family's mean error by that of all families, [family, series], so that every series counts alike."""
    own = mean(mase)
    level = own.mean(axis=0)
    return np.where(level > 0, own / np.where(level > 0, level, 1.0), np.where(level == 0, 1.0, np.nan))
