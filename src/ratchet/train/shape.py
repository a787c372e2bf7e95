"""What series are like, of the newest three years of log1p: it tells which settings are worth trying. Pure.

Strengths are 1 - var(rest) / var(rest + component), as Wang, Smith & Hyndman (2006) have them: the trend is a centred mean over a year, the
season two yearly Fourier pairs of what the trend leaves. What that many free figures explain of noise by chance is taken off.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.forecaster import Shape
from ratchet.forecasters import farima
from ratchet.train.panel import Panel

Floats = NDArray[np.float64]

WINDOW: Final = 156
YEAR: Final = 52
MIN_MEMORY: Final = 26
"""Weeks that d is told from at least; 0 with fewer."""
_HALF: Final = 26
_PAIRS: Final = 2
_TINY: Final = 1e-12


def describe(panel: Panel) -> Shape:
    """One figure per series: strengths are 0 where there are less than two years, or where nothing ever changes."""
    window = panel.values[:, -WINDOW:]
    known = np.isfinite(window)
    count = len(window)
    trend, seasonal, memory = np.zeros(count), np.zeros(count), np.zeros(count)
    lengths = known.sum(axis=1)
    for length in np.unique(lengths[lengths >= MIN_MEMORY]):
        rows = np.flatnonzero(lengths == length)
        logs = np.log1p(window[rows, -length:])
        moves = np.ptp(logs, axis=1) > 0
        rows, logs = rows[moves], logs[moves]
        if len(rows):
            memory[rows] = farima.estimate(logs).d
        if len(rows) and length >= 2 * YEAR:
            trend[rows], seasonal[rows] = _strengths(logs)
    return Shape(
        zeros=(window == 0).sum(axis=1) / np.maximum(lengths, 1),
        seasonal=seasonal,
        trend=trend,
        length=panel.ages().astype(float),
        memory=memory,
    )


def _strengths(logs: Floats) -> tuple[Floats, Floats]:
    """Of trend and of season, [series, week] to [series] each."""
    weeks = logs.shape[1]
    trend = _year_around(logs)
    left = logs - trend
    angle = 2 * np.pi * np.arange(weeks)[:, None] * np.arange(1, _PAIRS + 1) / YEAR
    waves = np.column_stack([np.ones(weeks), np.sin(angle), np.cos(angle)])
    season = (waves @ np.linalg.lstsq(waves, left.T, rcond=None)[0]).T
    rest = left - season
    return _explained(rest, rest + trend, free=weeks / (2 * _HALF + 1)), _explained(rest, left, free=2 * _PAIRS)


def _year_around(logs: Floats) -> Floats:
    weeks = logs.shape[1]
    sums = np.concatenate([np.zeros((len(logs), 1)), np.cumsum(logs, axis=1)], axis=1)
    at = np.arange(weeks)
    first, last = np.maximum(at - _HALF, 0), np.minimum(at + _HALF + 1, weeks)
    return np.asarray((sums[:, last] - sums[:, first]) / (last - first))


def _explained(rest: Floats, whole: Floats, *, free: float) -> Floats:
    """Share of the variance, adjusted for what `free` figures explain of noise."""
    weeks = rest.shape[1]
    share = rest.var(axis=1) / np.maximum(whole.var(axis=1), _TINY)
    return np.asarray(np.clip(1 - share * (weeks - 1) / (weeks - 1 - free), 0.0, 1.0))
