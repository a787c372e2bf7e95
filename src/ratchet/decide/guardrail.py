"""The guardrail: a likelihood-ratio e-process on whose the bad requests are. An outage of both tracks is nobody's harm.

If a candidate fails at most `ratio` times as often as production, then of the bad requests at most the fraction
q = ratio n1 / (ratio n1 + n0) is its own. Against it stand odds c times as high, k = c q / (c q + 1 - q):

    log E += b1 ln(k/q) + (b0 + floor n0) ln((1-k)/(1-q)),  averaged over c

(conditional binomial test of two Poisson rates, Przyborowski and Wilenski 1940, as a simple likelihood ratio per look; a
mixture that restarts, so that a failure which begins late is found as soon as an early one).

Between two hourly looks n0 in the floor is that of an hour at least: a burst, which the hour's own floor would have covered at its
end, is not the candidate's end because it came right after a look.
"""

import math
from dataclasses import dataclass

from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide.mixtures import Restarts


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """All that is kept of the requests seen."""

    wealth: Restarts
    bad: float = 0.0
    """The candidate's bad requests."""

    def log_e(self) -> float:
        """Evidence against "the candidate fails no more than `bad_ratio` times as often", as a logarithm."""
        return self.wealth.log_e()


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Requests and bad requests of both tracks: production's first."""

    requests: tuple[float, float]
    bad: tuple[float, float]
    floored: float = 0.0
    """Requests of production that the floor is due for at least."""


def no_traffic(policy: EvidencePolicy) -> Guardrail:
    """The guardrail before anyone asked."""
    return Guardrail(wealth=Restarts.of(len(policy.bad_odds)))


def watch_traffic(guardrail: Guardrail, traffic: Traffic, *, elapsed_hours: float, policy: EvidencePolicy) -> Guardrail:
    """The guardrail after more traffic; what came first and what came later may be given at once, if no restart lies between."""
    copies = 1 + math.floor(elapsed_hours / policy.guardrail_restart_hours)
    wealth = guardrail.wealth.up_to(copies).grown(odds_growth(traffic, policy))
    return Guardrail(wealth=wealth, bad=guardrail.bad + traffic.bad[1])


def odds_growth(traffic: Traffic, policy: EvidencePolicy) -> list[float]:
    """What the log wealth on each of the odds gains; nothing where one track has no traffic to compare with."""
    (n0, n1), (b0, b1) = traffic.requests, traffic.bad
    if n0 <= 0 or n1 <= 0:
        return [0.0] * len(policy.bad_odds)
    q = policy.bad_ratio * n1 / (policy.bad_ratio * n1 + n0)
    production = b0 + policy.bad_floor * max(n0, traffic.floored)
    # k/q = c / (c q + 1 - q) and (1-k)/(1-q) = 1 / (c q + 1 - q)
    spreads = ((odds, math.log(odds * q + 1.0 - q)) for odds in policy.bad_odds)
    return [b1 * (math.log(odds) - spread) - production * spread for odds, spread in spreads]
