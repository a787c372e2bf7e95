import math
from dataclasses import replace

import numpy as np
import pytest

from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide.betting import bet_on_hour, no_bets
from ratchet.decide.intervals import SampleMean, betting_interval, width_factor

POLICY = EvidencePolicy()


def sample(values):
    return SampleMean(count=len(values), total=math.fsum(values), squares=math.fsum(v * v for v in values))


def test_samples_add_up():
    values = np.random.default_rng(0).normal(3, 1, 50).tolist()
    both = sample(values[:20]) + sample(values[20:])
    assert (both.mean, both.variance) == pytest.approx((np.mean(values), np.var(values, ddof=1)))


def test_the_width_is_the_formula_and_tightest_near_the_expected_size():
    r2 = (-2 * math.log(0.05) + math.log(-2 * math.log(0.05) + 1)) / 600
    root = math.sqrt(100 * r2 + 1)
    assert width_factor(100, alpha=0.05, expected=600) == pytest.approx(
        math.sqrt(2 * (100 * r2 + 1) / (100 * r2) * math.log(1 + root / 0.1))
    )
    at = {n: width_factor(n, alpha=0.05, expected=600) for n in (60, 600, 60_000)}
    assert at[600] < min(at[60], at[60_000])


def test_a_one_sided_bound_holds_at_every_look_together():
    rng, missed = np.random.default_rng(2), 0
    for _ in range(300):
        values = rng.normal(0.2, 1.1, 400)
        looks = (sample(values[:n]) for n in range(50, 401, 10))
        missed += any(
            look.mean - math.sqrt(look.variance / look.count) * width_factor(look.count, alpha=0.05, expected=100) > 0.2
            for look in looks
        )
    assert missed / 300 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 300)


def test_before_anybody_rated_there_is_no_interval():
    assert betting_interval(no_bets(POLICY), alpha=0.05, policy=POLICY) is None


def bets(effect, hours, seed=0):
    rng, betting = np.random.default_rng(seed), no_bets(POLICY)
    for hour in range(hours):
        old, new = (
            tuple(np.clip(rng.normal(3.2 + more, 0.8, size), 1, 5).tolist()) for more, size in ((0, 16), (effect, 4))
        )
        betting = bet_on_hour(betting, old, new, elapsed_hours=hour, policy=POLICY)
    return betting


def test_the_betting_interval_holds_the_truth_and_narrows():
    early, late = (betting_interval(bets(0.5, hours), alpha=0.05, policy=POLICY) for hours in (10, 200))
    assert early.low <= 0.5 <= early.high
    assert late.low <= 0.5 <= late.high
    assert late.high - late.low < (early.high - early.low) / 2


def test_the_betting_interval_leaves_zero_out_only_where_a_test_of_either_side_would():
    betting = bets(0.5, 60)
    interval = betting_interval(betting, alpha=0.05, policy=replace(POLICY))
    refuted = betting.log_better() >= math.log(40)
    assert (interval.low > 0) == refuted
