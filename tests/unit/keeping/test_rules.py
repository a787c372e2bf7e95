"""What is needed still: releases and issues, from what is known of them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from ratchet.contracts.ports import Release
from ratchet.keeping.rules import GRACE, decide, first_scored_week, needed_issues

NOW = datetime(2026, 6, 1, 3, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)


def releases(count):
    made = (
        Release(
            workload="w", version=n, release_id=f"r{n}", location="file:///x", state="rolled_back", archived_at=LONG_AGO
        )
        for n in range(1, count + 1)
    )
    return list(made)


def stay(found, **known):
    what = {"keep": 2, "aliased": frozenset(), "needed": {}, "served": {}, "now": NOW}
    return {fate.release.release_id: fate.why for fate in decide(found, **(what | known)) if fate.stays}


def test_the_newest_stay_and_older_ones_go():
    assert set(stay(releases(5))) == {"r4", "r5"}
    assert set(stay(releases(5), keep=9)) == {"r1", "r2", "r3", "r4", "r5"}


@pytest.mark.parametrize(
    ("known", "why"),
    [
        pytest.param({"aliased": frozenset({1})}, "an alias names it", id="behind an alias"),
        pytest.param({"needed": {"r1": "experiment 3 runs"}}, "experiment 3 runs", id="in an experiment"),
        pytest.param({"served": {"r1": "served by the candidate track"}}, "served by the candidate track", id="served"),
    ],
)
def test_an_old_one_that_somebody_needs_stays(known, why):
    assert stay(releases(4), **known)["r1"] == why


@pytest.mark.parametrize("state", ["registered", "queued", "trial", "production"])
def test_an_old_one_that_something_is_to_be_done_with_stays(state):
    found = releases(4)
    found[0] = replace(found[0], state=state)
    assert stay(found)["r1"] == f"is {state}"


@pytest.mark.parametrize("since", [None, NOW - GRACE + timedelta(seconds=1)])
def test_one_that_somebody_may_be_about_to_fetch_stays(since):
    found = releases(4)
    found[0] = replace(found[0], archived_at=since)
    assert stay(found)["r1"] == "archived just now"
    found[0] = replace(found[0], archived_at=NOW - GRACE)
    assert "r1" not in stay(found)


def test_weeks_are_scored_from_drift_experiments_and_what_waits_for_its_turn():
    found = [replace(one, data_hour=LONG_AGO - timedelta(weeks=10 * (3 - one.version))) for one in releases(3)]
    week = timedelta(weeks=1)

    def first(found=found, pairs=()):
        return first_scored_week(found, compared=pairs, gold=NOW, drift_weeks=2)

    assert first() == (NOW - 3 * week).date()
    assert first(pairs=[("r1", "r2")]) == (found[1].data_hour - week).date(), "from the younger one's training on"
    assert first(pairs=[("r1", "gone")]) == (NOW - 3 * week).date()
    waiting = [replace(found[0], state="queued"), *found[1:]]
    assert first(waiting) == (found[0].data_hour - week).date()


SUNDAYS = [date(2026, 3, 1) + timedelta(weeks=n) for n in range(6)]


def scorer(first_weeks, week):
    """Which issue scores a week: the newest that began no later (`observe.issued`)."""
    return max((number for number, first in first_weeks.items() if first <= week), default=None)


@pytest.mark.parametrize("since", [SUNDAYS[0] - timedelta(days=9), *SUNDAYS, SUNDAYS[3] + timedelta(days=2)])
def test_every_week_that_may_be_scored_is_scored_by_the_issue_that_would_have(since):
    """Two issues begin with each week: late events changed what the first of them knew."""
    first_weeks = {number: SUNDAYS[number // 2] for number in range(1, 12)}
    stay = needed_issues(first_weeks, newest=11, since=since)
    left = {number: first_weeks[number] for number in stay}
    later = [week for week in SUNDAYS if week >= since]
    assert [scorer(left, week) for week in later] == [scorer(first_weeks, week) for week in later]


def test_no_more_issues_stay_than_that_and_the_first_and_the_served_one_always():
    first_weeks = {number: SUNDAYS[number // 2] for number in range(1, 12)}
    assert needed_issues(first_weeks, newest=11, since=SUNDAYS[3]) == (1, 7, 9, 11)
    assert needed_issues(first_weeks, newest=11, since=SUNDAYS[5] + timedelta(weeks=9)) == (1, 11)
    assert needed_issues({}, newest=4, since=SUNDAYS[0]) == (1, 4)
