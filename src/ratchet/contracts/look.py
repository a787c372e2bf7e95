"""One look at an experiment: what is new since the last one. `observe` fills it, `decide` judges it, the audit keeps it.

Everything counts by the track that a client was *assigned* to, not by the one that served: a fallback is the candidate's failure.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ratchet.contracts.policy import Evidence


class Cadence(StrEnum):
    """How much a look may judge."""

    HOURLY = "hourly"
    MINUTE = "minute"
    """Guardrails, and what needs no evidence: a warm-up that is done, a promotion that every worker serves."""


class OrderKind(StrEnum):
    """What a person may ask for."""

    HOLD = "hold"
    CLEAR = "clear"
    """Ends a hold, also one that the split's health caused."""
    APPROVE = "approve"
    DENY = "deny"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    REVERT = "revert"
    """After a promotion: the release that was beaten comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A person's word. It goes before every rule but the guardrail."""

    kind: OrderKind
    who: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackCounts:
    """One track since the last look. `None` is what nobody could measure; it is never zero."""

    requests: float | None
    bad_requests: float | None
    """5xx, timeout, answered by fallback, or slower than the latency objective; at most one per client and minute."""
    new_clients: float | None
    """Clients assigned for the first time in this stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HourOfRatings:
    """The first accepted rating of each client in this stage, if it arrived in this hour; in order of arrival."""

    hour: datetime
    """Its beginning. Only complete hours are looked at."""
    production: tuple[float, ...]
    candidate: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedLoss:
    """How wrong both releases were about one series in one week."""

    series: str
    production: float
    candidate: float
    asked: float = 0.0
    """How often users asked for this series lately: shown, not judged by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekOfLosses:
    """One matured week, on which both releases forecast out of sample and neither was selected."""

    week: datetime
    losses: tuple[PairedLoss, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What two releases expect of a target's coming weeks, relative to what its series had lately: 1 is as much. Medians over series."""

    target: str
    production: float
    candidate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Forecasts of one target since the last look, by the side that their clients were assigned to."""

    target: str
    production: int
    candidate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What else was so at a look: shown and kept, never judged by. None is what nobody could say."""

    data_age_hours: float | None = None
    """Since the newest hour in gold."""
    drifting: tuple[str, ...] | None = None
    """The features of an alarm of drift that lasts."""
    segments: tuple[Segment, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is new since the last look of this experiment."""

    at: datetime
    production: TrackCounts
    candidate: TrackCounts
    hours: tuple[HourOfRatings, ...] | None = ()
    """Complete hours of ratings that no look has held yet, oldest first; None where feedback is away. An hour seen twice counts once."""
    weeks: tuple[WeekOfLosses, ...] = ()
    share: float | None = None
    """The candidate's share of clients that was in force, as the router says; None if that is not known."""
    gaps: tuple[str, ...] = ()
    """What `observe` knows to be wrong with this look, in words: a counter that was reset, a scrape gap, clocks apart."""
    cadence: Cadence = Cadence.HOURLY
    waits_for: str = ""
    """What a queued candidate waits for: another experiment, or the end of a cool-down. Empty: it may start."""
    is_ready: bool = True
    """Every worker of the track that is to change serves what it should: after a deployment, and after a promotion."""
    replayed_requests: int = 0
    levels: tuple[Level, ...] = ()
    """What a candidate that is warm expects beside production, by target; empty where nobody could say."""
    order: Order | None = None
    evidence: Evidence | None = None
    """What the plain rule reads: cumulative, and shown in every mode."""
    surroundings: Surroundings | None = None
