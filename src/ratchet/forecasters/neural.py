"""Neural: one network for all series and targets, [64, 32, 16] ReLU, five quantiles of every step at once, kept as ONNX.

It looks at a series' own lags, its season and calendar, and at the recent level and change of the other targets of the same thing.
Quantile (pinball) loss on log1p, in units of the series' own spread. Learnt by Adam in NumPy, seeded, with a fixed number of
steps at most: the same bytes on every run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ratchet.blocks import blocks
from ratchet.contracts.forecaster import Floats, Forecaster, Known, Learned, Setting
from ratchet.contracts.release import split_name
from ratchet.forecasters import _lags, _network
from ratchet.forecasters._family import Family
from ratchet.forecasters._guard import learnable, tame

ENOUGH_WEEKS: Final = 10_000
"""All series together: with less, a longer look learns them by heart."""
SPACE: Final = {
    "epochs": Setting(
        (6, 12, 20),
        lambda shape, epochs: np.full(len(shape.length), epochs <= 12 or shape.length.sum() >= ENOUGH_WEEKS),
    ),
    "rate": Setting((0.001, 0.003)),
}

STEPS: Final = 26
HIDDEN: Final = (64, 32, 16)
QUANTILES: Final = (0.025, 0.1, 0.5, 0.9, 0.975)
MOST_ORIGINS: Final = 60_000
MIN_ROWS: Final = 400
FILE: Final = "network.onnx"
_SEASONS: Final = (1, 5, 9, 13, 20, 26)
_LEAST_SPREAD: Final = 0.15
_MEDIAN: Final = QUANTILES.index(0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neural:
    """A trained network, or None where there was too little to learn from: then a typical week answers."""

    network: _network.Network | None

    def forecast(self, known: Known, *, horizon: int) -> Floats:
        """Forecast a typical week, [series, step]; steps beyond the learnt ones repeat the last."""
        return self._all(known, horizon)[:, :, _MEDIAN]

    def quantiles(self, known: Known, *, horizon: int, shares: Sequence[float]) -> Floats:
        """Forecast some of `QUANTILES`, [series, step, share]; where there was nothing to learn, the typical week alone."""
        places = [QUANTILES.index(share) for share in shares]
        learnt = learnable(known.counts) & (self.network is not None)
        there = learnt[:, None] | (np.array(places) == _MEDIAN)
        return np.asarray(np.where(there[:, None], self._all(known, horizon)[:, :, places], np.nan))

    def _all(self, known: Known, horizon: int) -> Floats:
        shape = (len(known.counts), horizon, len(QUANTILES))
        logs = np.full(shape, np.nan)
        if self.network is not None:
            row = np.arange(len(known.counts))
            figures, base, spread = look(known, row, np.full(len(row), known.counts.shape[1] - 1))
            answer = np.sort(self.network.answer(figures).reshape(len(row), STEPS, len(QUANTILES)), axis=2)
            answer = answer[:, np.minimum(np.arange(horizon), STEPS - 1)]
            logs = answer * spread[:, None, None] + base[:, None, None]
        flat = np.expm1(np.minimum(logs, 60)).reshape(len(known.counts), -1)
        return tame(flat, known.counts).reshape(shape)

    def explain(self, known: Known) -> Mapping[str, Floats]:
        """Return nothing: a network has no figures of a series to show."""
        del known
        return {}

    def files(self) -> Mapping[str, bytes]:
        """Return the network as ONNX: figures in, quantiles out."""
        return {} if self.network is None else {FILE: _network.to_onnx(self.network)}


def read(files: Mapping[str, bytes]) -> Learned:
    """Make again what `files` gave."""
    return Neural(network=_network.from_onnx(files[FILE]) if FILE in files else None)


def make(*, season_length: int, seed: int = 0, epochs: int = 12, rate: float = 0.003) -> Forecaster:  # noqa: ARG001 - shared
    """Make a new network."""

    def learn(known: Known) -> Learned:
        rng = np.random.default_rng(seed)
        row, week = _lags.origins(known.counts, most=MOST_ORIGINS, rng=rng)
        if len(row) < MIN_ROWS:
            return Neural(network=None)
        figures, base, spread = look(known, row, week)
        at = week[:, None] + np.arange(1, STEPS + 1)
        there = at < known.counts.shape[1]
        later = known.counts[row[:, None], np.minimum(at, known.counts.shape[1] - 1)]
        wanted = np.where(there, (np.log1p(later) - base[:, None]) / spread[:, None], 0.0)
        lesson = _network.Lesson(figures=figures, wanted=wanted, there=there, quantiles=QUANTILES)
        return Neural(network=_network.train(lesson, hidden=HIDDEN, epochs=epochs, rate=rate, rng=rng))

    return Family(name="neural", learn=learn, pooled=True)


def look(known: Known, row: _lags.Ints, week: _lags.Ints) -> tuple[Floats, Floats, Floats]:
    """Return figures [row, figure], base and spread, as of each origin week."""
    rows = _lags.look(known.counts, row, week)
    spread = np.nan_to_num(rows.spread) + _LEAST_SPREAD
    seasons = [rows.season(step) for step in _SEASONS]
    return (
        np.column_stack([rows.figures, *seasons, _calendar(known, week), _others(known, row, week)]),
        rows.base,
        spread,
    )


def _calendar(known: Known, week: _lags.Ints) -> Floats:
    day = (known.weeks[week] - known.weeks[week].astype("datetime64[Y]")).astype("timedelta64[D]").astype(float)
    angle = 2 * np.pi * day / 365.25
    return np.column_stack([np.sin(angle), np.cos(angle)])


def _others(known: Known, row: _lags.Ints, week: _lags.Ints) -> Floats:
    """Change of the other targets' level, a month against a quarter, and how many of them there are; 0 where there are none."""
    things, thing = np.unique([split_name(name)[0] for name in known.names], return_inverse=True)
    total = np.zeros((len(things), 2, known.counts.shape[1]))
    change = np.concatenate([_change(known.counts[some]) for some in blocks(len(known.counts), size=_lags.AT_A_TIME)])
    there = np.isfinite(change)
    change[~there] = 0.0
    np.add.at(total[:, 0], thing, change)
    np.add.at(total[:, 1], thing, there)
    own = np.stack([change[row, week], there[row, week]], axis=1)
    rest = total[thing[row], :, week] - own
    return np.column_stack([rest[:, 0] / np.maximum(rest[:, 1], 1), np.minimum(rest[:, 1], 3)])


def _change(values: Floats) -> Floats:
    logs = np.log1p(values)
    padded = np.concatenate([np.full((len(logs), 13), np.nan), logs], axis=1)
    known = np.isfinite(padded)
    sums = np.cumsum(np.nan_to_num(padded), axis=1)
    counts = np.cumsum(known, axis=1)

    def mean(weeks: int) -> Floats:
        return np.asarray(
            (sums[:, 13:] - sums[:, 13 - weeks : -weeks])
            / np.maximum(counts[:, 13:] - counts[:, 13 - weeks : -weeks], 1)
        )

    return np.asarray(np.where(counts[:, 13:] - counts[:, :-13] >= 13, mean(4) - mean(13), np.nan))
