import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.contracts.look import PairedLoss, WeekOfLosses
from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide.intervals import width_factor
from ratchet.decide.paired_errors import PairedErrors, add_week, error_bounds, score

POLICY = EvidencePolicy()
FIRST = datetime(2026, 1, 5, tzinfo=UTC)


def week(number, scores):
    """Losses whose scores are these."""
    losses = tuple(PairedLoss(series=f"s{i:03d}", production=1 + x, candidate=1 - x) for i, x in enumerate(scores))
    return WeekOfLosses(week=FIRST + timedelta(weeks=number), losses=losses)


def after(scores):
    errors = PairedErrors()
    for number, row in enumerate(scores):
        errors = add_week(errors, week(number, row))
    return errors


@pytest.mark.parametrize(
    ("production", "candidate", "expected"),
    [
        (2.0, 1.0, 1 / 3),
        (1.0, 2.0, -1 / 3),
        (0.0, 0.0, 0.0),
        (math.nan, 1.0, None),
        (math.inf, 1.0, None),
        (-1.0, 1.0, None),
    ],
)
def test_a_score_is_symmetric_and_unknown_where_a_loss_is(production, candidate, expected):
    found = score(PairedLoss(series="s", production=production, candidate=candidate))
    assert found == expected if expected is None else found == pytest.approx(expected)


@given(st.integers(4, 9), st.integers(2, 12), st.integers(0, 1000))
def test_bounds_equal_those_of_the_whole_matrix(weeks, series, seed):
    scores = np.random.default_rng(seed).uniform(-0.5, 0.5, (weeks, series))
    found = error_bounds(after(scores), alpha=0.025, policy=POLICY)
    error = math.sqrt(scores.mean(0).var(ddof=1) / series + scores.mean(1).var(ddof=1) / weeks)
    half = error * width_factor(weeks, alpha=0.025, expected=8)
    expected = (scores.mean() - half, scores.mean(), scores.mean() + half)
    assert (found.low, found.estimate, found.high) == pytest.approx(expected)


@given(st.permutations(range(6)))
def test_weeks_may_land_in_any_order_and_twice(order):
    scores = np.random.default_rng(1).uniform(-0.5, 0.5, (6, 4))
    errors = PairedErrors()
    for number in (*order, *order):
        errors = add_week(errors, week(number, scores[number]))
    plain = after(scores)
    assert [name for name, _ in errors.weeks] == [name for name, _ in plain.weeks]
    found, expected = (error_bounds(e, alpha=0.025, policy=POLICY) for e in (errors, plain))
    assert found.low == pytest.approx(expected.low)


def test_a_week_of_unknown_losses_is_no_week():
    unknown = WeekOfLosses(week=FIRST, losses=(PairedLoss(series="s", production=math.nan, candidate=1.0),))
    assert add_week(PairedErrors(), unknown) == PairedErrors()


def test_three_weeks_or_one_series_have_no_bounds():
    assert error_bounds(after(np.full((3, 9), 0.5)), alpha=0.025, policy=POLICY) is None
    assert error_bounds(after(np.full((9, 1), 0.5)), alpha=0.025, policy=POLICY) is None


def ever(effect, *, shock, series=60, weeks=12, runs=300):
    rng, found = np.random.default_rng(4), np.zeros(2)
    for _ in range(runs):
        scores = np.clip(effect + rng.normal(0, shock, (weeks, 1)) + rng.normal(0, 0.2, (weeks, series)), -1, 1)
        errors, crossed = PairedErrors(), np.zeros(2, dtype=bool)
        for number, row in enumerate(scores):
            errors = add_week(errors, week(number, row))
            bounds = error_bounds(errors, alpha=0.025, policy=POLICY)
            crossed |= [bool(bounds and bounds.low > 0), bool(bounds and bounds.high < 0)]
        found += crossed
    return found / runs


@pytest.mark.parametrize("shock", [0.0, 0.02, 0.05])
def test_a_common_weekly_shock_does_not_fake_a_difference(shock):
    assert ever(0.0, shock=shock).max() <= 0.025 + 2 * math.sqrt(0.025 * 0.975 / 300)


def test_a_tenth_less_error_is_found():
    better, worse = ever(0.05, shock=0.02, runs=60)
    assert better >= 0.9
    assert worse == 0
