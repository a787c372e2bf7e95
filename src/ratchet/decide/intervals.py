"""Asymptotic confidence sequences: intervals that may be looked at as often as one likes.

With r2 = (-2 ln a + ln(-2 ln a + 1)) / N*, where N* is the sample size at which the interval shall be tightest:

    one-sided: d +- se sqrt( 2 (N r2 + 1) / (N r2) ln( 1 + sqrt(N r2 + 1) / (2 a) ) )

(Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, "Time-uniform central limit theory and asymptotic confidence sequences",
Annals of Statistics 52, theorem 2.2, eq. 56 for N*, proposition B.1 for one side.)
"""

import math
from dataclasses import dataclass

from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide.betting import BIN, SPAN, Betting
from ratchet.decide.mixtures import log_mean_exp


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its bounds."""

    low: float
    estimate: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleMean:
    """Count, sum and sum of squares: all that means and variances need; two samples add up."""

    count: int
    total: float
    squares: float

    def __add__(self, other: "SampleMean") -> "SampleMean":
        return SampleMean(
            count=self.count + other.count, total=self.total + other.total, squares=self.squares + other.squares
        )

    @property
    def mean(self) -> float:
        """Of at least one."""
        return self.total / self.count

    @property
    def variance(self) -> float:
        """Unbiased; of at least two."""
        return max(0.0, self.squares - self.total**2 / self.count) / (self.count - 1)


def width_factor(n: float, *, alpha: float, expected: float) -> float:
    """By how many standard errors a bound on one side lies off the estimate."""
    n_r2 = n * (-2.0 * math.log(alpha) + math.log(-2.0 * math.log(alpha) + 1.0)) / expected
    root = math.sqrt(n_r2 + 1.0)
    return math.sqrt(2.0 * (n_r2 + 1.0) / n_r2 * math.log1p(root / (2.0 * alpha)))


def betting_interval(betting: Betting, *, alpha: float, policy: EvidencePolicy, steps: int = 200) -> Interval | None:
    """The differences in rating points that the bets have not refuted: {d : max(E+(d), E-(d)) < 2/alpha}; None before any block.

    E+(d) and E-(d) bet L/(1+|d|) on D - d. Valid at every look and for any sample size; bounds are on a grid of 8/`steps` points.
    """
    if not betting.differences:
        return None
    line = math.log(2.0 / alpha)
    grid = [2.0 * i / steps - 1.0 for i in range(steps + 1)]
    kept = [d for d in grid if _log_refuted(betting, d, policy) < line]
    blocks = sum(times for _, times in betting.differences)
    estimate = sum(near * times for near, times in betting.differences) / (BIN * blocks)
    low, high = (min(kept), max(kept)) if kept else (estimate, estimate)
    return Interval(low=SPAN * min(low, estimate), estimate=SPAN * estimate, high=SPAN * max(high, estimate))


def _log_refuted(betting: Betting, d: float, policy: EvidencePolicy) -> float:
    above, below = [], []
    for stake in (bet / (1.0 + abs(d)) for bet in policy.bets):
        above.append(sum(n * math.log1p(stake * (near / BIN - d)) for near, n in betting.differences))
        below.append(sum(n * math.log1p(-stake * (near / BIN - d)) for near, n in betting.differences))
    return max(log_mean_exp(above), log_mean_exp(below))
