"""Evidence, policy and verdict: the values that `observe` makes, `decide` judges and `loop` acts on."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """What the policy says of the evidence."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    HOLD = "hold"
    EXTEND = "extend"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackEvidence:
    """One track since the experiment began. `None` is what nobody could measure; it is never zero."""

    release: str
    """The release's name on this track, such as `BO1`."""
    requests: int | None
    errors: int | None
    latency_ms: float | None
    ratings: int | None
    rating: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything measured about one experiment up to one moment: on the hour for scheduled looks, any time for looks by hand."""

    experiment_id: int
    at: datetime
    since: datetime
    production: TrackEvidence
    candidate: TrackEvidence


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositePolicy:
    """The plain rule: a score from ratings and latency, compared as a ratio."""

    rating_weight: float = 0.7
    latency_weight: float = 0.3
    latency_budget_ms: float = 5000.0
    min_requests: int = 50
    min_ratings: int = 10
    promote_above: float = 1.05
    rollback_below: float = 0.80


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict with its reason and the figures behind it, ready to be written down."""

    verdict: Verdict
    reason: str
    scores: dict[str, float]
