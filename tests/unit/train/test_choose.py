"""Choosing on simulated truth: what is known to be better is taken, noise is not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import nbinom

from ratchet import forecasters
from ratchet.train import combine
from ratchet.train.choose import choose
from ratchet.train.folds import Fold
from ratchet.train.validation import Validation

NAMES = ("naive", "ets", "theta", "tsb")


def simulate(errors, *, series=60, folds=4, steps=8, seed=0, shared=0.0):
    """Actuals of 10; a family misses by its own `errors` (standard deviation), of which `shared` is the same for all."""
    rng = np.random.default_rng(seed)
    shape = (folds, series, steps)
    common = rng.normal(0, 1, shape)
    own = [size * (shared * common + np.sqrt(1 - shared**2) * rng.normal(0, 1, shape)) for size in errors]
    return Validation(
        families=NAMES[: len(errors)],
        folds=tuple(Fold(cutoff=50 + 8 * fold, horizon=steps) for fold in range(folds)),
        forecasts=10 + np.array(own),
        actual=np.full(shape, 10.0),
        scale=np.ones(shape[:2]),
    )


def families(count):
    return [forecasters.find(name) for name in NAMES[:count]]


def test_the_median_of_different_families_answers_where_it_is_better():
    choice = choose(simulate([3.0, 1.0, 1.0]), families(3))
    assert choice.families[-1] == combine.NAME
    assert choice.members == (1, 2)
    assert (choice.family == 3).mean() > 0.9


def test_a_family_that_does_not_beat_naive_answers_for_no_series():
    choice = choose(simulate([1.0, 1.5, 0.8], seed=1), families(3))
    assert 1 not in choice.family
    assert 1 not in choice.members


def test_sets_that_cannot_be_told_apart_are_taken_large():
    """Three families that are wrong in the same way: their median is no better, and no worse, than the first of them."""
    alike = simulate([3.0, 1.0, 1.0, 1.0], seed=5, shared=0.999)
    found = combine.deserving(alike, candidates=(0, 1, 2, 3), naive=0)
    assert found == (1, 2, 3)


@pytest.mark.parametrize("things", [40, 200, 400, 1000])
def test_a_set_is_chosen_for_all_targets_however_many_series_there_are(things):
    """Names are in order: every fourth series, or every second, is of the same target."""
    either = simulate([3.0, 1.0, 1.0, 1.0], series=4 * things, folds=2, steps=4, seed=6)
    worse = np.where(np.arange(4 * things)[:, None] % 4 == 0, 1.0, 4.0)
    errors = (either.forecasts - either.actual) * np.stack([np.ones_like(worse), worse, 5 - worse, 5 - worse])[:, None]
    found = combine.deserving(replace(either, forecasts=either.actual + errors), candidates=(0, 1, 2, 3), naive=0)
    assert found == (2, 3)


def test_naive_answers_where_nothing_beats_it():
    choice = choose(simulate([0.5, 1.5, 2.0], seed=2), families(3))
    assert {choice.families[index] for index in choice.family} <= {"naive", combine.NAME}


def test_an_expected_week_is_no_typical_week():
    """TSB, the best by far, expects: it joins the mean and never the median."""
    choice = choose(simulate([3.0, 1.0, 1.0, 0.1], seed=3), families(4))
    assert choice.expects == 3
    assert 3 not in choice.members
    assert 3 not in choice.family
    forecasts = np.ones((4, 60, 8)) * np.array([1.0, 2.0, 3.0, 8.0])[:, None, None]
    mean = choice.mean(forecasts, np.full((60, 8), 2.0))
    np.testing.assert_allclose(mean, 0.9 * 2.0**0.25 * 8.0**0.75 + 0.1 * choice.point(forecasts))
    before = replace(choice, own=0.5, typical=0.0)
    np.testing.assert_allclose(before.mean(forecasts, np.full((60, 8), 2.0)), 4.0)
    plain = replace(choice, in_ratio=False)
    np.testing.assert_allclose(plain.mean(forecasts, np.full((60, 8), 2.0)), 5.0)


def test_one_odd_series_does_not_say_who_expects():
    """It hardly ever changed before the folds: its errors are thousands of times its naive one, and not those of the others."""
    known = simulate([3.0, 1.0, 1.0, 2.0], seed=2)
    known.scale[:, 7] = 1e-4
    known.forecasts[1, :, 7] = 10 + 1.1 * (known.forecasts[3, :, 7] - 10)
    known = replace(known, families=("naive", "tsb", "theta", "window_average"))
    assert choose(known, [forecasters.find(name) for name in known.families]).expects == 1


@pytest.mark.parametrize(("error", "tells"), [(1.0, 2), (5.0, None)], ids=["beats-naive", "does-not"])
def test_a_family_tells_bounds_if_it_beats_naive(error, tells):
    validation = simulate([3.0, 1.0, error], seed=5)
    told = np.ones((*validation.actual.shape[:1], 4, *validation.actual.shape[1:]))
    choice = choose(replace(validation, ends={2: told}), families(3))
    assert choice.tells == tells
    assert tells is None or tells in choice.needed()
    assert replace(choice, members=(1,), tells=2).needed() >= {2}


def test_the_mean_of_skewed_counts_adds_up_to_what_happens():
    """Two expectations of one level, each right on average and wrong by a fifth, and a tenth of the median, which is a third too low.

    The total is low by less than a twentieth, and in squares nothing is lost beside either.
    """
    rng = np.random.default_rng(6)
    level = np.resize([0.4, 3.0, 40.0], 3000)[:, None]
    actual = rng.negative_binomial(1, 1 / (1 + level), (3000, 26))
    noise = rng.lognormal(-0.02, 0.2, (2, 3000, 1))
    choice = choose(simulate([3.0, 1.0, 1.0, 0.1], seed=3), families(4))
    choice = replace(choice, family=np.ones(3000, int), whole=None)
    expected = level * noise
    typical = nbinom.median(1, 1 / (1 + level))
    forecasts = np.stack([np.broadcast_to(one, (3000, 26)) for one in (typical, typical, typical, expected[0])])
    own = np.broadcast_to(expected[1], (3000, 26))
    mean = choice.mean(forecasts, own)
    assert mean.sum() / actual.sum() == pytest.approx(0.96, abs=0.02)
    squares = [(((said - actual) / level) ** 2).mean() for said in (mean, own, forecasts[3])]
    assert squares[0] < min(squares[1:])


def test_the_point_is_that_of_each_series_choice():
    choice = choose(simulate([3.0, 1.0, 1.0], seed=4), families(3))
    forecasts = np.ones((3, 60, 8)) * np.array([1.0, 2.0, 4.0])[:, None, None]
    expected = np.array([1.0, 2.0, 4.0, 3.0])[choice.family]
    np.testing.assert_allclose(choice.point(forecasts), np.repeat(expected[:, None], 8, 1))
    assert choice.needed() >= set(choice.members)


@pytest.mark.parametrize("count", [1, 2])
def test_without_folds_there_is_still_a_choice(count):
    nothing = Validation(
        families=NAMES[:count],
        folds=(),
        forecasts=np.empty((count, 0, 5, 0)),
        actual=np.empty((0, 5, 0)),
        scale=np.empty((0, 5)),
    )
    assert list(choose(nothing, families(count)).family) == [0] * 5
