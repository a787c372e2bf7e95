import numpy as np
import pytest

from ratchet.train.folds import COUNT, plan


def test_three_years_give_all_folds_with_the_whole_horizon_held_out():
    folds = plan(156, horizon=26)
    assert [fold.cutoff for fold in folds] == [90, 98, 106, 114, 122, 130]
    assert {fold.horizon for fold in folds} == {26}


@pytest.mark.parametrize("weeks", [*range(3, 40), 52, 77, 104, 156, 1000])
def test_folds_are_ordered_in_time_and_end_with_the_history(weeks):
    folds = plan(weeks, horizon=26)
    cutoffs = [fold.cutoff for fold in folds]
    assert 1 <= len(folds) <= COUNT
    assert cutoffs == sorted(set(cutoffs))
    assert cutoffs[-1] + folds[-1].horizon == weeks
    assert cutoffs[0] >= folds[0].horizon


@pytest.mark.parametrize("weeks", [0, 1, 2])
def test_a_history_too_short_to_hold_any_out_has_no_folds(weeks):
    assert plan(weeks, horizon=26) == ()


def test_what_is_known_and_what_came_after_share_no_week(panel_of, counts):
    panel = panel_of(counts(2, 60, seed=1))
    for fold in plan(60, horizon=8):
        known, actual = fold.known(panel), fold.actual(panel)
        np.testing.assert_array_equal(np.hstack([known.values, actual]), panel.values[:, : fold.cutoff + 8])
        assert len(known.weeks) == fold.cutoff
