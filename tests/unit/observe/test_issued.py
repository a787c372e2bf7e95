"""Two releases' issued forecasts against what really happened."""

from datetime import date, timedelta

import pytest

from ratchet.contracts.errors import MetricsError
from ratchet.contracts.look import PairedLoss
from ratchet.observe import pair_weeks, read_issued
from ratchet.observe.issued import SERIES, beginning

WEEK = date(2026, 11, 22)
IDS = ("a", "b", "c")


def actual(week, y=10.0, ids=IDS, target="x"):
    return [(one, target, week, y) for one in ids]


def pair(old, new, actuals, *, seen=frozenset(), asked=None):
    return pair_weeks(old, new, actuals, seen=seen, asked=asked or {})


def test_both_are_scored_on_the_same_series_and_weeks_in_one_order(release):
    old, new = release("old", ids=("a", "b", "z")), release("new", issues=((WEEK, 12.0),))
    (week,) = pair(old, new, actual(WEEK), asked={("a", "x"): 7})
    assert week.week == beginning(WEEK)
    assert set(week.losses) == {
        PairedLoss(series="a x", production=0.0, candidate=2.0, asked=7.0),
        PairedLoss(series="b x", production=0.0, candidate=2.0),
    }
    assert pair(old, new, list(reversed(actual(WEEK))), asked={("a", "x"): 7}) == (week,)


def test_weeks_that_one_of_them_was_trained_on_do_not_count(release):
    old, new = release("old"), release("new", issues=((WEEK + timedelta(weeks=1), 12.0),))
    actuals = [*actual(WEEK), *actual(WEEK + timedelta(weeks=1))]
    assert [week.week for week in pair(old, new, actuals)] == [beginning(WEEK + timedelta(weeks=1))]


def test_a_week_is_scored_once_and_weeks_beyond_the_horizon_never(release):
    old, new = release("old"), release("new")
    actuals = [*actual(WEEK), *actual(WEEK + timedelta(weeks=5))]
    assert pair(old, new, actuals, seen=frozenset({beginning(WEEK).isoformat()})) == ()


def test_the_newest_issue_from_before_a_week_is_what_was_said_of_it(release):
    later = WEEK + timedelta(weeks=1)
    old, new = release("old", issues=((WEEK, 10.0), (later, 20.0))), release("new")
    first, second = pair(old, new, [*actual(WEEK), *actual(later, 20.0)])
    assert {loss.production for loss in first.losses} == {0.0}
    assert {loss.production for loss in second.losses} == {0.0}


def test_what_happened_to_others_or_in_other_targets_is_left_out(release):
    old, new = release("old"), release("new")
    assert pair(old, new, [*actual(WEEK, ids=("q",)), *actual(WEEK, target="y")]) == ()


def test_very_many_series_are_compared_by_a_fixed_thousand_of_them(release):
    ids = tuple(f"s{number}" for number in range(SERIES + 500))
    old, new = release("old", ids=ids), release("new", ids=ids)
    (week,) = pair(old, new, actual(WEEK, ids=ids))
    assert len(week.losses) == SERIES
    assert pair(old, new, actual(WEEK, ids=ids)) == (week,)


def test_a_later_issue_of_the_same_weeks_is_what_was_said(release):
    """Late events changed earlier weeks, so it was issued again within the week."""
    old, new = release("old", issues=((WEEK, 10.0), (WEEK, 30.0))), release("new")
    (week,) = pair(old, new, actual(WEEK))
    assert {loss.production for loss in week.losses} == {20.0}


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(MetricsError, match="cannot be read"):
        read_issued(tmp_path / "nowhere")
