"""The figures that a look is judged by, from the state alone."""

import math
from dataclasses import dataclass
from datetime import datetime

from ratchet.contracts.look import Look, Surroundings
from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide.split_health import log_split_e, split_p
from ratchet.decide.state import Stage, State, share


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Current values, never running maxima. `log_` is the natural logarithm of an e-value."""

    log_guardrail: float
    log_split: float
    """The larger of clients' and raters'; 0 where no share holds for all of them."""
    log_better: float
    log_worse: float
    log_not_inferior: float
    error_low: float | None
    error_high: float | None
    data_age_hours: float | None
    drifting: float | None
    """Features."""

    def scores(self, state: State) -> dict[str, float]:
        """All of it, for the record; what is not known is left out."""
        raters, clients = state.ratings.betting.raters, state.clients
        named = {
            "log_guardrail": self.log_guardrail,
            "log_split": self.log_split,
            "log_better": self.log_better,
            "log_worse": self.log_worse,
            "log_not_inferior": self.log_not_inferior,
            "error_low": self.error_low,
            "error_high": self.error_high,
            "error_asked": state.errors.asked_score,
            "weeks": float(len(state.errors.weeks)),
            "requests_production": state.requests[0],
            "requests_candidate": state.requests[1],
            "clients_production": clients[0],
            "clients_candidate": clients[1],
            "raters_production": float(raters[0]),
            "raters_candidate": float(raters[1]),
            "bad_candidate": state.guardrail.bad,
            "missing_looks": float(state.missing),
            "unreadable_ratings": float(state.ratings.unreadable),
            "quarantined_days": float(state.ratings.quarantined_days),
            "data_age_hours": self.data_age_hours,
            "drifting": self.drifting,
        }
        return {name: figure for name, figure in named.items() if figure is not None and math.isfinite(figure)}


def figures(state: State, look: Look, policy: EvidencePolicy) -> Figures:
    """What the state says at a look, and what was around it."""
    around = look.surroundings or Surroundings()
    betting = state.ratings.betting
    return Figures(
        log_guardrail=state.guardrail.log_e(),
        log_split=_log_split(state, look.at, policy),
        log_better=betting.log_better(),
        log_worse=betting.log_worse(),
        log_not_inferior=betting.log_not_inferior(),
        error_low=state.error_low,
        error_high=state.error_high,
        data_age_hours=around.data_age_hours,
        drifting=None if around.drifting is None else float(len(around.drifting)),
    )


def soft_split_problem(state: State, at: datetime, policy: EvidencePolicy) -> str | None:
    """Why the split looks too odd to promote on, by chi-square at this one look."""
    due = share(state, policy, at)
    checks = [
        ("clients", state.clients, policy.split_soft_p),
        ("raters", _uncleared(state), policy.split_soft_p),
        ("today's raters", state.ratings.today, policy.day_soft_p),
    ]
    for who, counts, line in checks:
        p = split_p((float(counts[0]), float(counts[1])), share=due)
        if p < line:
            return f"{who} split {counts[0]:g} to {counts[1]:g} where {due:g} is due: p {p:.2g} below {line:g}"
    return None


def _log_split(state: State, at: datetime, policy: EvidencePolicy) -> float:
    due = share(state, policy, at)
    # Who promotes by hand in the canary has its clients counted on, and the share is another one.
    if state.stage is Stage.PROMOTING or not 0.0 < due < 1.0:
        return 0.0
    sides = (state.clients, _uncleared(state))
    return max(
        log_split_e((float(n0), float(n1)), share=due, concentration=policy.split_concentration) for n0, n1 in sides
    )


def _uncleared(state: State) -> tuple[int, int]:
    raters, cleared = state.ratings.betting.raters, state.cleared_raters
    return (max(raters[0] - cleared[0], 0), max(raters[1] - cleared[1], 0))
