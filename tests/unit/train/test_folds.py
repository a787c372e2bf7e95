import numpy as np
import pytest

from ratchet.train.folds import COUNT, plan, split


def test_three_years_give_all_folds_with_the_whole_horizon_held_out():
    folds = plan(156, horizon=26)
    assert [fold.cutoff for fold in folds] == [58, 66, 74, 82, 90, 98, 106, 114, 122, 130]
    assert {fold.horizon for fold in folds} == {26}


@pytest.mark.parametrize("weeks", [*range(3, 40), 52, 77, 104, 156, 1000])
def test_folds_are_ordered_in_time_and_end_with_the_history(weeks):
    folds = plan(weeks, horizon=26)
    cutoffs = [fold.cutoff for fold in folds]
    assert 1 <= len(folds) <= COUNT
    assert cutoffs == sorted(set(cutoffs))
    assert cutoffs[-1] + folds[-1].horizon == weeks
    assert cutoffs[0] >= folds[0].horizon


def test_cutoffs_stay_on_the_same_weeks_while_the_history_grows():
    """A week more on both counts: the same cutoffs until a whole stride has passed."""
    first = [fold.cutoff for fold in plan(200, horizon=26, spare=0)]
    assert all([fold.cutoff for fold in plan(200 + more, horizon=26, spare=more)] == first for more in range(8))
    assert [fold.cutoff for fold in plan(208, horizon=26, spare=8)] == [cutoff + 8 for cutoff in first]


def test_folds_to_choose_by_are_older_than_those_to_calibrate_on():
    assert split(plan(200, horizon=26)) == 4
    assert split(plan(200, horizon=26)[:3]) == 0


@pytest.mark.parametrize("weeks", [0, 1, 2])
def test_a_history_too_short_to_hold_any_out_has_no_folds(weeks):
    assert plan(weeks, horizon=26) == ()


def test_what_is_known_and_what_came_after_share_no_week(panel_of, counts):
    panel = panel_of(counts(2, 60, seed=1))
    for fold in plan(60, horizon=8):
        known, actual = fold.known(panel), fold.actual(panel)
        np.testing.assert_array_equal(np.hstack([known.values, actual]), panel.values[:, : fold.cutoff + 8])
        assert len(known.weeks) == fold.cutoff
