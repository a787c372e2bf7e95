"""Which families answer for which series, learnt on the older folds only: the newer ones judge the result."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratchet import scores
from ratchet.contracts.forecaster import Forecaster
from ratchet.train import combine, select
from ratchet.train.validation import Validation

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

NAIVE = "naive"
SCEPTIC_FOLDS = 48
SCEPTIC_MARGIN = 0.05
"""On real activity every weaker doubt lost: four folds of one series say little, and share their noise."""
OWN = 0.25
"""How much of the mean is the median's own, in ratio; the rest is the expected week of a family that expects, which knows sparse series."""
TYPICAL = 0.1
"""How much of it is the typical week itself: squared errors are smaller where what is uncertain is said a little lower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """`families` with the ensemble last, if there is one; each series' index into them; the ensemble's members."""

    families: tuple[str, ...]
    family: Ints
    members: tuple[int, ...]
    expects: int | None
    """The family whose expected week is most of the mean; None if the recipe has none."""
    whole: NDArray[np.bool_] | None = None
    """Which series are whole numbers: so is their typical week then."""
    tells: int | None = None
    """The family whose own bounds are a part of the release's; None if no family that knows its own deserves it."""
    in_ratio: bool = True
    """Whether the two parts of the mean are averaged in ratio; a release of before keeps the plain average that its card has measured."""
    own: float = OWN
    typical: float = TYPICAL
    """What the mean is made of; a release of before keeps its own."""

    def point(self, forecasts: Floats) -> Floats:
        """Take each series' typical week from its choice: [family, …, series, step] of the recipe to […, series, step]."""
        point = np.empty(forecasts.shape[1:])
        for index in np.unique(self.family):
            is_ensemble = self.families[index] == combine.NAME
            said = combine.median(forecasts, self.members) if is_ensemble else forecasts[index]
            np.copyto(point, said, where=(self.family == index)[:, None])
        return np.asarray(point if self.whole is None else np.where(self.whole[:, None], np.floor(point + 0.5), point))

    def mean(self, forecasts: Floats, calibrated: Floats) -> Floats:
        """Blend the median's own mean with the expected week of the family that expects best, and with a little of the median.

        In ratio: of two that differ by much, mostly on sparse series, the higher one is more often wrong.
        """
        if self.expects is None:
            return calibrated
        expected = forecasts[self.expects]
        if not self.in_ratio:
            return np.asarray((calibrated + expected) / 2)
        blend = calibrated**self.own * expected ** (1 - self.own)
        return np.asarray((1 - self.typical) * blend + self.typical * self.point(forecasts))

    def needed(self) -> set[int]:
        """Return the families of the recipe that must forecast."""
        used = {int(index) for index in self.family if index < len(self.families) - (combine.NAME in self.families)}
        if combine.NAME in self.families and (self.family == len(self.families) - 1).any():
            used |= set(self.members)
        return used | {index for index in (self.expects, self.tells) if index is not None}


def choose(validation: Validation, families: Sequence[Forecaster], *, counts: Floats | None = None) -> Choice:
    """Choose on the folds given; a family that does not beat naive over all series answers for none, unless none does.

    `counts` are every week of the series, [series, week]: whether a young one's are whole numbers the folds do not tell.
    """
    typical = tuple(index for index, family in enumerate(families) if not family.expects) or tuple(range(len(families)))
    naive = next((index for index in typical if validation.families[index] == NAIVE), None)
    members = combine.deserving(validation, candidates=typical, naive=naive)
    names, mase = validation.families, validation.mase()
    if len(members) > 1:
        names = (*names, combine.NAME)
        mase = np.concatenate([mase, validation.mase_of(combine.median(validation.forecasts, members))[None]])
    beating = _beating(mase, typical, naive)
    allowed = np.array([*beating, *range(len(families), len(names))])
    # In doubt the ensemble: a single family that led on four folds is more often lucky than better.
    home = len(allowed) - 1 if combine.NAME in names else None
    weight = select.weigh(mase[allowed], least=SCEPTIC_FOLDS)
    return Choice(
        families=names,
        family=allowed[select.pick(mase[allowed], prior_folds=weight, margin=SCEPTIC_MARGIN, home=home)],
        whole=_whole(validation.actual, counts),
        members=members,
        expects=_expects(validation, families, typical),
        tells=next((index for index in beating if index in validation.ends), None),
    )


def _beating(mase: Floats, typical: tuple[int, ...], naive: int | None) -> tuple[int, ...]:
    if naive is None:
        return typical
    overall = scores.mean(select.relative(mase[list(typical)]))
    limit = overall[typical.index(naive)]
    return tuple(index for index, score in zip(typical, overall, strict=True) if score < limit) or typical


def _expects(validation: Validation, families: Sequence[Forecaster], typical: tuple[int, ...]) -> int | None:
    expecting = [index for index, family in enumerate(families) if family.expects and index not in typical]
    if not expecting or not validation.folds:
        return expecting[0] if expecting else None
    rmsse = scores.scaled(scores.rmse(validation.actual, validation.forecasts[expecting]), validation.scale)
    overall = scores.mean(select.relative(rmsse.transpose(0, 2, 1)))
    return expecting[int(np.argmin(np.nan_to_num(overall, nan=np.inf)))]


def _whole(actual: Floats, counts: Floats | None) -> NDArray[np.bool_]:
    held_out, every = np.isfinite(actual).any(axis=(0, 2)), actual if counts is None else counts[None]
    return np.asarray(np.where(held_out, _are_whole(actual), np.isfinite(every).any(axis=(0, 2)) & _are_whole(every)))


def _are_whole(counts: Floats) -> NDArray[np.bool_]:
    return np.asarray((np.where(np.isfinite(counts), counts, 0.0) % 1 == 0).all(axis=(0, 2)))
