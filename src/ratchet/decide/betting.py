"""The rating test: bets on the difference between clients of both tracks who rated within the same hour.

Within an hour, B = min(n0, n1) blocks; block j takes ratings j, j+B, j+2B ... of each track, and
D = (mean candidate - mean production) / 4 lies in [-1, 1] for ratings from 1 to 5. For stakes L:

    E+ = mean_L prod (1 + L D)      tests "not better"
    E- = mean_L prod (1 - L D)      tests "not worse"; a restarting mixture
    Eni = mean_L prod (1 + L (D + m/4) / (1 + m/4))      tests "worse by more than m"

Exact at any sample size and any look (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by
betting", JRSS B 86, section 4). Matching within the hour makes a drift that moves both tracks cancel out. An hour in which one
track has no rating waits for the next one.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide.mixtures import Restarts, log_mean_exp

LOWEST: Final = 1.0
HIGHEST: Final = 5.0
SPAN: Final = HIGHEST - LOWEST
BIN: Final = 1000
"""The shown interval keeps D to the nearest 1/1000, which is 0.004 rating points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Betting:
    """All that is kept of the first ratings seen: wealth, not ratings. An hour costs what is in it."""

    better: tuple[float, ...]
    not_inferior: tuple[float, ...]
    worse: Restarts
    raters: tuple[int, int] = (0, 0)
    """Production's and the candidate's."""
    waiting: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    waited_hours: int = 0
    differences: tuple[tuple[int, int], ...] = ()
    """How often D was near i/1000, as (i, times): only the shown interval reads it."""

    def log_better(self) -> float:
        """Evidence against "the candidate's ratings are not better", as a logarithm."""
        return log_mean_exp(self.better)

    def log_worse(self) -> float:
        """Evidence against "not worse"."""
        return self.worse.log_e()

    def log_not_inferior(self) -> float:
        """Evidence against "worse by more than the margin"."""
        return log_mean_exp(self.not_inferior)


def no_bets(policy: EvidencePolicy) -> Betting:
    """The test before anyone rated."""
    nothing = (0.0,) * len(policy.bets)
    return Betting(better=nothing, not_inferior=nothing, worse=Restarts.of(len(policy.bets)))


def bet_on_hour(
    betting: Betting,
    production: tuple[float, ...],
    candidate: tuple[float, ...],
    *,
    elapsed_hours: float,
    policy: EvidencePolicy,
) -> Betting:
    """The test after one more hour; `elapsed_hours` since the stage began say how many restarts are due."""
    copies = 1 + math.floor(elapsed_hours / policy.rating_restart_hours)
    betting = replace(betting, worse=betting.worse.up_to(copies))
    if not production and not candidate:
        return betting if betting.waiting == ((), ()) else _wait(betting, betting.waiting, policy)
    seen = (betting.waiting[0] + production, betting.waiting[1] + candidate)
    raters = (betting.raters[0] + len(production), betting.raters[1] + len(candidate))
    if not seen[0] or not seen[1]:
        return _wait(replace(betting, raters=raters), seen, policy)
    differences = block_differences(*seen)
    better, worse, not_inferior = growth(differences, policy)
    return Betting(
        better=_sum(betting.better, better),
        not_inferior=_sum(betting.not_inferior, not_inferior),
        worse=betting.worse.grown(worse),
        raters=raters,
        differences=_counted(betting.differences, differences),
    )


def block_differences(production: tuple[float, ...], candidate: tuple[float, ...]) -> NDArray[np.float64]:
    """D of every block, for two tracks that both have ratings."""
    blocks = min(len(production), len(candidate))
    return (_block_means(candidate, blocks) - _block_means(production, blocks)) / SPAN


def growth(differences: NDArray[np.float64], policy: EvidencePolicy) -> tuple[list[float], list[float], list[float]]:
    """What each bet's log wealth gains: on better, on worse, on not inferior."""
    stakes = np.asarray(policy.bets)[:, None]
    slack = policy.margin / SPAN
    staked = stakes * differences
    shifted = stakes * ((differences + slack) / (1.0 + slack))
    better, worse, not_inferior = np.log1p(np.stack([staked, -staked, shifted])).sum(axis=2).tolist()
    return better, worse, not_inferior


def _block_means(ratings: tuple[float, ...], blocks: int) -> NDArray[np.float64]:
    if len(ratings) == blocks:
        return np.asarray(ratings, dtype=np.float64)
    block = np.arange(len(ratings)) % blocks
    return np.bincount(block, weights=ratings, minlength=blocks) / np.bincount(block, minlength=blocks)


def _wait(betting: Betting, waiting: tuple[tuple[float, ...], tuple[float, ...]], policy: EvidencePolicy) -> Betting:
    """Ratings without a partner wait; those of long ago would only bring drift in."""
    if betting.waited_hours >= policy.carry_hours:
        return replace(betting, waiting=((), ()), waited_hours=0)
    return replace(betting, waiting=waiting, waited_hours=betting.waited_hours + 1)


def _sum(left: tuple[float, ...], right: list[float]) -> tuple[float, ...]:
    return tuple(a + b for a, b in zip(left, right, strict=True))


def _counted(seen: tuple[tuple[int, int], ...], differences: NDArray[np.float64]) -> tuple[tuple[int, int], ...]:
    counts = dict(seen)
    for near in np.rint(differences * BIN).astype(int).tolist():
        counts[near] = counts.get(near, 0) + 1
    return tuple(sorted(counts.items()))
