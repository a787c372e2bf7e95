"""Evidence, policy and verdict: the values that `observe` makes, `decide` judges and `loop` acts on."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """What the policy says of the evidence."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    HOLD = "hold"
    """Something is missing or suspect: traffic stays as it is, and no promotion is possible."""
    EXTEND = "extend"
    """Nothing is decided yet; measuring goes on."""
    SUSPEND = "suspend"
    """Nothing has been measured for long: the candidate gets no traffic until something is."""
    INCONCLUSIVE = "inconclusive"
    """Time is up without a difference; production stays."""
    REVERT = "revert"
    """After a promotion: the release that was beaten comes back."""


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


class Mode(StrEnum):
    """Which rule judges."""

    SPEC = "spec"
    """The plain rule at every look, exactly as `CompositePolicy` says."""
    SPEC_GUARDED = "spec_guarded"
    """The plain rule's lines, and beyond them an always-valid bound on the ratings; guardrails roll back."""
    EVIDENCE = "evidence"
    """First ratings matched within the hour, paired realised errors, guardrails, split health."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePolicy:
    """Every line that the sequential policy draws. An alpha bounds, over all looks together, the chance to cross its line by luck."""

    mode: Mode = Mode.EVIDENCE
    composite: CompositePolicy = CompositePolicy()

    slow_ms: float = 1000.0
    """The latency objective: a forecast that took longer is a bad request."""

    warmup_requests: int = 200
    """Replayed requests that a candidate answers before it meets a user; they count for nothing else."""
    level_ratio: float = 1.25
    """How many times as much as production, or as little, a candidate may expect of a target before a person has to let it be tried;
    only one that is also further from what came lately is asked about."""
    canary_share: float = 0.05
    canary_hours: float = 2.0
    """Guardrails alone judge this stage; its ratings are discarded, because its share is another one."""
    ab_share: float = 0.20
    """Constant for the whole stage: a pooled comparison over a changing share takes drift for an effect."""
    min_ab_hours: float = 48.0
    max_ab_hours: float = 336.0
    min_requests: int = 500
    """On each track, before a promotion."""
    min_raters: int = 50
    """On each track, before a promotion by ratings; with fewer, a promotion by errors waits for a person."""

    alpha_promote_ratings: float = 0.025
    alpha_promote_errors: float = 0.025
    alpha_not_inferior: float = 0.05
    """Of taking ratings for not inferior, where errors promote."""
    alpha_harm_ratings: float = 0.05
    alpha_harm_errors: float = 0.025
    alpha_guardrail: float = 0.01
    alpha_split: float = 0.01

    bets: tuple[float, ...] = (0.1, 0.155, 0.241, 0.374, 0.580, 0.9)
    """Stakes of the rating test: geometric from small effects to large ones."""
    margin: float = 0.15
    """Rating points that a candidate with lower errors may lose."""
    rating_restart_hours: float = 24.0
    """How often the test for harm starts afresh, so that harm which begins late is found soon."""
    carry_hours: int = 24
    """Ratings wait at most this long for a partner on the other track."""
    best_day_e: float = 2.0
    """What the ratings must still say, as an e-value, when the best single day is left out: no one-day burst promotes."""

    bad_ratio: float = 1.5
    """Bad requests per request that a candidate may have, relative to production's, before it is harm."""
    bad_floor: float = 0.001
    """Bad requests per request that production is taken to have at least."""
    bad_odds: tuple[float, ...] = (1.5, 2.0, 4.0, 8.0, 16.0)
    min_bad: int = 5
    guardrail_restart_hours: float = 6.0

    min_weeks: int = 4
    expected_weeks: float = 8.0
    """Where the error bound is tightest, in weeks."""
    expected_raters: float = 600.0
    """Read by nothing. It stays: recorded policies are known by a digest of all parameters, and a POLICY may name it."""

    split_concentration: float = 1000.0
    split_soft_p: float = 0.01
    """A promotion needs the chi-square p of clients and of raters to be at least this."""
    day_soft_p: float = 0.001
    """The same for today's raters."""
    quarantine_p: float = 0.0001
    """A day whose raters split less likely than this counts for no gain: chosen by counts, never by values. It still counts for harm."""

    hold_after: int = 2
    """Looks in a row without data."""
    suspend_after: int = 6

    needs_approval: bool = False
    approval_hours: float = 24.0
    cooldown_hours: float = 24.0
    """After a rollback; doubles with each further one."""
    max_cooldown_hours: float = 168.0

    watch_holdback: float = 0.10
    """Clients that stay with the beaten release after a promotion, to compare with."""
    watch_hours: float = 72.0
    watch_raters: int = 200
    """On each track: with fewer the watch goes on, as long as anyone rates,"""
    max_watch_hours: float = 336.0
    """and at most for so long."""
    alpha_watch: float = 0.01
    shadow_weeks: int = 4
    """Weeks after a promotion on which the beaten release is still scored."""
