"""Bounds and a mean for a family used on its own, from what it missed by on its own past. A release calibrates more carefully.

Errors are those of the root of the counts, whose noise hardly depends on their level (Anscombe 1948), in units of each
series' spread, pooled over all series that were fitted together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ratchet.contracts.forecaster import Floats, Known, Learned

STEPS = 13
_YEAR = 52
_MIN_WEEKS = 13
_MIN_SPREAD = 0.05
_ANSCOMBE = 3 / 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Residuals of a backtest, sorted; empty where the past was too short to try anything on it."""

    residuals: Floats

    def around(self, median: Floats, values: Floats, levels: Sequence[int]) -> dict[str, Floats]:
        """Return `mean`, `lo_<level>` and `hi_<level>`, [series, step], around a median; nothing below 0."""
        # Nothing known of its errors: as if they were normal, and a third of the residuals a spread away.
        pool = self.residuals if len(self.residuals) else np.array([-2.0, -1.3, -0.7, 0.0, 0.7, 1.3, 2.0])
        root, spread = np.sqrt(median + _ANSCOMBE), _spread(values)[:, None]
        mean = median + 2 * root * spread * pool.mean() + spread**2 * (pool**2).mean()
        answer = {"mean": np.maximum(np.where(spread > 0, mean, median), 0.0)}
        for level in levels:
            lo, hi = np.quantile(pool, [(1 - level / 100) / 2, (1 + level / 100) / 2])
            answer[f"lo_{level}"] = np.minimum(_count(root + spread * lo), median)
            answer[f"hi_{level}"] = np.maximum(_count(root + spread * hi), median)
        return answer


def backtest(learn: Callable[[Known], Learned], known: Known) -> Bounds:
    """Forecast the last weeks from the weeks before them, once for all series."""
    cutoff = max(known.counts.shape[1] - STEPS, 0)
    rows = np.flatnonzero(np.isfinite(known.counts[:, :cutoff]).sum(axis=1) >= _MIN_WEEKS)
    if not len(rows):
        return Bounds(residuals=np.zeros(0))
    shown = known.only(rows).until(cutoff)
    error = _root(known.counts[rows, cutoff:]) - _root(learn(shown).forecast(shown, horizon=STEPS))
    spread = _spread(shown.counts)[:, None]
    pooled = (error / np.where(spread > 0, spread, np.nan)).ravel()
    return Bounds(residuals=np.sort(pooled[np.isfinite(pooled)]))


def _spread(values: Floats) -> Floats:
    roots = _root(values[:, -_YEAR:])
    known = np.isfinite(roots).sum(axis=1)
    centre = np.nansum(roots, axis=1) / known
    own = np.sqrt(np.nansum((roots - centre[:, None]) ** 2, axis=1) / known)
    return np.asarray(np.where(own > 0, np.maximum(own, _MIN_SPREAD), 0.0))


def _root(counts: Floats) -> Floats:
    return np.asarray(np.sqrt(counts + _ANSCOMBE))


def _count(roots: Floats) -> Floats:
    return np.asarray(np.maximum(np.maximum(roots, 0.0) ** 2 - _ANSCOMBE, 0.0))
