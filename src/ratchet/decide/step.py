"""One look: a state and what is new in, the next state and a decision with its reason out.

The order is fixed: a look is folded in; the guardrail; a person's word; what is missing; the split's health; harm; time; gain.
"""

from dataclasses import replace

from ratchet.contracts.look import Cadence, Look, OrderKind
from ratchet.contracts.policy import EvidencePolicy, Verdict
from ratchet.decide.figures import Figures, figures
from ratchet.decide.fold import fold
from ratchet.decide.gaps import find_gaps
from ratchet.decide.mixtures import log_threshold
from ratchet.decide.orders import obey
from ratchet.decide.outcome import Outcome, conclude, stay
from ratchet.decide.stages import after_promotion, before_trial, in_canary, waits_for_approval
from ratchet.decide.state import EXPOSED, ON_TRIAL, OVER, Stage, State, asks_a_person, is_plain
from ratchet.decide.trial import judge_trial

PROMPT = frozenset({Stage.QUEUED, Stage.WARMUP, Stage.PROMOTING})
"""What these wait for is no evidence: a look at any cadence moves them on."""


def step(state: State, look: Look, policy: EvidencePolicy) -> Outcome:
    """Judge one look. The same state, look and policy always give the same answer, to the last bit."""
    after, decision = _judge(state, look, policy)
    scores = decision.scores | {"asks_a_person": float(asks_a_person(after))}
    return Outcome(after, replace(decision, scores=scores))


def _judge(state: State, look: Look, policy: EvidencePolicy) -> Outcome:
    if state.stage in OVER and not _is_late_revert(state, look):
        return stay(state, Verdict.EXTEND, f"the experiment is over: {state.stage.value}", {})
    gaps = find_gaps(state, look, policy)
    state = fold(state, look, gaps, policy)
    seen = figures(state, look, policy)
    stopped = _guard(state, look, seen, policy)
    if stopped:
        return stopped
    if look.order is not None:
        return obey(state, look, look.order, seen.scores(state), policy)
    if look.cadence is Cadence.MINUTE and state.stage not in PROMPT:
        return stay(state, Verdict.EXTEND, "guardrails hold", seen.scores(state))
    return _judge_hour(state, look, gaps, seen, policy)


def _is_late_revert(state: State, look: Look) -> bool:
    """A person may take a promotion back also when its watch is over."""
    return state.stage is Stage.DONE and look.order is not None and look.order.kind is OrderKind.REVERT


def _guard(state: State, look: Look, seen: Figures, policy: EvidencePolicy) -> Outcome | None:
    """Bad requests end it in every stage that clients meet, also while somebody is asked for approval."""
    if state.stage not in EXPOSED or is_plain(policy):
        return None
    alpha = policy.alpha_watch if state.stage is Stage.WATCH else policy.alpha_guardrail
    if seen.log_guardrail < log_threshold(alpha) or state.guardrail.bad < policy.min_bad:
        return None
    verdict = Verdict.ROLLBACK if state.stage in ON_TRIAL else Verdict.REVERT
    reason = (
        f"{state.guardrail.bad:g} bad requests of the candidate are more than {policy.bad_ratio:g} times production's: "
        f"ln E {seen.log_guardrail:.2f} at or above {log_threshold(alpha):.2f}"
    )
    return conclude(state, Stage.ROLLED_BACK, look.at, verdict, reason, seen.scores(state), policy)


def _judge_hour(state: State, look: Look, gaps: tuple[str, ...], seen: Figures, policy: EvidencePolicy) -> Outcome:
    if state.stage in (Stage.QUEUED, Stage.WARMUP):
        return before_trial(state, look, seen, policy)
    if gaps and not is_plain(policy):
        return _wait_for_data(state, look, gaps, seen, policy)
    if state.is_suspended:
        resumed = replace(state, is_suspended=False)
        return stay(resumed, Verdict.EXTEND, "data is back: the candidate gets its share again", seen.scores(state))
    if state.stage is Stage.CANARY and not is_plain(policy):
        return in_canary(state, look, seen, policy)
    if state.stage in (Stage.PROMOTING, Stage.WATCH):
        return after_promotion(state, look, seen, policy)
    return waits_for_approval(state, look, seen, policy) or judge_trial(state, look, seen, policy)


def _wait_for_data(state: State, look: Look, gaps: tuple[str, ...], seen: Figures, policy: EvidencePolicy) -> Outcome:
    """Nothing is concluded from what is missing, but time still runs out."""
    reason = f"look {state.missing} in a row without data: {'; '.join(gaps)}"
    scores = seen.scores(state)
    if state.stage is Stage.AB and state.hours_in_stage(look.at) >= policy.max_ab_hours:
        reason = f"time is up after {policy.max_ab_hours:g} h, {reason}; production stays"
        return conclude(state, Stage.INCONCLUSIVE, look.at, Verdict.INCONCLUSIVE, reason, scores, policy)
    if state.missing >= policy.suspend_after and state.stage in ON_TRIAL:
        return stay(
            replace(state, is_suspended=True), Verdict.SUSPEND, f"{reason}; no traffic until it is back", scores
        )
    verdict = Verdict.HOLD if state.missing >= policy.hold_after else Verdict.EXTEND
    return stay(state, verdict, reason, scores)
