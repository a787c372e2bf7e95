"""Welch's t-test, for those who ask. It is for one look: looked at every hour, it finds differences that are not there."""

import math
from dataclasses import dataclass

from ratchet.decide.intervals import SampleMean


@dataclass(frozen=True, slots=True, kw_only=True)
class Welch:
    """The candidate's mean minus production's, its t, degrees of freedom and two-sided p."""

    difference: float
    t: float
    degrees: float
    p: float


def welch(production: SampleMean, candidate: SampleMean) -> Welch | None:
    """None where there are fewer than two of either, or nothing varies (Welch 1947, Biometrika 34)."""
    if min(production.count, candidate.count) < 2:
        return None
    old, new = production.variance / production.count, candidate.variance / candidate.count
    if old + new <= 0:
        return None
    degrees = (old + new) ** 2 / (old**2 / (production.count - 1) + new**2 / (candidate.count - 1))
    difference = candidate.mean - production.mean
    t = difference / math.sqrt(old + new)
    return Welch(difference=difference, t=t, degrees=degrees, p=student_p(t, degrees))


def student_p(t: float, degrees: float) -> float:
    """Two-sided p of Student's t: the regularised incomplete beta function at degrees / (degrees + t^2)."""
    return _beta_ratio(degrees / 2.0, 0.5, degrees / (degrees + t * t))


def _beta_ratio(a: float, b: float, x: float) -> float:
    if x <= 0.0 or x >= 1.0:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1.0) / (a + b + 2.0):  # the fraction converges fast only below this point
        return 1.0 - _beta_ratio(b, a, 1.0 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    return front * _continued_fraction(a, b, x) / a


def _continued_fraction(a: float, b: float, x: float) -> float:
    """Lentz's way through DLMF 8.17.22."""
    tiny = 1e-300
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0), tiny)
    result = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d, tiny)
            c = _away_from_zero(1.0 + term / c, tiny)
            result *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return result


def _away_from_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
