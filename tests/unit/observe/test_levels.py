"""What two releases expect, beside what came lately."""

from datetime import date, timedelta

import pytest

from ratchet.contracts.look import Level
from ratchet.observe.levels import LATELY, compare_levels

WEEK = date(2026, 11, 22)
WEEKS = timedelta(weeks=1)


def came(y, *, weeks=LATELY, ids=("a", "b", "c"), until=WEEK, target="x"):
    return [(one, target, until - n * WEEKS, y) for one in ids for n in range(1, weeks + 1)]


def test_each_side_is_told_by_how_many_times_as_much_as_came_it_expects(release):
    old, new = release("old", issues=((WEEK, 9.0),)), release("new", issues=((WEEK, 14.0),))
    told = compare_levels(old, new, came(10.0))
    assert told == (Level(target="x", production=pytest.approx(1.0), candidate=pytest.approx(1.5)),)


def test_only_weeks_that_the_newest_issues_of_both_forecast_are_compared(release):
    """Each week is one more than the one before."""
    old = release("old", issues=((WEEK - WEEKS, 1.0), (WEEK, 10.0)))
    new = release("new", issues=((WEEK + WEEKS, 12.0),))
    (level,) = compare_levels(old, new, came(11.5))
    assert (level.production, level.candidate) == (pytest.approx(1.0), pytest.approx(12.5 / 11.5))
    assert compare_levels(old, release("later", issues=((WEEK + 9 * WEEKS, 11.0),)), came(11.5)) == ()


def test_only_the_last_weeks_count_as_what_came_lately(release):
    old, new = release("old"), release("new")
    longer = [*came(11.0), *came(500.0, weeks=4, until=WEEK - LATELY * WEEKS)]
    assert compare_levels(old, new, reversed(longer)) == compare_levels(old, new, came(11.0))


def test_targets_are_told_apart_and_unknown_series_left_out(release):
    old, new = release("old"), release("new")
    assert compare_levels(old, new, [*came(11.0), *came(3.0, target="y"), *came(5.0, ids=("q",))]) == (
        Level(target="x", production=pytest.approx(1.0), candidate=pytest.approx(1.0)),
    )
    assert compare_levels(old, new, []) == ()
    assert compare_levels(old, release("others", ids=("p", "q")), came(11.0)) == ()


def test_one_odd_series_moves_nothing_and_nothing_of_nothing_is_as_much(release):
    old, new = release("old", issues=((WEEK, -1.0),)), release("new", issues=((WEEK, -1.0),))
    quiet = [*came(0.0, ids=("a", "b")), *came(9e9, ids=("c",))]
    (level,) = compare_levels(old, new, quiet)
    assert (level.production, level.candidate) == (1.0, 1.0)
