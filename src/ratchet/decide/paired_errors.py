"""Realised errors of both releases on the same series and weeks: the sharpest evidence, if weeks are not taken for independent.

Per series and week x = (L_production - L_candidate) / (L_production + L_candidate), in [-1, 1], positive where the candidate is
better. Series share a week's shocks, so the variance has two parts:

    se^2 = Var_s(mean over weeks) / S + Var_w(mean over series) / W

(two-way clustering: Cameron, Gelbach and Miller 2011, JBES 29; the sum of both parts, without subtracting their overlap, errs on the
safe side), and the sample size of the confidence sequence is the number of weeks.
"""

import math
from dataclasses import dataclass

from ratchet.contracts.look import PairedLoss, WeekOfLosses
from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide.intervals import Interval, width_factor


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedErrors:
    """All that is kept of the weeks seen: one mean per week, one sum per series. A new week costs what is in it."""

    weeks: tuple[tuple[str, float], ...] = ()
    """(week, mean score over its series), oldest first."""
    series: tuple[tuple[str, float, int], ...] = ()
    """(series, sum of scores, weeks), in order of name."""
    asked: tuple[float, float] = (0.0, 0.0)
    """(sum of scores, sum of weights), each series weighted by how often users asked for it: shown only."""

    @property
    def asked_score(self) -> float | None:
        """The score as users met it; None where nobody asked."""
        return self.asked[0] / self.asked[1] if self.asked[1] > 0 else None


def score(loss: PairedLoss) -> float | None:
    """Between -1 and 1; 0 where both are equally wrong, also where neither is wrong at all; None where either is unknown."""
    total = loss.production + loss.candidate
    if not math.isfinite(total) or min(loss.production, loss.candidate) < 0:
        return None
    return (loss.production - loss.candidate) / total if total > 0 else 0.0


def add_week(errors: PairedErrors, week: WeekOfLosses) -> PairedErrors:
    """With one more week; a week that was seen before, or in which nothing is known, changes nothing."""
    name = week.week.isoformat()
    scores = {loss.series: x for loss in week.losses if (x := score(loss)) is not None}
    if not scores or any(known == name for known, _ in errors.weeks):
        return errors
    sums = {series: (total, weeks) for series, total, weeks in errors.series}
    for series, x in sorted(scores.items()):
        total, weeks = sums.get(series, (0.0, 0))
        sums[series] = (total + x, weeks + 1)
    mean = math.fsum(scores.values()) / len(scores)
    weights = {loss.series: loss.asked for loss in week.losses if loss.series in scores and loss.asked > 0}
    weighted = math.fsum(scores[series] * weight for series, weight in weights.items())
    return PairedErrors(
        asked=(errors.asked[0] + weighted, errors.asked[1] + math.fsum(weights.values())),
        weeks=tuple(sorted((*errors.weeks, (name, mean)))),
        series=tuple((series, total, weeks) for series, (total, weeks) in sorted(sums.items())),
    )


def error_bounds(errors: PairedErrors, *, alpha: float, policy: EvidencePolicy) -> Interval | None:
    """The score with a lower and an upper bound, each one-sided at `alpha`; None before `min_weeks` or with fewer than two series."""
    if len(errors.weeks) < max(2, policy.min_weeks) or len(errors.series) < 2:
        return None
    by_series = [total / weeks for _, total, weeks in errors.series]
    by_week = [mean for _, mean in errors.weeks]
    estimate = math.fsum(by_week) / len(by_week)
    error = math.sqrt(_variance(by_series) / len(by_series) + _variance(by_week) / len(by_week))
    half = error * width_factor(len(by_week), alpha=alpha, expected=policy.expected_weeks)
    return Interval(low=estimate - half, estimate=estimate, high=estimate + half)


def _variance(values: list[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
