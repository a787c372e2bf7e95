"""What a candidate expects before anybody has met it: far from production and from what came lately, and a person is asked.

Two weeks of ratings share those weeks' luck, and errors need four: in rehearsals a candidate that forecasts half as much again was
promoted in 5 of 24. Releases that are renewed from the same weeks hardly differ in the middle of all series, so a fault of this kind
needs no statistics.
"""

import math
from dataclasses import replace

from ratchet.contracts.look import Level, Look
from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide.state import State


def with_level_alarm(state: State, look: Look, policy: EvidencePolicy) -> State:
    """The state with what is odd about what a candidate expects, unless a person has said that it may be tried."""
    if state.is_level_cleared or not look.levels:
        return state
    odd = [one for one in look.levels if _is_odd(one, policy)]
    words = (
        f"{one.target}: {one.candidate:.2f} times what came lately, production {one.production:.2f} times"
        for one in odd
    )
    return replace(state, level_alarm=f"it expects much else of {'; '.join(words)}" if odd else "")


def _is_odd(level: Level, policy: EvidencePolicy) -> bool:
    """Far from production, and further from what came lately: what is nearer to it may be what production lacks."""
    new, old = (math.log(times) if times > 0 else -math.inf for times in (level.candidate, level.production))
    return abs(new - old) > math.log(policy.level_ratio) and abs(new) > abs(old)
