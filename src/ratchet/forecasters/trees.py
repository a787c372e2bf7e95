"""Boosted trees: one LightGBM for all series, direct over steps (the step is a figure), absolute error of log1p.

Trees cannot extrapolate, so they learn the change against each series' own level. LightGBM is called as it is, without mlforecast:
that learns one model per step, 26 times the cost, for the same error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.forecaster import Floats, Forecaster, Known, Learned, Setting, Shape
from ratchet.forecasters import _lags
from ratchet.forecasters._family import Family
from ratchet.forecasters._guard import tame

ENOUGH_WEEKS: Final = 10_000
"""All series together: with less, a bigger model learns them by heart."""
SPACE: Final = {
    "leaves": Setting((7, 15, 31), lambda shape, leaves: _is_enough(shape, bigger=leaves > 15)),
    "rounds": Setting((100, 200, 300), lambda shape, rounds: _is_enough(shape, bigger=rounds > 200)),
}

STEPS: Final = 26
MOST_ORIGINS: Final = 60_000
STEPS_PER_ORIGIN: Final = 3
MIN_ROWS: Final = 400
FILE: Final = "trees.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """A trained model, or None where there was too little to learn from: then a typical week answers."""

    booster: lgb.Booster | None

    def forecast(self, known: Known, *, horizon: int) -> Floats:
        """Forecast a typical week, [series, step]; steps beyond the learnt ones repeat the last."""
        answer = np.full((len(known.counts), horizon), np.nan)
        if self.booster is not None:
            rows = _last(known.counts)
            for step in range(1, horizon + 1):
                asked = np.column_stack(
                    [rows.figures, np.full(len(answer), min(step, STEPS)), rows.season(min(step, STEPS))]
                )
                change = np.asarray(self.booster.predict(asked, num_threads=1))
                answer[:, step - 1] = np.expm1(np.minimum(change + rows.base, 60))
        return tame(answer, known.counts)

    def explain(self, known: Known) -> Mapping[str, Floats]:
        """Return the share of the gain that each figure brought, the same for every series."""
        if self.booster is None:
            return {}
        gain = self.booster.feature_importance("gain")
        shares = zip((*_lags.NAMES, "step", "season"), gain / max(gain.sum(), 1e-12), strict=True)
        return {f"gain_{name}": np.full(len(known.names), share) for name, share in shares}

    def files(self) -> Mapping[str, bytes]:
        """Return the model as LightGBM's own text."""
        return {} if self.booster is None else {FILE: self.booster.model_to_string().encode()}


def _is_enough(shape: Shape, *, bigger: bool) -> NDArray[np.bool_]:
    return np.full(len(shape.length), not bigger or shape.length.sum() >= ENOUGH_WEEKS)


def read(files: Mapping[str, bytes]) -> Learned:
    """Make again what `files` gave."""
    return Trees(booster=lgb.Booster(model_str=files[FILE].decode()) if FILE in files else None)


def make(*, season_length: int, seed: int = 0, leaves: int = 15, rounds: int = 200) -> Forecaster:  # noqa: ARG001 - shared signature
    """Make new boosted trees."""

    def learn(known: Known) -> Learned:
        rng = np.random.default_rng(seed)
        figures, change = _table(known.counts, rng)
        if len(change) < MIN_ROWS or np.ptp(change) == 0:
            return Trees(booster=None)
        settings = {
            "objective": "l1",
            "num_leaves": leaves,
            "learning_rate": 0.05,
            "min_data_in_leaf": int(np.clip(len(change) // 50, 20, 200)),
            "feature_fraction": 0.5,
            "bagging_fraction": 0.5,
            "bagging_freq": 1,
            "max_bin": 63,
            "lambda_l2": 1.0,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,  # the result must not depend on how many cores there are
            "verbose": -1,
        }
        return Trees(booster=lgb.train(settings, lgb.Dataset(figures, change), rounds))

    return Family(name="trees", learn=learn, pooled=True)


def _table(values: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    row, week = _lags.origins(values, most=MOST_ORIGINS, rng=rng)
    rows = _lags.look(values, row, week)
    seasons = np.column_stack([rows.season(step) for step in range(1, STEPS + 1)])
    figures, change = [np.zeros((0, len(_lags.NAMES) + 2))], [np.zeros(0)]
    for _ in range(STEPS_PER_ORIGIN):
        step = rng.integers(1, STEPS + 1, len(row))
        there = np.flatnonzero(week + step < values.shape[1])
        season = seasons[there, step[there] - 1]
        figures.append(np.column_stack([rows.figures[there], step[there], season]))
        change.append(np.log1p(values[row[there], week[there] + step[there]]) - rows.base[there])
    return np.concatenate(figures), np.concatenate(change)


def _last(values: Floats) -> _lags.Rows:
    row = np.arange(len(values))
    return _lags.look(values, row, np.full(len(values), values.shape[1] - 1))
