"""Every family on every fold, to learn how wrong they are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.forecaster import Forecaster
from ratchet.scores import mae, naive_scale, scaled
from ratchet.train.crew import Crew, Job, in_process
from ratchet.train.folds import Fold, split
from ratchet.train.panel import Panel
from ratchet.train.shards import cut

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Held-out weeks: `forecasts` [family, fold, series, step], `actual` [fold, series, step], `scale` [fold, series].

    A forecast is NaN where a series was too young at the fold's cutoff. `scale` is the naive error up to the cutoff.
    `ends` are the bounds of those families, by their index, that know their own: [fold, end, series, step] as `fit.ENDS` has them.
    """

    families: tuple[str, ...]
    folds: tuple[Fold, ...]
    forecasts: Floats
    actual: Floats
    scale: Floats
    ends: Mapping[int, Floats] = field(default_factory=dict)

    def mase(self) -> Floats:
        """[family, series, fold]: NaN where a series was too young, or had never changed."""
        return np.array([self.mase_of(said) for said in self.forecasts]).reshape(
            len(self.families), *self.scale.T.shape
        )

    def mase_of(self, forecasts: Floats) -> Floats:
        """[series, fold] of one forecaster's forecasts, [fold, series, step]."""
        return scaled(mae(self.actual, forecasts), self.scale).T

    def older(self) -> Self:
        """Keep the folds to choose by, and of those no week that a calibration fold holds out."""
        count = split(self.folds)
        if not count:
            return self
        first = self.folds[count].cutoff
        weeks = np.array([fold.cutoff for fold in self.folds[:count]])[:, None] + np.arange(self.actual.shape[2])
        actual = np.where((weeks < first)[:, None, :], self.actual[:count], np.nan)
        return self._folds(slice(count), actual)

    def newer(self) -> Self:
        """Keep the folds to calibrate on and to report: nothing was chosen by any week of them."""
        count = split(self.folds)
        return self._folds(slice(count, None), self.actual[count:])

    def _folds(self, kept: slice, actual: Floats) -> Self:
        return replace(
            self,
            folds=self.folds[kept],
            forecasts=self.forecasts[:, kept],
            actual=actual,
            scale=self.scale[kept],
            ends={index: ends[kept] for index, ends in self.ends.items()},
        )


def validate(
    panel: Panel,
    families: Sequence[Forecaster],
    folds: tuple[Fold, ...],
    *,
    say: Callable[[str], None],
    crew: Crew = in_process,
) -> Validation:
    """Every family on every fold; it sees nothing after a fold's cutoff.

    A pooled family learns twice: before the first fold to choose by, and before the first one to calibrate on. Its weights
    age by weeks on the later folds, its inputs never: on activity that costs nothing, and what ages is what is measured.
    """
    horizon = folds[0].horizon if folds else 0
    shape = (len(families), len(folds), len(panel.names), horizon)
    forecasts, ends = np.full(shape, np.nan), dict[int, Floats]()
    for piece, found in do(panel, lay_out(panel, families, folds), crew=crew, say=say):
        rows = piece.job.rows
        forecasts[piece.index, piece.part][:, rows] = found[:, 0]
        if found.shape[1] > 1:
            missing = np.full((len(folds), found.shape[1] - 1, *shape[2:]), np.nan)
            ends.setdefault(piece.index, missing)[piece.part][:, :, rows] = found[:, 1:]
    return Validation(
        families=tuple(family.name for family in families),
        folds=folds,
        forecasts=forecasts,
        actual=np.array([fold.actual(panel) for fold in folds]).reshape(shape[1:]),
        scale=np.array([naive_scale(fold.known(panel).values) for fold in folds]).reshape(shape[1:3]),
        ends=ends,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A job, and where what it finds belongs: to one of the families, and to these of the folds."""

    index: int
    part: slice
    job: Job


def lay_out(panel: Panel, families: Sequence[Forecaster], folds: tuple[Fold, ...]) -> list[Piece]:
    """Everything that there is to do. What takes longest, one model of all series, comes first, so that nobody waits for it at the end."""
    shards = cut(panel)
    pieces = [
        Piece(index=index, part=part, job=Job(family=family, folds=folds[part], shard=shard))
        for index, family in enumerate(families)
        for part in _parts(family, folds)
        for shard in ([None] if family.pooled else shards)
    ]
    return sorted(pieces, key=lambda piece: not piece.job.family.pooled)


def do(
    panel: Panel, pieces: Sequence[Piece], *, crew: Crew, say: Callable[[str], None]
) -> Iterator[tuple[Piece, Floats]]:
    """Yield each piece, in any order, with what was found: [fold, statistic, series of its own, step]."""
    for number, found in crew(panel, [piece.job for piece in pieces], say):
        yield pieces[number], found


def _parts(family: Forecaster, folds: tuple[Fold, ...]) -> list[slice]:
    """The runs of folds that a family learns for once."""
    if not family.pooled:
        return [slice(number, number + 1) for number in range(len(folds))]
    first = split(folds)
    return [part for part in (slice(0, first), slice(first, len(folds))) if folds[part]]
