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


MIN_SERIES = 8
MARGIN = 0.01
"""A series leaves the family that is best over all only for one this much better after shrinking."""


def pick(
    mase: Floats, *, prior_folds: float = PRIOR_FOLDS, margin: float = MARGIN, home: int | None = None
) -> NDArray[np.intp]:
    """Pick each series' best family by shrunk score, [family, series, fold] to [series]; in doubt `home`, or the one best over all."""
    score = shrunk(mase, prior_folds=prior_folds)
    own, best = np.argmin(score, axis=0), _best(relative(mase)) if home is None else home
    clearly = score.min(axis=0, initial=np.inf) < (1 - margin) * score[best]
    return np.asarray(np.where(clearly, own, best))


def weigh(mase: Floats, *, least: float = PRIOR_FOLDS) -> float:
    """Return how many folds the overall ranking weighs, estimated: the noise of a fold over what series really differ by.

    The folds of one series share their noise more than is estimated here, so `least` is the least that is returned.
    """
    if not mase.size:
        return least
    level = mean(mase.transpose(1, 0, 2).reshape(mase.shape[1], -1))
    share = mase / np.where(level > 0, level, np.nan)[None, :, None]
    kept = np.isfinite(share).all(axis=(0, 2))
    differ = share[:, kept] - share[:, kept].mean(axis=0, keepdims=True)
    folds = differ.shape[2]
    if differ.shape[1] < MIN_SERIES or folds < 2:
        return least
    noise = float(differ.var(axis=2, ddof=1).mean())
    between = float(differ.mean(axis=2).var(axis=1, ddof=1).mean()) - noise / folds
    return max(least, noise / between) if between > 0 else np.inf


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


def _best(share: Floats) -> int:
    # By the median over series: one odd series must not speak for all.
    known = share[:, np.isfinite(share).all(axis=0)]
    return int(np.argmin(np.median(known, axis=1))) if known.size else 0
