import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide.betting import bet_on_hour, block_differences, no_bets
from ratchet.decide.mixtures import log_threshold

POLICY = EvidencePolicy()
STARS = st.lists(st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0]), max_size=6).map(tuple)
HOURS = st.lists(st.tuples(STARS, STARS), max_size=40)


def after(hours, policy=POLICY):
    betting = no_bets(policy)
    for number, (production, candidate) in enumerate(hours):
        betting = bet_on_hour(betting, production, candidate, elapsed_hours=number, policy=policy)
    return betting


def slow_blocks(hours):
    """(hour, D) of every block, by the words of the definition."""
    blocks, waiting, waited = [], ([], []), 0
    for number, (production, candidate) in enumerate(hours):
        old, new = waiting[0] + list(production), waiting[1] + list(candidate)
        if not old or not new:
            if old or new:
                waiting, waited = ((old, new), waited + 1) if waited < POLICY.carry_hours else (([], []), 0)
            continue
        waiting, waited = ([], []), 0
        count = min(len(old), len(new))
        blocks += [(number, (np.mean(new[j::count]) - np.mean(old[j::count])) / 4) for j in range(count)]
    return blocks


@given(HOURS)
def test_wealth_equals_that_of_a_slow_account_of_every_block(hours):
    betting, blocks = after(hours), slow_blocks(hours)
    for log_e, payoff in [
        (betting.log_better(), lambda d: d),
        (betting.log_not_inferior(), lambda d: (d + 0.0375) / 1.0375),
    ]:
        slow = sum(math.prod(1 + bet * payoff(d) for _, d in blocks) for bet in POLICY.bets) / len(POLICY.bets)
        assert log_e == pytest.approx(math.log(slow), abs=1e-9)


@given(HOURS)
def test_harm_restarts_every_day(hours):
    blocks, copies = slow_blocks(hours), 1 + max(len(hours) - 1, 0) // 24
    total = 1 / (copies + 1)
    for k in range(1, copies + 1):
        wealth = [math.prod(1 - bet * d for hour, d in blocks if hour >= 24 * (k - 1)) for bet in POLICY.bets]
        total += sum(wealth) / len(wealth) / (k * (k + 1))
    assert after(hours).log_worse() == pytest.approx(math.log(total), abs=1e-9)


@given(HOURS)
def test_swapping_the_tracks_swaps_better_and_worse(hours):
    once = replace(POLICY, rating_restart_hours=1e9)
    swapped = after([(new, old) for old, new in hours], once)
    plain = after(hours, once)
    # worse starts with half its wealth put aside
    expected = math.log(math.exp(plain.log_better()) / 2 + 0.5)
    assert swapped.log_worse() == pytest.approx(expected, abs=1e-9)


@given(HOURS, st.randoms())
def test_the_order_of_full_hours_does_not_matter(hours, random):
    full = [hour for hour in hours if hour[0] and hour[1]]
    shuffled = random.sample(full, len(full))
    assert after(shuffled).log_better() == pytest.approx(after(full).log_better(), abs=1e-9)


@given(STARS.filter(len), STARS.filter(len), st.integers(0, 5))
def test_a_better_rating_never_weakens_the_case_for_better(production, candidate, which):
    which %= len(candidate)
    raised = tuple(min(5.0, r + 1) if i == which else r for i, r in enumerate(candidate))
    low, high = after([(production, candidate)]), after([(production, raised)])
    assert high.log_better() >= low.log_better() - 1e-12
    assert high.log_worse() <= low.log_worse() + 1e-12


@given(STARS.filter(len), STARS.filter(len))
def test_differences_stay_within_what_can_be_bet_on(production, candidate):
    differences = block_differences(production, candidate)
    assert len(differences) == min(len(production), len(candidate))
    assert np.all(np.abs(differences) <= 1)


def test_an_hour_without_a_partner_waits_and_is_matched_later():
    betting = after([((4.0,), ()), ((), ()), ((), (5.0,))])
    assert betting.waiting == ((), ())
    assert betting.log_better() == pytest.approx(math.log(np.mean([1 + bet / 4 for bet in POLICY.bets])))


def test_ratings_that_waited_too_long_are_let_go():
    betting = after([((4.0,), ())] + [((), ())] * 25 + [((), (5.0,))])
    assert betting.log_better() == 0
    assert betting.waiting == ((), (5.0,))


def rated(rng, means, counts):
    """So many ratings around each hour's mean, hour by hour."""
    ratings = np.clip(rng.normal(np.repeat(means, counts), 1), 1, 5).tolist()
    ends = np.cumsum(counts).tolist()
    return [tuple(ratings[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)]


def crossings(rates, *, effect=0.0, runs=400, hours=168, seed=5):
    """How often each test ever crossed its line, when looked at every hour."""
    rng = np.random.default_rng(seed)
    ever = np.zeros(2)
    for _ in range(runs):
        betting, crossed = no_bets(POLICY), np.zeros(2, dtype=bool)
        counts, drift = rng.poisson(rates, size=(hours, 2)), 3.5 + 0.4 * np.arange(hours) / hours
        sides = [rated(rng, drift + moved, counts[:, side]) for side, moved in enumerate((0.0, effect))]
        for hour, (production, candidate) in enumerate(zip(*sides, strict=True)):
            betting = bet_on_hour(betting, production, candidate, elapsed_hours=hour, policy=POLICY)
            crossed |= [betting.log_better() >= log_threshold(0.05), betting.log_worse() >= log_threshold(0.05)]
        ever += crossed
    return ever / runs


def test_identical_releases_under_drift_rarely_cross_a_line_at_any_of_168_looks():
    # 0.05 + 2 standard errors of 400 runs
    assert crossings((8, 2)).max() <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(("effect", "which"), [pytest.param(0.8, 0, id="better"), pytest.param(-0.8, 1, id="worse")])
def test_a_clear_difference_is_found(effect, which):
    found = crossings((8, 2), effect=effect, runs=40)
    assert found[which] >= 0.95
    assert found[1 - which] == 0
