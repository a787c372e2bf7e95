"""FARIMA(p, d, q) on log1p of the last weeks, all series at once: long memory by FFT, the rest by AICc, exact recursion ahead.

`d` is the local Whittle estimate (Robinson 1995), with the log-periodogram regression of Geweke & Porter-Hudak (1983) beside it
as a check. 156 weeks tell little of `d` (its standard error is a tenth), so the forecast draws it toward what activity series
usually have, in proportion to that error. p and q (0 or 1) minimise AICc over Whittle's likelihood of the fractionally differenced
series: the same orders as exact likelihood at a hundredth of the cost. No Fourier season: 52 weeks gained nothing on real series;
`season_pairs` adds one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from ratchet.blocks import blocks
from ratchet.contracts.forecaster import Floats, Forecaster, Setting
from ratchet.forecasters._family import Family, Local
from ratchet.forecasters._guard import MIN_WEEKS, WINDOW, tame

USUAL_D: Final = 0.3
UNUSUAL: Final = 0.1
"""How far a series' own d must be from the usual one for it to matter which of the two is believed."""
SEASONAL: Final = 0.1
SPACE: Final = {
    "weeks": Setting((104, 156, 260), lambda shape, weeks: shape.length > min(weeks, WINDOW)),
    "prior_error": Setting(
        (0.05, 0.1, 0.3), lambda shape, _: (shape.length >= 104) & (np.abs(shape.memory - USUAL_D) > UNUSUAL)
    ),
    "season_pairs": Setting((0, 2), lambda shape, _: (shape.seasonal >= SEASONAL) & (shape.length >= 104)),
}

BANDWIDTH: Final = 0.65
_GRID: Final = np.round(np.arange(-0.45, 1.0001, 0.01), 2)
_AR: Final = (-0.6, -0.4, -0.2, 0.2, 0.4, 0.6, 0.8)
_MA: Final = (-0.6, -0.4, -0.2, 0.2, 0.4, 0.6)
_ORDERS: Final = np.array(
    [(0.0, 0.0), *((p, 0.0) for p in _AR), *((0.0, q) for q in _MA), *((p, q) for p in _AR for q in _MA if p != -q)]
)
_TINY: Final = 1e-12
_BLOCK: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What was estimated of series of one length, one figure each."""

    d: Floats
    d_error: float
    gph: Floats
    ar: Floats
    ma: Floats


def make(*, season_length: int, weeks: int = WINDOW, prior_error: float = 0.1, season_pairs: int = 0) -> Forecaster:
    """Make a new FARIMA forecaster; `prior_error` is how far `d` is believed to lie from the usual one."""

    def forecast(values: Floats, horizon: int) -> Floats:
        answer = np.full((len(values), horizon), np.nan)
        for length, rows in _by_length(values, weeks):
            logs = np.log1p(values[rows, -length:])
            season = _fourier(length + horizon, season_length, season_pairs if length >= 2 * season_length else 0)
            least_squares = np.asarray(np.linalg.pinv(season[:length]), dtype=float).T
            fixed = _times(_times(logs, least_squares), season.T)
            rest = logs - fixed[:, :length]
            ahead = _ahead(rest, _estimate(rest), prior_error=prior_error, horizon=horizon)
            answer[rows] = np.expm1(np.minimum(ahead + fixed[:, length:], logs.max(axis=1, keepdims=True) + 1))
        return tame(answer, values)

    def explain(values: Floats) -> Mapping[str, Floats]:
        figures = {name: np.full(len(values), np.nan) for name in ("d", "d_error", "d_gph", "p", "q")}
        for length, rows in _by_length(values, weeks):
            logs = np.log1p(values[rows, -length:])
            memory = _estimate(logs - logs.mean(axis=1, keepdims=True))
            figures["d"][rows], figures["d_error"][rows], figures["d_gph"][rows] = memory.d, memory.d_error, memory.gph
            figures["p"][rows], figures["q"][rows] = memory.ar != 0, memory.ma != 0
        return figures

    return Family(name="farima", learn=lambda _: Local(arithmetic=forecast, figures=explain))


def estimate(series: Floats) -> Memory:
    """Estimate the memory of series as they are, [series, point], without any transformation."""
    return _estimate(series - series.mean(axis=1, keepdims=True))


def _by_length(values: Floats, weeks: int) -> list[tuple[int, np.ndarray[tuple[int], np.dtype[np.intp]]]]:
    lengths = np.minimum(np.isfinite(values).sum(axis=1), weeks)
    changing = np.nanmax(values[:, -weeks:], axis=1) > np.nanmin(values[:, -weeks:], axis=1)
    return [
        (int(length), np.flatnonzero((lengths == length) & changing))
        for length in np.unique(lengths[changing & (lengths >= MIN_WEEKS)])
    ]


def _times(rows: Floats, matrix: Floats) -> Floats:
    """Multiply in blocks of one size: how BLAS adds up depends on how many rows there are, and no series' answer may."""
    count = len(rows)
    padded = np.zeros((-(-count // _BLOCK) * _BLOCK, rows.shape[1]))
    padded[:count] = rows
    matrix = np.ascontiguousarray(matrix)
    return np.concatenate([padded[some] @ matrix for some in blocks(len(padded), size=_BLOCK)])[:count]


def _fourier(points: int, period: int, pairs: int) -> Floats:
    angle = 2 * np.pi * np.arange(points)[:, None] * np.arange(1, pairs + 1) / period
    return np.column_stack([np.ones(points), np.sin(angle), np.cos(angle)])


def _estimate(centred: Floats) -> Memory:
    points = centred.shape[1]
    power = np.abs(np.fft.rfft(centred, axis=1)[:, 1 : (points - 1) // 2 + 1]) ** 2 / points + _TINY
    frequency = 2 * np.pi * np.arange(1, power.shape[1] + 1) / points
    low = max(int(points**BANDWIDTH), 3)
    d = _local_whittle(power[:, :low], frequency[:low])
    ar, ma = _orders(power * (2 * np.sin(frequency / 2)) ** (2 * d[:, None]), frequency, points)
    slope = -np.log(4 * np.sin(frequency[:low] / 2) ** 2)
    slope -= slope.mean()
    gph = _times(np.log(power[:, :low]), slope[:, None])[:, 0] / (slope**2).sum()
    return Memory(d=d, d_error=float(1 / (2 * np.sqrt(min(low, power.shape[1])))), gph=gph, ar=ar, ma=ma)


def _local_whittle(power: Floats, frequency: Floats) -> Floats:
    """Minimise Robinson's R(d) = log mean(I w^2d) - 2 d mean(log w) on a grid, then by a parabola through the best three."""
    level = np.log(_times(power, frequency[:, None] ** (2 * _GRID)) / len(frequency))
    loss = level - 2 * _GRID * np.log(frequency).mean()
    best = np.clip(loss.argmin(axis=1), 1, len(_GRID) - 2)
    row = np.arange(len(loss))
    left, middle, right = loss[row, best - 1], loss[row, best], loss[row, best + 1]
    bend = left - 2 * middle + right
    shift = np.where(bend > 0, 0.5 * (left - right) / np.where(bend > 0, bend, 1.0), 0.0)
    return np.asarray(_GRID[best] + np.clip(shift, -1, 1) * 0.01)


def _orders(power: Floats, frequency: Floats, points: int) -> tuple[Floats, Floats]:
    """Pick AR and MA by AICc over Whittle's likelihood of each pair of coefficients, for all series at once."""
    turn = np.exp(-1j * frequency)
    shape = np.abs(1 + _ORDERS[:, 1:] * turn) ** 2 / np.abs(1 - _ORDERS[:, :1] * turn) ** 2
    noise = _times(power, (1 / shape).T) / power.shape[1]
    parameters = (_ORDERS != 0).sum(axis=1) + 2
    penalty = 2 * parameters * points / np.maximum(points - parameters - 1, 1)
    best = (points * (np.log(noise) + np.log(shape).mean(axis=1)) + penalty).argmin(axis=1)
    return _ORDERS[best, 0], _ORDERS[best, 1]


def _ahead(centred: Floats, memory: Memory, *, prior_error: float, horizon: int) -> Floats:
    """Forecast by the AR(infinity) form, cut at the window, each forecast taken as if it had come true."""
    points = centred.shape[1]
    own = prior_error**2 / (prior_error**2 + memory.d_error**2)
    d = own * memory.d + (1 - own) * USUAL_D
    weights = autoregression(d, memory.ar, memory.ma, points + horizon)
    path = np.concatenate([centred, np.zeros((len(centred), horizon))], axis=1)
    for at in range(points, points + horizon):
        path[:, at] = -np.einsum("sk,sk->s", weights[:, 1 : at + 1], path[:, at - 1 :: -1][:, :at])
    return path[:, points:]


def autoregression(d: Floats, ar: Floats, ma: Floats, count: int) -> Floats:
    """Return the first weights of (1 - B)^d (1 - ar B) / (1 + ma B), [series, lag]."""
    weights = np.ones((len(d), count))
    for lag in range(1, count):
        weights[:, lag] = weights[:, lag - 1] * (lag - 1 - d) / lag
    weights[:, 1:] -= ar[:, None] * weights[:, :-1].copy()
    for lag in range(1, count):
        weights[:, lag] -= ma * weights[:, lag - 1]
    return weights
