"""A person's word on an experiment, with their reason in the record."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ratchet.contracts.look import Look, Order, OrderKind
from ratchet.contracts.policy import EvidencePolicy, Verdict
from ratchet.decide.outcome import Outcome, conclude, stay
from ratchet.decide.state import AFTER_PROMOTION, ON_TRIAL, Stage, State

MEANT: Final[Mapping[OrderKind, tuple[Verdict, ...]]] = {
    OrderKind.HOLD: (Verdict.HOLD,),
    OrderKind.CLEAR: (Verdict.EXTEND,),
    OrderKind.PROMOTE: (Verdict.PROMOTE,),
    OrderKind.APPROVE: (Verdict.PROMOTE,),
    OrderKind.DENY: (Verdict.INCONCLUSIVE,),
    OrderKind.ROLLBACK: (Verdict.ROLLBACK, Verdict.REVERT),
    OrderKind.REVERT: (Verdict.REVERT,),
}
"""What a look says whose order was obeyed: a stage may not allow it, and a guardrail may have spoken first."""


def obey(state: State, look: Look, order: Order, scores: dict[str, float], policy: EvidencePolicy) -> Outcome:
    """Do what a person asks for where the stage allows it; else say why not, and change nothing."""
    words = f"{order.kind.value} by {order.who}: {order.why}"
    if order.kind is OrderKind.HOLD:
        return stay(replace(state, held_by=words), Verdict.HOLD, words, scores)
    if order.kind is OrderKind.CLEAR:
        return stay(_cleared(state), Verdict.EXTEND, words, scores)
    ending = _ending(order.kind, state.stage)
    if ending is None:
        return stay(state, Verdict.EXTEND, f"{words}: not possible while {state.stage.value}", scores)
    stage, verdict = ending
    return conclude(state, stage, look.at, verdict, words, scores, policy)


def _ending(kind: OrderKind, stage: Stage) -> tuple[Stage, Verdict] | None:
    asked = stage is Stage.AWAITING_APPROVAL
    if kind is OrderKind.REVERT:
        return (Stage.ROLLED_BACK, Verdict.REVERT) if stage in {*AFTER_PROMOTION, Stage.DONE} else None
    if kind is OrderKind.ROLLBACK:
        return Stage.ROLLED_BACK, Verdict.REVERT if stage in AFTER_PROMOTION else Verdict.ROLLBACK
    if kind is OrderKind.DENY and asked:
        return Stage.INCONCLUSIVE, Verdict.INCONCLUSIVE
    if (kind is OrderKind.PROMOTE and stage in ON_TRIAL) or (kind is OrderKind.APPROVE and asked):
        return Stage.PROMOTING, Verdict.PROMOTE
    return None


def _cleared(state: State) -> State:
    """What was alarming is forgotten, and watched for afresh."""
    return replace(
        state,
        held_by="",
        level_alarm="",
        is_level_cleared=state.is_level_cleared or bool(state.level_alarm),
        split_alarm="",
        clients=(0.0, 0.0),
        cleared_raters=state.ratings.betting.raters,
    )
