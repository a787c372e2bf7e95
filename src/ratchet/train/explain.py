"""What families can tell of what they learnt: figures of each series, such as FARIMA's d, and of a model of all series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.forecaster import Forecaster, Learned
from ratchet.train.fit import learn
from ratchet.train.panel import MIN_WEEKS, Panel

Floats = NDArray[np.float64]
Figures = dict[str, dict[str, float]]
DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """By family and figure: of every series, NaN where it is too young or cannot be told, and of a model of all series."""

    each: Mapping[str, Mapping[str, Floats]]
    pooled: Mapping[str, Mapping[str, float]]

    def of(self, row: int) -> Figures:
        """Return what is told of one series, by families that learn each by itself."""
        told = {
            name: _known({figure: values[row] for figure, values in each.items()}) for name, each in self.each.items()
        }
        return {name: figures for name, figures in told.items() if figures}

    def of_all(self) -> Figures:
        """Return what a card says: the median over series, and what models of all series tell."""
        middle = {
            name: {
                figure: float(np.median(values[np.isfinite(values)]))
                for figure, values in each.items()
                if np.isfinite(values).any()
            }
            for name, each in self.each.items()
        }
        told = {name: _known(figures) for name, figures in {**middle, **self.pooled}.items()}
        return {name: figures for name, figures in told.items() if figures}


NOTHING = Explained(each={}, pooled={})


def explain(panel: Panel, families: Sequence[Forecaster], learned: Mapping[int, Learned | None]) -> Explained:
    """Ask the families that learn each series by itself, and those models of all series that were learnt."""
    rows = np.flatnonzero(panel.ages() >= MIN_WEEKS)
    known = panel.only(rows).known()
    each, pooled = dict[str, dict[str, Floats]](), dict[str, dict[str, float]]()
    for index, family in enumerate(families):
        model = learned.get(index) if family.pooled else learn(family, panel)
        if model is None:
            continue
        told = model.explain(known)
        if family.pooled:
            pooled[family.name] = {figure: float(values[0]) for figure, values in told.items()}
            continue
        each[family.name] = {figure: np.full(len(panel.names), np.nan) for figure in told}
        for figure, values in told.items():
            each[family.name][figure][rows] = values
    return Explained(each=each, pooled=pooled)


def _known(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), DIGITS) for name, value in figures.items() if np.isfinite(value)}
