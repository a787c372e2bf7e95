"""Quantiles in which a week counts for less the older it is."""

import numpy as np
import pytest

from ratchet.recent import quantiles


def test_without_end_of_memory_they_are_the_quantiles_of_all_weeks():
    values = np.random.default_rng(1).permutation(np.arange(101.0))[None]
    assert quantiles(values, half_life=1e9, shares=(0.1, 0.5, 0.9)).tolist() == [[10.0, 50.0, 90.0]]


@pytest.mark.parametrize(("half_life", "median"), [(3, 9.0), (1000, 1.0)])
def test_a_short_memory_follows_a_new_level(half_life, median):
    values = np.array([[1.0] * 40 + [9.0] * 4])
    assert quantiles(values, half_life=half_life, shares=(0.5,)).tolist() == [[median]]


def test_weeks_before_the_first_one_count_for_nothing():
    values = np.array([3.0, 5.0, 4.0, 8.0, 1.0])
    young = np.concatenate([np.full(30, np.nan), values])[None]
    shares = (0.025, 0.5, 0.975)
    np.testing.assert_array_equal(
        quantiles(young, half_life=4, shares=shares), quantiles(values[None], half_life=4, shares=shares)
    )
