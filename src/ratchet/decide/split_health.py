"""Whether clients arrive in the shares that were set: an e-value at every look, and a chi-square p where something is decided.

    ln E = ln B(K p + n1, K (1-p) + n0) - ln B(K p, K (1-p)) - n1 ln p - n0 ln(1-p)

a Dirichlet (here beta) mixture over other shares, concentrated at the one that was set (Lindon and Malek 2022, "Anytime-valid
inference for multinomial count data", NeurIPS, section 3).
"""

import math


def log_split_e(clients: tuple[float, float], *, share: float, concentration: float) -> float:
    """Evidence against "each client got the candidate with probability `share`"; clients of production first."""
    n0, n1 = clients
    at_share = (concentration * share, concentration * (1.0 - share))
    mixed = _log_beta(at_share[0] + n1, at_share[1] + n0) - _log_beta(*at_share)
    return mixed - n1 * math.log(share) - n0 * math.log1p(-share)


def split_p(clients: tuple[float, float], *, share: float) -> float:
    """Pearson's chi-square p with one degree of freedom: for one look, not for many. 1 where nobody came."""
    n0, n1 = clients
    total = n0 + n1
    if total <= 0:
        return 1.0
    chi_square = (n1 - total * share) ** 2 / (total * share * (1.0 - share))
    return math.erfc(math.sqrt(chi_square / 2.0))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
