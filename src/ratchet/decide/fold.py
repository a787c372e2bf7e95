"""What a look adds to the state. Each figure is taken once; a look with gaps adds only what the gaps leave whole."""

from dataclasses import replace

from ratchet.contracts.look import Cadence, Look
from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide.days import DailyRatings, add_hour, pass_over
from ratchet.decide.gaps import is_split_due
from ratchet.decide.guardrail import Traffic, watch_traffic
from ratchet.decide.paired_errors import add_week, error_bounds
from ratchet.decide.state import EXPOSED, Stage, State, share, with_bounds

RATED = frozenset({Stage.AB, Stage.AWAITING_APPROVAL, Stage.WATCH})
"""Where first ratings count: the share is constant."""
MINUTE = 1.0 / 60.0
"""Of an hour."""


def fold(state: State, look: Look, gaps: tuple[str, ...], policy: EvidencePolicy) -> State:
    """The state with what is new in a look, before anything is judged."""
    if state.stage in EXPOSED and not gaps:
        state = _add_traffic(state, look, policy)
    if look.cadence is Cadence.MINUTE:
        return state
    state = replace(state, missing=state.missing + 1 if gaps else 0)
    if state.stage in RATED and is_split_due(state, look, policy):
        state = replace(state, ratings=_add_hours(state, look, policy))
    return _add_weeks(state, look, policy) if look.weeks else state


def _add_traffic(state: State, look: Look, policy: EvidencePolicy) -> State:
    """Only for looks without gaps: every count is a number. While the candidate is suspended nobody can come to it."""
    old, new = look.production, look.candidate
    n0, n1 = float(old.requests or 0), float(new.requests or 0)
    bad = (float(old.bad_requests or 0), float(new.bad_requests or 0))
    floored = _in_an_hour(state.requests[0] + n0, state, look) if look.cadence is Cadence.MINUTE else 0.0
    traffic = Traffic(requests=(n0, n1), bad=bad, floored=floored)
    elapsed = max((look.at - state.compared_since).total_seconds() / 3600.0, 0.0)
    came = (0.0, 0.0) if state.is_suspended else (float(old.new_clients or 0), float(new.new_clients or 0))
    return replace(
        state,
        guardrail=watch_traffic(state.guardrail, traffic, elapsed_hours=elapsed, policy=policy),
        requests=(state.requests[0] + n0, state.requests[1] + n1),
        clients=(state.clients[0] + came[0], state.clients[1] + came[1]),
    )


def _in_an_hour(requests: float, state: State, look: Look) -> float:
    """How many there are in an hour, by all that this stage has counted."""
    return requests / max((look.at - state.counted_since).total_seconds() / 3600.0, MINUTE)


def _add_hours(state: State, look: Look, policy: EvidencePolicy) -> DailyRatings:
    ratings, due = state.ratings, share(state, policy, look.at)
    if not 0.0 < due < 1.0:
        return pass_over(ratings, look.hours or ())
    for hour in look.hours or ():
        if hour.hour >= state.since.replace(minute=0, second=0, microsecond=0):
            ratings = add_hour(ratings, hour, since=state.compared_since, share=due, policy=policy)
    return ratings


def _add_weeks(state: State, look: Look, policy: EvidencePolicy) -> State:
    errors = state.errors
    for week in look.weeks:
        errors = add_week(errors, week)
    low = error_bounds(errors, alpha=policy.alpha_promote_errors, policy=policy)
    high = error_bounds(errors, alpha=policy.alpha_harm_errors, policy=policy)
    return with_bounds(replace(state, errors=errors), low, high)
