"""First ratings by day: a day whose raters split implausibly never counts as gain, and no single day may carry a promotion."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ratchet.contracts.look import HourOfRatings
from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide.betting import HIGHEST, LOWEST, Betting, bet_on_hour, no_bets
from ratchet.decide.mixtures import log_mean_exp
from ratchet.decide.split_health import split_p


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyRatings:
    """The rating test now and as it stood when the day began, so that a day can be taken back."""

    betting: Betting
    before_today: Betting
    day: str = ""
    today: tuple[int, int] = (0, 0)
    """Raters of both tracks, production's first."""
    is_quarantined: bool = False
    quarantined_days: int = 0
    gains: tuple[tuple[float, ...], ...] = ()
    """What each finished day added to the log wealth on "better"."""
    through: datetime | None = None
    """The newest hour that was seen, or passed over."""
    unreadable: int = 0
    """Ratings that are none: not from 1 to 5."""

    def log_better_without_best_day(self) -> float:
        """Evidence for better ratings that is left without the day that speaks most for it."""
        total = self.betting.better
        today = tuple(now - before for now, before in zip(total, self.before_today.better, strict=True))
        days = (*self.gains, today)
        return min(log_mean_exp([t - g for t, g in zip(total, day, strict=True)]) for day in days)


def no_ratings(policy: EvidencePolicy) -> DailyRatings:
    """Before anyone rated."""
    nothing = no_bets(policy)
    return DailyRatings(betting=nothing, before_today=nothing)


def add_hour(
    ratings: DailyRatings, hour: HourOfRatings, *, since: datetime, share: float, policy: EvidencePolicy
) -> DailyRatings:
    """With one more complete hour; an hour that is not newer than what was seen changes nothing."""
    if ratings.through is not None and hour.hour <= ratings.through:
        return ratings
    day = hour.hour.date().isoformat()
    if day != ratings.day:
        ratings = _next_day(ratings, day)
    production, candidate = _readable(hour.production), _readable(hour.candidate)
    unreadable = len(hour.production) + len(hour.candidate) - len(production) - len(candidate)
    today = (ratings.today[0] + len(production), ratings.today[1] + len(candidate))
    elapsed = max((hour.hour - since).total_seconds() / 3600.0, 0.0)
    betting = bet_on_hour(ratings.betting, production, candidate, elapsed_hours=elapsed, policy=policy)
    odd = ratings.is_quarantined or split_p(today, share=share) < policy.quarantine_p
    return DailyRatings(
        betting=_without_gain(betting, ratings.before_today) if odd else betting,
        before_today=ratings.before_today,
        day=day,
        today=today,
        is_quarantined=odd,
        quarantined_days=ratings.quarantined_days + (odd and not ratings.is_quarantined),
        gains=ratings.gains,
        through=hour.hour,
        unreadable=ratings.unreadable + unreadable,
    )


def pass_over(ratings: DailyRatings, hours: Sequence[HourOfRatings]) -> DailyRatings:
    """Without these hours, for good: one track had no share in them, so that its raters say nothing about the split."""
    newest = max((hour.hour for hour in hours), default=None)
    if newest is None or (ratings.through is not None and newest <= ratings.through):
        return ratings
    return replace(ratings, through=newest)


def _without_gain(betting: Betting, before: Betting) -> Betting:
    """Nothing that speaks for the candidate is left of the day; harm stays: a bad release may well be what makes people rate."""
    return replace(
        betting,
        better=before.better,
        not_inferior=before.not_inferior,
        raters=before.raters,
        differences=before.differences,
    )


def _next_day(ratings: DailyRatings, day: str) -> DailyRatings:
    gain = tuple(now - before for now, before in zip(ratings.betting.better, ratings.before_today.better, strict=True))
    gains = (*ratings.gains, gain) if any(gain) else ratings.gains
    return replace(ratings, before_today=ratings.betting, day=day, today=(0, 0), is_quarantined=False, gains=gains)


def _readable(ratings: tuple[float, ...]) -> tuple[float, ...]:
    """Without what is no rating; NaN is none, since it compares as false."""
    if all(LOWEST <= rating <= HIGHEST for rating in ratings):
        return ratings
    return tuple(rating for rating in ratings if LOWEST <= rating <= HIGHEST)
