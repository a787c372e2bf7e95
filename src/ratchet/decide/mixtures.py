"""E-values as logarithms: averages over bets, and mixtures that start afresh so that late harm is not drowned by early health.

An e-process is a non-negative process that is at most 1 on average, at any stopping time, where its hypothesis holds; so
P(it ever reaches 1/a) <= a (Ville 1939; Ramdas, Gruenwald, Vovk, Shafer 2023, "Game-theoretic statistics and safe
anytime-valid inference"). Averages and weighted sums of e-processes are e-processes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


def log_mean_exp(logs: Sequence[float]) -> float:
    """The logarithm of the mean of what these are the logarithms of; safe for any size."""
    top = max(logs)
    return top + math.log(sum(math.exp(log - top) for log in logs) / len(logs))


def log_add_exp(left: float, right: float) -> float:
    """The logarithm of the sum of what these are the logarithms of."""
    top, bottom = (left, right) if left >= right else (right, left)
    return top + math.log1p(math.exp(bottom - top))


def log_threshold(alpha: float) -> float:
    """The line an e-process crosses with probability at most alpha where its hypothesis holds, as a logarithm."""
    return -math.log(alpha)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarts:
    """For each bet, the logarithm of sum_k E^(k) / (k (k+1)), where copy k saw only what came after it started.

    E = sum_{k<=K} E^(k)/(k(k+1)) + 1/(K+1): the weights sum to 1, and copies yet to come stand at 1. Every copy grows by the
    same factor, so the sum is carried forward instead of the copies, and a look costs nothing for the past.
    """

    logs: tuple[float, ...]
    copies: int

    @classmethod
    def of(cls, bets: int) -> "Restarts":
        """One copy, nothing seen."""
        return cls(logs=(-math.log(2.0),) * bets, copies=1)

    def grown(self, increments: Sequence[float]) -> "Restarts":
        """Every copy after it saw what multiplies each bet's wealth by exp(increment)."""
        return Restarts(
            logs=tuple(log + more for log, more in zip(self.logs, increments, strict=True)), copies=self.copies
        )

    def up_to(self, copies: int) -> "Restarts":
        """With as many fresh copies as it takes to have this many."""
        logs = self.logs
        for k in range(self.copies + 1, copies + 1):
            logs = tuple(log_add_exp(log, -math.log(k * (k + 1))) for log in logs)
        return Restarts(logs=logs, copies=max(copies, self.copies))

    def log_e(self) -> float:
        """The logarithm of the mixture's e-value now."""
        return log_add_exp(log_mean_exp(self.logs), -math.log(self.copies + 1))
