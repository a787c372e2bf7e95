"""What a look leads to: the next state and the decision."""

from datetime import datetime
from typing import NamedTuple

from ratchet.contracts.policy import Decision, EvidencePolicy, Verdict
from ratchet.decide.state import Stage, State, enter


class Outcome(NamedTuple):
    """The next state, and what to write down and do."""

    state: State
    decision: Decision


def stay(state: State, verdict: Verdict, reason: str, scores: dict[str, float]) -> Outcome:
    """Remain in this stage."""
    return Outcome(state, Decision(verdict=verdict, reason=reason, scores=scores))


def conclude(  # noqa: PLR0913, PLR0917  # every argument is one column of the audit row
    state: State,
    stage: Stage,
    at: datetime,
    verdict: Verdict,
    reason: str,
    scores: dict[str, float],
    policy: EvidencePolicy,
) -> Outcome:
    """Move to another stage."""
    return Outcome(enter(state, stage, at, policy), Decision(verdict=verdict, reason=reason, scores=scores))
