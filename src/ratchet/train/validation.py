"""Every family on every fold, to learn how wrong they are."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.forecaster import Forecaster
from ratchet.scores import mae, naive_scale, scaled
from ratchet.train.crew import Crew, Job, in_process
from ratchet.train.folds import Fold, split
from ratchet.train.panel import Panel
from ratchet.train.shards import cut

Floats = NDArray[np.float64]
Rows = NDArray[np.intp] | slice

_ALL: Final = slice(None)


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
    ends: dict[int, Floats] = field(default_factory=dict)

    def mase(self) -> Floats:
        """[family, series, fold]: NaN where a series was too young, or had never changed."""
        return np.array([self.mase_of(said) for said in self.forecasts]).reshape(
            len(self.families), *self.scale.T.shape
        )

    def mase_of(self, forecasts: Floats) -> Floats:
        """[series, fold] of one forecaster's forecasts, [fold, series, step]."""
        return scaled(mae(self.actual, forecasts), self.scale).T

    def put(self, index: int, said: Floats, *, folds: slice = _ALL, rows: Rows = _ALL) -> None:
        """Put in what a family said, [fold, statistic, series, step] as `fit.answer` does, in the place of what was there."""
        self.forecasts[index, folds][:, rows] = said[:, 0]
        if said.shape[1] > 1:
            self.ends[index][folds][:, :, rows] = said[:, 1:]

    def only(self, rows: NDArray[np.intp]) -> Self:
        """Keep some of the series, without anybody's own bounds."""
        return replace(
            self,
            forecasts=self.forecasts[:, :, rows],
            actual=self.actual[:, rows],
            scale=self.scale[:, rows],
            ends={},
        )

    def before(self, cutoff: int) -> Self:
        """Leave out what happened after a cutoff."""
        weeks = np.array([fold.cutoff for fold in self.folds])[:, None] + np.arange(self.actual.shape[2])
        return replace(self, actual=np.where((weeks < cutoff)[:, None, :], self.actual, np.nan))


def validate(
    panel: Panel,
    families: Sequence[Forecaster],
    folds: tuple[Fold, ...],
    *,
    say: Callable[[str], None],
    crew: Crew = in_process,
) -> tuple[Validation, Validation]:
    """Every family on every fold; it sees nothing after a fold's cutoff.

    First the folds to choose by, and of those no week that a later fold holds out; then those to calibrate on and to report: nothing is
    chosen by any week of them. Folds that are too few to part are both, each time on their own.

    A pooled family learns twice: before the first fold to choose by, and before the first one to calibrate on. Its weights
    age by weeks on the later folds, its inputs never: on activity that costs nothing, and what ages is what is measured.
    """
    count = split(folds)
    older, newer = (_room(panel, families, part) for part in (folds[:count], folds[count:]))
    for piece, found in do(panel, lay_out(panel, families, folds), crew=crew, say=say):
        if found.shape[1] > 1 and piece.index not in newer.ends:
            for part in (older, newer):
                part.ends[piece.index] = np.full((len(part.folds), found.shape[1] - 1, *part.actual.shape[1:]), np.nan)
        part, first = (older, 0) if piece.part.stop <= count else (newer, count)
        part.put(
            piece.index, found, folds=slice(piece.part.start - first, piece.part.stop - first), rows=piece.job.rows
        )
    return (older.before(newer.folds[0].cutoff) if count else deepcopy(newer)), newer


def _room(panel: Panel, families: Sequence[Forecaster], folds: tuple[Fold, ...]) -> Validation:
    """Where there is room for what the families will say."""
    shape = (len(folds), len(panel.names), folds[0].horizon if folds else 0)
    return Validation(
        families=tuple(family.name for family in families),
        folds=folds,
        forecasts=np.empty((len(families), *shape)),
        actual=np.array([fold.actual(panel) for fold in folds]).reshape(shape),
        scale=np.array([naive_scale(fold.known(panel).values) for fold in folds]).reshape(shape[:2]),
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
