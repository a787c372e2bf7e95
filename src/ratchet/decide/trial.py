"""The trial's rules, in their order: split health, harm, time, gain."""

import math
from dataclasses import replace

from ratchet.contracts.look import Look
from ratchet.contracts.policy import Decision, EvidencePolicy, Mode, Verdict
from ratchet.decide.composite import decide
from ratchet.decide.figures import Figures, soft_split_problem
from ratchet.decide.mixtures import log_threshold
from ratchet.decide.outcome import Outcome, conclude, stay
from ratchet.decide.state import Stage, State


def judge_trial(state: State, look: Look, seen: Figures, policy: EvidencePolicy) -> Outcome:
    """Judge a look at a trial with all its data there, by the rule that the mode names."""
    if policy.mode is not Mode.EVIDENCE:
        return _judge_plainly(state, look, seen, policy)
    return (
        _split_alarm(state, seen, policy)
        or _harm(state, look, seen, policy)
        or _time_up(state, look, seen, policy)
        or _gain(state, look, seen, policy)
        or _go_on(state, seen, policy)
    )


def _split_alarm(state: State, seen: Figures, policy: EvidencePolicy) -> Outcome | None:
    """Once alarmed, nothing but the guardrail acts until a person clears it."""
    line = log_threshold(policy.alpha_split)
    if not state.split_alarm and seen.log_split >= line:
        reason = f"clients do not arrive in the shares that were set: ln E {seen.log_split:.2f} at or above {line:.2f}"
        state = replace(state, split_alarm=reason)
    return stay(state, Verdict.HOLD, state.split_alarm, seen.scores(state)) if state.split_alarm else None


def _harm(state: State, look: Look, seen: Figures, policy: EvidencePolicy) -> Outcome | None:
    line = log_threshold(policy.alpha_harm_ratings)
    if seen.log_worse >= line:
        reason = f"ratings are worse: ln E- {seen.log_worse:.2f} at or above {line:.2f}"
    elif seen.error_high is not None and seen.error_high < 0:
        reason = f"errors are higher: upper bound {seen.error_high:.4f} of the score below 0"
    else:
        return None
    return conclude(state, Stage.ROLLED_BACK, look.at, Verdict.ROLLBACK, reason, seen.scores(state), policy)


def _time_up(state: State, look: Look, seen: Figures, policy: EvidencePolicy) -> Outcome | None:
    if state.stage is not Stage.AB or state.hours_in_stage(look.at) < policy.max_ab_hours:
        return None
    reason = f"no difference found in {policy.max_ab_hours:g} h; production stays"
    return conclude(state, Stage.INCONCLUSIVE, look.at, Verdict.INCONCLUSIVE, reason, seen.scores(state), policy)


def _gain(state: State, look: Look, seen: Figures, policy: EvidencePolicy) -> Outcome | None:
    """Only in the A/B stage: what waits for approval has gained already."""
    if state.stage is not Stage.AB:
        return None
    by_ratings = _gain_by_ratings(seen, policy)
    doubt = _doubt_about_ratings(state, policy) if by_ratings else None
    gain = (None if doubt else by_ratings) or _gain_by_errors(seen, policy)
    scores = seen.scores(state)
    obstacle = (state.held_by or _unmet(state, look, policy)) if gain else doubt
    if obstacle:
        verdict = Verdict.HOLD if state.held_by else Verdict.EXTEND
        return stay(state, verdict, f"{gain or by_ratings}; not yet: {obstacle}", scores)
    if gain is None:
        return None
    if policy.needs_approval or min(state.ratings.betting.raters) < policy.min_raters:
        why = "approval is required" if policy.needs_approval else f"fewer than {policy.min_raters} raters on a track"
        reason = f"{gain}; waits for a person, because {why}"
        return conclude(state, Stage.AWAITING_APPROVAL, look.at, Verdict.EXTEND, reason, scores, policy)
    return conclude(state, Stage.PROMOTING, look.at, Verdict.PROMOTE, gain, scores, policy)


def _gain_by_ratings(seen: Figures, policy: EvidencePolicy) -> str | None:
    line = log_threshold(policy.alpha_promote_ratings)
    return (
        f"ratings are better: ln E+ {seen.log_better:.2f} at or above {line:.2f}" if seen.log_better >= line else None
    )


def _doubt_about_ratings(state: State, policy: EvidencePolicy) -> str | None:
    raters = min(state.ratings.betting.raters)
    if raters < policy.min_raters:
        return f"{raters} of {policy.min_raters} raters on a track"
    left = state.ratings.log_better_without_best_day()
    if left < math.log(policy.best_day_e):
        return f"one day carries it: without its best day ln E+ is {left:.2f} of {math.log(policy.best_day_e):.2f}"
    return None


def _gain_by_errors(seen: Figures, policy: EvidencePolicy) -> str | None:
    line = log_threshold(policy.alpha_not_inferior)
    if seen.error_low is None or seen.error_low <= 0 or seen.log_not_inferior < line:
        return None
    return (
        f"errors are lower (lower bound {seen.error_low:.4f} of the score above 0) and ratings lose at most "
        f"{policy.margin:g} points (ln E {seen.log_not_inferior:.2f} at or above {line:.2f})"
    )


def _unmet(state: State, look: Look, policy: EvidencePolicy) -> str | None:
    hours = state.hours_in_stage(look.at)
    if hours < policy.min_ab_hours:
        return f"{hours:.1f} of {policy.min_ab_hours:g} h"
    if min(state.requests) < policy.min_requests:
        return f"{min(state.requests):g} of {policy.min_requests} requests on a track"
    return soft_split_problem(state, look.at, policy)


def _go_on(state: State, seen: Figures, policy: EvidencePolicy) -> Outcome:
    """Nothing is decided; the reason says how far each case has come."""
    scores = seen.scores(state)
    if state.is_held:
        return stay(state, Verdict.HOLD, state.held_by, scores)
    better, worse = log_threshold(policy.alpha_promote_ratings), log_threshold(policy.alpha_harm_ratings)
    reason = f"ln E+ {seen.log_better:.2f} of {better:.2f}, ln E- {seen.log_worse:.2f} of {worse:.2f}"
    return stay(state, Verdict.EXTEND, reason, scores)


def _judge_plainly(state: State, look: Look, seen: Figures, policy: EvidencePolicy) -> Outcome:
    if look.evidence is None:
        return stay(state, Verdict.HOLD, "the plain rule's figures are missing", seen.scores(state))
    said = decide(look.evidence, policy.composite)
    if policy.mode is Mode.SPEC_GUARDED:
        said = _guarded(said, seen, policy)
    scores = {**seen.scores(state), **said.scores}
    if state.is_held and said.verdict is Verdict.PROMOTE:
        return stay(state, Verdict.HOLD, state.held_by, scores)
    if said.verdict is Verdict.PROMOTE:
        return conclude(state, Stage.PROMOTING, look.at, Verdict.PROMOTE, said.reason, scores, policy)
    if said.verdict is Verdict.ROLLBACK:
        return conclude(state, Stage.ROLLED_BACK, look.at, Verdict.ROLLBACK, said.reason, scores, policy)
    late = _time_up(state, look, seen, policy) if policy.mode is Mode.SPEC_GUARDED else None
    return late or stay(state, said.verdict, said.reason, scores)


def _guarded(said: Decision, seen: Figures, policy: EvidencePolicy) -> Decision:
    """The plain verdict where the bets agree with it; else hold."""
    agrees = {
        Verdict.PROMOTE: seen.log_better >= log_threshold(policy.alpha_promote_ratings),
        Verdict.ROLLBACK: seen.log_worse >= log_threshold(policy.alpha_harm_ratings),
    }.get(said.verdict, True)
    if agrees:
        return said
    reason = f"{said.reason}, which luck may explain (ln E+ {seen.log_better:.2f}, ln E- {seen.log_worse:.2f})"
    return Decision(verdict=Verdict.HOLD, reason=reason, scores=said.scores)
