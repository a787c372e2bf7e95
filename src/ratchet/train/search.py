"""Other settings of the families of a recipe, tried on the folds to choose by; kept only where chance does not explain the gain.

The best of many trials looks better than it is. So a trial must beat its family's default by more than the level 0.05, shared out over
the trials of the search (Bonferroni), leaves to chance; targets of one thing are not independent, so a thing counts once.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ratchet import forecasters
from ratchet.contracts.errors import DataError
from ratchet.contracts.forecaster import Forecaster, Shape
from ratchet.contracts.release import split_name
from ratchet.scores import mae, mean, rmse, scaled
from ratchet.train import shape
from ratchet.train.crew import Crew, in_process
from ratchet.train.folds import Fold, split
from ratchet.train.panel import Panel
from ratchet.train.validation import Piece, Validation, do, lay_out

Floats = NDArray[np.float64]
Options = Mapping[str, Any]

LEVEL: Final = 0.05
LEAST_GAIN: Final = 0.005
"""What is gained by less is not worth another way of answering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much may be tried: so many trials, for so many seconds (0: no limit), whichever ends first. Without trials nothing is."""

    trials: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """`DataError` where it makes no sense."""
        if not (self.trials >= 0 and self.seconds >= 0):
            raise DataError(f"a search has 0 trials and seconds at least, not {self.trials} and {self.seconds}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A family with other options, and how much worse it is than its default: below 0 is better."""

    family: str
    options: Options
    difference: float
    error: float
    """Standard error of the difference; not a number where fewer than two things could be compared."""
    kept: bool = False

    def to_json(self) -> dict[str, Any]:
        """Say it for people; what could not be measured is null."""
        figures = {"difference": self.difference, "error": self.error}
        shown = {name: round(value, 5) if np.isfinite(value) else None for name, value in figures.items()}
        return {"family": self.family, "options": dict(self.options), **shown, "kept": self.kept}


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Which options there are to try of a family, and how it is made with them."""

    find: Callable[..., Forecaster] = forecasters.find
    variants: Callable[[str, Shape], Sequence[Options]] = forecasters.variants


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Who tries, what there is to try, and whose clock says when to stop."""

    crew: Crew = in_process
    say: Callable[[str], None] = lambda _: None
    space: Space = field(default_factory=Space)
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Variant:
    number: int
    index: int
    """Of its family."""
    options: Options
    family: Forecaster


def improve(
    panel: Panel,
    families: Sequence[Forecaster],
    validated: tuple[Validation, Validation],
    budget: Budget,
    search: Search,
) -> tuple[list[Forecaster], list[Trial]]:
    """Return the families with the options that are better, and what was tried; what they say takes the place of what was validated.

    Options are chosen on the older folds; nothing of the newer ones, not a week, is looked at to choose by. Where folds are too few to
    part, nothing is tried.
    """
    older, newer = validated
    if budget.trials < 1 or older.folds == newer.folds:
        return list(families), []
    plan = _plan(panel, families, newer.folds[0], budget.trials, search.space)
    contest = _Contest(panel, older, trials=sum(map(len, plan)))
    every, count = (*older.folds, *newer.folds), len(older.folds)
    begun = search.clock()
    # Without a limit of time there is one batch, so that no worker waits for another.
    for batch in plan if budget.seconds > 0 else [[variant for some in plan for variant in some]]:
        if budget.seconds > 0 and search.clock() - begun >= budget.seconds:
            break
        for variant, said in _forecast(panel, batch, every, range(count), search):
            contest.judge(variant, said)
    better, best = list(families), contest.best()
    for variant, said in best:
        better[variant.index] = variant.family
        older.put(variant.index, said)
    winners = [variant for variant, _ in best]
    for variant, said in _forecast(panel, winners, every, range(count, len(every)), search) if winners else ():
        newer.put(variant.index, said)
    return better, contest.trials()


def lay_out_ahead(panel: Panel, families: Sequence[Forecaster], folds: tuple[Fold, ...], budget: Budget) -> list[Piece]:
    """Everything that validation and search are sure to do: every family on every fold, every trial on those to choose by.

    How many trials there is time for nobody knows ahead, nor which of them will be kept.
    """
    older, tried = split(folds), list[Forecaster]()
    if older and budget.trials and not budget.seconds:
        plan = _plan(panel, families, folds[older], budget.trials, Space())
        tried = [variant.family for some in plan for variant in some]
    return [
        piece
        for piece in lay_out(panel, [*families, *tried], folds)
        if piece.index < len(families) or piece.part.stop <= older
    ]


def _plan(panel: Panel, families: Sequence[Forecaster], fold: Fold, trials: int, space: Space) -> list[list[_Variant]]:
    """Rounds: the next variant of each family, until the budget is spent; for series as they were told at a fold's cutoff."""
    known = shape.describe(fold.known(panel))
    each = [[(index, tried) for tried in space.variants(family.name, known)] for index, family in enumerate(families)]
    rounds = list[list[_Variant]]()
    number = 0
    for found in zip_longest(*each):
        wanted = [one for one in found if one is not None][: trials - number]
        rounds.append([])
        for index, options in wanted:
            made = space.find(families[index].name, **{**families[index].options, **options})
            rounds[-1].append(_Variant(number=number, index=index, options=options, family=made))
            number += 1
    return rounds


def _forecast(
    panel: Panel, variants: Sequence[_Variant], folds: tuple[Fold, ...], among: range, search: Search
) -> Iterator[tuple[_Variant, Floats]]:
    """Yield each variant with what it said on the folds `among`, [fold, statistic, series, step], as soon as it is all there."""
    pieces = [
        piece
        for piece in lay_out(panel, [variant.family for variant in variants], folds)
        if piece.part.start >= among.start and piece.part.stop <= among.stop
    ]
    left = Counter(piece.index for piece in pieces)
    said: dict[int, Floats] = {}
    for piece, found in do(panel, pieces, crew=search.crew, say=search.say):
        part, (statistics, _, steps) = piece.part, found.shape[1:]
        if piece.index not in said:
            said[piece.index] = np.full((len(among), statistics, len(panel.names), steps), np.nan)
        said[piece.index][part.start - among.start : part.stop - among.start][:, :, piece.job.rows] = found
        left[piece.index] -= 1
        if not left[piece.index]:
            yield variants[piece.index], said.pop(piece.index)


class _Contest:
    """Keeps what was tried, and of forecasts only those of each family's best trial."""

    def __init__(self, panel: Panel, older: Validation, *, trials: int) -> None:
        self._older = older
        self._level = LEVEL / max(trials, 1)
        _, self._thing = np.unique([split_name(name)[0] for name in panel.names], return_inverse=True)
        self._trials: list[tuple[_Variant, Trial]] = []
        self._best: dict[int, tuple[float, _Variant, Floats]] = {}

    def judge(self, variant: _Variant, said: Floats) -> None:
        usual, other = (self._error(variant, some) for some in (self._older.forecasts[variant.index], said[:, 0]))
        difference, error, things = compare(usual, other, self._thing)
        trial = Trial(family=variant.family.name, options=variant.options, difference=difference, error=error)
        self._trials.append((variant, trial))
        best = self._best.get(variant.index)
        # Of equals the first one planned, whoever finishes first.
        if is_better(difference, error, things, level=self._level) and (
            best is None or (difference, variant.number) < (best[0], best[1].number)
        ):
            self._best[variant.index] = (difference, variant, said)

    def best(self) -> list[tuple[_Variant, Floats]]:
        """Of each family with a trial that is better the best one, and what it said on the older folds."""
        return [(variant, said) for _, variant, said in self._best.values()]

    def trials(self) -> list[Trial]:
        """Workers finish in any order; what is told does not follow it."""
        kept = [variant for variant, _ in self.best()]
        return [
            replace(trial, kept=variant in kept)
            for variant, trial in sorted(self._trials, key=lambda both: both[0].number)
        ]

    def _error(self, variant: _Variant, said: Floats) -> Floats:
        """Each series' mean over folds of what the family is to keep small: the expected week's squares, a typical week's distances."""
        score = rmse if variant.family.expects else mae
        return mean(scaled(score(self._older.actual, said), self._older.scale).T)


def compare(usual: Floats, other: Floats, thing: NDArray[np.intp]) -> tuple[float, float, int]:
    """Mean over things of the relative difference of errors, its standard error and how many things it is of; [series] each."""
    size = usual + other
    relative = np.where(size > 0, 2 * (other - usual) / np.where(size > 0, size, 1.0), np.where(size == 0, 0.0, np.nan))
    known = np.isfinite(relative)
    counts = np.bincount(thing[known], minlength=thing.max() + 1)
    by_thing = np.bincount(thing[known], relative[known], minlength=len(counts))[counts > 0] / counts[counts > 0]
    if len(by_thing) < 2:
        return float(by_thing.mean()) if len(by_thing) else float("nan"), float("nan"), len(by_thing)
    return float(by_thing.mean()), float(by_thing.std(ddof=1) / np.sqrt(len(by_thing))), len(by_thing)


def is_better(difference: float, error: float, things: int, *, level: float) -> bool:
    """Whether a difference is a gain worth having that chance explains in less than `level` of searches (Student's t, one-sided)."""
    return bool(
        things > 1 and difference <= -LEAST_GAIN and difference + stats.t.ppf(1 - level, things - 1) * error < 0
    )
