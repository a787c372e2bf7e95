import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.decide.mixtures import Restarts, log_add_exp, log_mean_exp, log_threshold

GROWTH = st.lists(st.floats(-2, 2), min_size=3, max_size=3)


def slow_log_e(steps, restarts_before):
    """Every copy kept and grown on its own, and the sum taken in the end."""
    starts = [0] + [step for step in range(len(steps)) for _ in range(restarts_before[step])]
    total = 1.0 / (len(starts) + 1)
    for k, start in enumerate(starts, start=1):
        wealth = [math.exp(sum(step[bet] for step in steps[start:])) for bet in range(3)]
        total += sum(wealth) / 3 / (k * (k + 1))
    return math.log(total)


@given(st.lists(st.tuples(GROWTH, st.integers(0, 2)), max_size=12))
def test_carrying_the_sum_forward_equals_keeping_every_copy(history):
    running = Restarts.of(3)
    for growth, restarts in history:
        running = running.up_to(running.copies + restarts).grown(growth)
    assert running.log_e() == pytest.approx(slow_log_e([g for g, _ in history], [r for _, r in history]), abs=1e-9)


@pytest.mark.parametrize("copies", [1, 2, 7, 60])
def test_nothing_seen_is_an_e_value_of_one_however_often_it_restarts(copies):
    assert Restarts.of(5).up_to(copies).log_e() == pytest.approx(0.0, abs=1e-12)


def test_a_huge_wealth_neither_overflows_nor_hides():
    assert Restarts.of(2).grown((5000.0, -5000.0)).log_e() == pytest.approx(5000 - math.log(4))


@given(st.floats(-700, 700), st.floats(-700, 700))
def test_sums_of_logarithms_are_symmetric_and_safe(a, b):
    assert log_add_exp(a, b) == log_add_exp(b, a) >= max(a, b)
    assert log_mean_exp((a, b)) == pytest.approx(log_add_exp(a, b) - math.log(2), abs=1e-9)


def test_a_threshold_is_the_inverse_of_its_alpha():
    assert math.exp(log_threshold(0.025)) == pytest.approx(40)
