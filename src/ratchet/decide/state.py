"""Where an experiment stands: all that a look needs of the past, and nothing that grows with its age but days and weeks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from ratchet.contracts.policy import EvidencePolicy, Mode
from ratchet.decide.days import DailyRatings, no_ratings
from ratchet.decide.guardrail import Guardrail, no_traffic
from ratchet.decide.intervals import Interval
from ratchet.decide.paired_errors import PairedErrors


class Stage(StrEnum):
    """What an experiment goes through, in this order; it may be rolled back from any."""

    QUEUED = "queued"
    WARMUP = "warmup"
    CANARY = "canary"
    AB = "ab"
    AWAITING_APPROVAL = "awaiting_approval"
    PROMOTING = "promoting"
    WATCH = "watch"
    DONE = "done"
    ROLLED_BACK = "rolled_back"
    INCONCLUSIVE = "inconclusive"


OVER = frozenset({Stage.DONE, Stage.ROLLED_BACK, Stage.INCONCLUSIVE})
ON_TRIAL = frozenset({Stage.CANARY, Stage.AB, Stage.AWAITING_APPROVAL})
AFTER_PROMOTION = frozenset({Stage.PROMOTING, Stage.WATCH})
EXPOSED = ON_TRIAL | AFTER_PROMOTION
"""Clients meet the candidate."""
SHARES: Final[Mapping[Stage, str]] = {
    Stage.CANARY: "canary_share",
    Stage.AB: "ab_share",
    Stage.AWAITING_APPROVAL: "ab_share",
    Stage.PROMOTING: "ab_share",
    Stage.WATCH: "watch_holdback",
}
"""The parameter that says how clients are split in a stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One experiment between two looks. Pairs are (production, candidate)."""

    stage: Stage
    since: datetime
    """When this stage began."""
    compared_since: datetime
    """When what is compared began to count: on trial, and anew after a promotion."""
    counted_since: datetime
    """When clients, requests and first ratings began to count: each stage that compares counts its own."""
    guardrail: Guardrail
    ratings: DailyRatings
    errors: PairedErrors = field(default_factory=PairedErrors)
    error_low: float | None = None
    """Lower bound of the error score: above 0, the candidate's errors are lower."""
    error_high: float | None = None
    requests: tuple[float, float] = (0.0, 0.0)
    """In the stage that compares."""
    clients: tuple[float, float] = (0.0, 0.0)
    cleared_raters: tuple[int, int] = (0, 0)
    """Raters whose split a person has cleared."""
    missing: int = 0
    """Looks in a row without data."""
    is_suspended: bool = False
    held_by: str = ""
    """Who holds it, and why."""
    level_alarm: str = ""
    """What a warm candidate expects that a person has to look at before anybody meets it."""
    is_level_cleared: bool = False
    split_alarm: str = ""
    """Why the split is not to be trusted; a person clears it."""

    @property
    def is_held(self) -> bool:
        """No promotion is possible."""
        return bool(self.held_by or self.split_alarm)

    def hours_in_stage(self, at: datetime) -> float:
        """Hours since this stage began."""
        return (at - self.since).total_seconds() / 3600.0


def queued(at: datetime, policy: EvidencePolicy) -> State:
    """A new experiment."""
    return State(
        stage=Stage.QUEUED,
        since=at,
        compared_since=at,
        counted_since=at,
        guardrail=no_traffic(policy),
        ratings=no_ratings(policy),
    )


def enter(state: State, stage: Stage, at: datetime, policy: EvidencePolicy) -> State:
    """The state as a stage begins. What is compared starts afresh on trial and in the watch; the guardrail outlasts the trial."""
    moved = replace(state, stage=stage, since=at, missing=0, is_suspended=False)
    if stage not in (Stage.CANARY, Stage.AB, Stage.WATCH):
        return moved
    fresh = replace(
        moved,
        counted_since=at,
        ratings=no_ratings(policy),
        requests=(0.0, 0.0),
        clients=(0.0, 0.0),
        cleared_raters=(0, 0),
    )
    if stage is Stage.AB:
        # The guardrail's clock goes on; it began with the first client.
        return replace(fresh, compared_since=state.compared_since if state.stage is Stage.CANARY else at)
    guarded = replace(fresh, guardrail=no_traffic(policy), compared_since=at)
    if stage is Stage.WATCH:
        return replace(guarded, errors=PairedErrors(), error_low=None, error_high=None)
    return guarded


def kept(policy: EvidencePolicy, judged_by: EvidencePolicy, stage: Stage) -> EvidencePolicy:
    """The policy for an experiment that a look before left in this stage: what it counts in stays as that look had it.

    Its wealth is counted in stakes, and its clients and raters in the share that the stage began with.
    """
    names = ["bets", "bad_odds", *([SHARES[stage]] if stage in SHARES else [])]
    return replace(policy, **{name: getattr(judged_by, name) for name in names})


def with_bounds(state: State, low: Interval | None, high: Interval | None) -> State:
    """The state with new bounds of the error score; None where there are none yet."""
    return replace(state, error_low=low.low if low else None, error_high=high.high if high else None)


def share(state: State, policy: EvidencePolicy, at: datetime) -> float:
    """The share of clients that the candidate should have now; after its promotion, all but those held back to compare."""
    if state.is_suspended or state.stage in (Stage.QUEUED, Stage.WARMUP, Stage.ROLLED_BACK, Stage.INCONCLUSIVE):
        return 0.0
    if state.stage is Stage.CANARY:
        return policy.canary_share
    if state.stage in (Stage.AB, Stage.AWAITING_APPROVAL, Stage.PROMOTING):
        return policy.ab_share
    return 1.0 if state.stage is Stage.DONE or is_shadowed(state, policy, at) else 1.0 - policy.watch_holdback


def is_shadowed(state: State, policy: EvidencePolicy, at: datetime) -> bool:
    """After the watch over live traffic: the beaten release is only scored, and another experiment may begin.

    Where few people rate, the watch goes on until enough of them have, as long as anyone does.
    """
    hours, raters = state.hours_in_stage(at), min(state.ratings.betting.raters)
    if state.stage is not Stage.WATCH or hours <= policy.watch_hours:
        return False
    return not 0 < raters < policy.watch_raters or hours > policy.max_watch_hours


def asks_a_person(state: State) -> bool:
    """Whether it goes no further until a person says something; an alarm of a stage that is over asks nobody."""
    if state.stage in ON_TRIAL:
        return state.stage is Stage.AWAITING_APPROVAL or bool(state.split_alarm)
    return state.stage is Stage.WARMUP and bool(state.level_alarm)


def is_plain(policy: EvidencePolicy) -> bool:
    """The plain rule as written knows no stages but the trial itself."""
    return policy.mode is Mode.SPEC
