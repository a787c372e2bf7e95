import numpy as np
import pytest

from ratchet.train.select import pick, relative, shrunk, weigh

NAN = np.nan


def simulate(*, families, series, folds, later, seed, own=0.0):
    """Errors by fold: families differ a little, series differ from them by `own`, folds are noisy."""
    rng = np.random.default_rng(seed)
    true = 1 + np.linspace(0, 0.06, families)[:, None] + rng.normal(0, own, (families, series))
    level = rng.lognormal(0, 1, series)
    noise = rng.lognormal(0, 0.25, (families, series, folds + later))
    return (true * level)[..., None] * noise, folds


def regret(errors, folds, *, prior_folds):
    past, future = errors[..., :folds], errors[..., folds:].mean(axis=-1)
    choice = pick(past, prior_folds=prior_folds)
    return float((future[choice, np.arange(len(choice))] / future.mean(axis=0)).mean())


@pytest.mark.parametrize("seed", range(8))
def test_shrinkage_beats_picking_per_series_where_differences_are_noise(seed):
    errors, folds = simulate(families=5, series=200, folds=6, later=20, seed=seed)
    assert regret(errors, folds, prior_folds=12) < regret(errors, folds, prior_folds=0)


@pytest.mark.parametrize("seed", range(8))
def test_shrinkage_loses_little_where_series_really_differ(seed):
    errors, folds = simulate(families=5, series=200, folds=6, later=20, seed=seed, own=0.1)
    assert regret(errors, folds, prior_folds=12) <= regret(errors, folds, prior_folds=0) + 0.01


def test_a_clear_winner_on_one_series_is_still_picked():
    mase = np.ones((2, 10, 6))
    mase[1] = 1.05
    mase[1, 3] = 0.5
    assert list(pick(mase)) == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


def test_one_family_is_always_picked():
    assert list(pick(np.random.default_rng(0).random((1, 4, 6)))) == [0, 0, 0, 0]


def test_a_series_without_a_score_follows_the_family_best_over_all():
    mase = np.ones((2, 4, 3))
    mase[1] = 0.9
    mase[:, 2] = NAN
    assert list(pick(mase)) == [1, 1, 1, 1]


def test_without_any_score_the_first_family_of_the_recipe_is_picked():
    assert list(pick(np.full((3, 2, 4), NAN))) == [0, 0]
    assert list(pick(np.empty((3, 2, 0)))) == [0, 0]


def test_series_count_alike_whatever_their_level():
    mase = np.array([[[1.0], [100.0]], [[2.0], [90.0]]])
    np.testing.assert_allclose(relative(mase)[:, 0], [2 / 3, 4 / 3])
    assert list(pick(mase)) == [0, 0]


def test_perfect_families_are_equal():
    np.testing.assert_array_equal(relative(np.zeros((2, 1, 3))), 1.0)


def test_six_folds_weigh_a_third():
    mase = np.ones((2, 2, 6))
    mase[1, 0] = 3.0
    np.testing.assert_allclose(shrunk(mase)[0], [0.5 / 3 + 0.75 * 2 / 3, 1 / 3 + 0.75 * 2 / 3])


def test_the_weight_of_the_overall_ranking_is_learnt_from_the_noise():
    """Where series do not differ the overall ranking is all; where they do, their own record counts, never for more than a quarter."""
    alike, _ = simulate(families=5, series=200, folds=4, later=0, seed=1, own=0.0)
    apart, _ = simulate(families=5, series=200, folds=4, later=0, seed=1, own=0.5)
    assert weigh(alike) > 100
    assert weigh(apart) == 12


@pytest.mark.parametrize("seed", range(4))
def test_choosing_by_learnt_weight_loses_nothing_to_one_family_for_all(seed):
    """On simulated truth: own winners lose, a learnt weight does not."""
    errors, folds = simulate(families=5, series=200, folds=4, later=40, seed=seed)
    past, future = errors[..., :folds], errors[..., folds:].mean(axis=-1)
    one = int(np.argmin(relative(past).mean(axis=1)))
    chosen = pick(past, prior_folds=weigh(past))
    for_all = float((future[one] / future.mean(axis=0)).mean())
    learnt = float((future[chosen, np.arange(200)] / future.mean(axis=0)).mean())
    winners = regret(errors, folds, prior_folds=0)
    assert learnt <= for_all * 1.002
    assert learnt < winners
