"""The stages around the trial: warm-up, canary, approval, promotion and the watch after it."""

from ratchet.contracts.look import Look
from ratchet.contracts.policy import EvidencePolicy, Verdict
from ratchet.decide.figures import Figures
from ratchet.decide.levels import with_level_alarm
from ratchet.decide.mixtures import log_threshold
from ratchet.decide.outcome import Outcome, conclude, stay
from ratchet.decide.state import Stage, State, is_plain, is_shadowed

WEEK_HOURS = 168.0
ASKED = "it waits for a person: `ratchet clear` lets it be tried, `ratchet rollback` does not"


def cooldown_hours(rollbacks: int, policy: EvidencePolicy) -> float:
    """How long no new experiment begins after so many rollbacks in a row: doubling, up to a limit; nothing after none."""
    if rollbacks <= 0:
        return 0.0
    return min(policy.cooldown_hours * 2.0 ** min(rollbacks - 1, 20), policy.max_cooldown_hours)


def before_trial(state: State, look: Look, seen: Figures, policy: EvidencePolicy) -> Outcome:
    """Queued until no other experiment is in the way, then warmed up until nothing speaks against it before clients do."""
    if state.stage is Stage.QUEUED and look.waits_for:
        return stay(state, Verdict.EXTEND, f"queued: {look.waits_for}", seen.scores(state))
    if is_plain(policy):
        return conclude(state, Stage.AB, look.at, Verdict.EXTEND, "its turn: ab", seen.scores(state), policy)
    if state.stage is Stage.QUEUED:
        return conclude(state, Stage.WARMUP, look.at, Verdict.EXTEND, "its turn: warmup", seen.scores(state), policy)
    return _in_warmup(state, look, seen, policy)


def _in_warmup(state: State, look: Look, seen: Figures, policy: EvidencePolicy) -> Outcome:
    """Until it is deployed, has answered replayed requests, and expects nothing that a person has to look at."""
    if not look.is_ready:
        return stay(state, Verdict.EXTEND, "not every worker serves the candidate yet", seen.scores(state))
    if look.replayed_requests < policy.warmup_requests:
        reason = f"warmed up with {look.replayed_requests} of {policy.warmup_requests} replayed requests"
        return stay(state, Verdict.EXTEND, reason, seen.scores(state))
    state = with_level_alarm(state, look, policy)
    if state.level_alarm:
        return stay(state, Verdict.HOLD, f"{state.level_alarm}; {ASKED}", seen.scores(state))
    reason = f"warm: {policy.canary_share:.0%} of the clients, guardrails only"
    return conclude(state, Stage.CANARY, look.at, Verdict.EXTEND, reason, seen.scores(state), policy)


def in_canary(state: State, look: Look, seen: Figures, policy: EvidencePolicy) -> Outcome:
    """A small share for a short while; only guardrails judge, and they have not spoken."""
    hours = state.hours_in_stage(look.at)
    if hours < policy.canary_hours:
        reason = f"guardrails hold for {hours:.1f} of {policy.canary_hours:g} h"
        return stay(state, Verdict.EXTEND, reason, seen.scores(state))
    if state.is_held:
        return stay(state, Verdict.HOLD, state.held_by or state.split_alarm, seen.scores(state))
    reason = f"guardrails held for {hours:.1f} h: {policy.ab_share:.0%} of the clients from now on"
    return conclude(state, Stage.AB, look.at, Verdict.EXTEND, reason, seen.scores(state), policy)


def waits_for_approval(state: State, look: Look, seen: Figures, policy: EvidencePolicy) -> Outcome | None:
    """None unless a person was asked and did not answer in time."""
    if state.stage is not Stage.AWAITING_APPROVAL or state.hours_in_stage(look.at) < policy.approval_hours:
        return None
    reason = f"nobody approved within {policy.approval_hours:g} h; production stays"
    return conclude(state, Stage.INCONCLUSIVE, look.at, Verdict.INCONCLUSIVE, reason, seen.scores(state), policy)


def after_promotion(state: State, look: Look, seen: Figures, policy: EvidencePolicy) -> Outcome:
    """Wait until every worker serves the winner, then keep comparing it with the release it beat."""
    scores = seen.scores(state)
    if state.stage is Stage.PROMOTING:
        if not look.is_ready:
            return stay(state, Verdict.EXTEND, "not every worker serves the winner yet", scores)
        stage = Stage.DONE if is_plain(policy) else Stage.WATCH
        reason = f"every worker serves the winner: {stage.value}"
        return conclude(state, stage, look.at, Verdict.EXTEND, reason, scores, policy)
    harm = _harm_in_watch(seen, policy)
    if harm:
        return conclude(state, Stage.ROLLED_BACK, look.at, Verdict.REVERT, harm, scores, policy)
    return _watch_on(state, look, scores, policy)


def _harm_in_watch(seen: Figures, policy: EvidencePolicy) -> str | None:
    line = log_threshold(policy.alpha_watch)
    if seen.log_worse >= line:
        return f"ratings got worse after the promotion: ln E- {seen.log_worse:.2f} at or above {line:.2f}"
    if seen.error_high is not None and seen.error_high < 0:
        return f"errors got higher after the promotion: upper bound {seen.error_high:.4f} below 0"
    return None


def _watch_on(state: State, look: Look, scores: dict[str, float], policy: EvidencePolicy) -> Outcome:
    hours, weeks = state.hours_in_stage(look.at), len(state.errors.weeks)
    # Actuals may never come: a week more than they should take is enough.
    last_hour = policy.max_watch_hours + (policy.shadow_weeks + 1) * WEEK_HOURS
    if is_shadowed(state, policy, look.at) and (weeks >= policy.shadow_weeks or hours >= last_hour):
        reason = f"no harm in {hours:.1f} h and {weeks} matured weeks"
        return conclude(state, Stage.DONE, look.at, Verdict.EXTEND, reason, scores, policy)
    reason = f"no harm so far: {hours:.1f} h, {weeks} of {policy.shadow_weeks} matured weeks"
    return stay(state, Verdict.EXTEND, reason, scores)
