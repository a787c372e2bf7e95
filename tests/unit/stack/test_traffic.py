"""Simulated people: the same seed asks the same, and they rate by how wrong a forecast was."""

import pytest

from ratchet.contracts.errors import RatchetError
from ratchet.settings import Settings
from ratchet.stack import traffic
from ratchet.stack.api_keys import Keys

SERIES = [(f"thing-{number}", target) for number in range(10) for target in ("x", "y")]


def test_the_same_seed_draws_the_same_visits():
    drawn = [traffic._draw(SERIES, seconds=10, rate=20, seed=3) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != traffic._draw(SERIES, seconds=10, rate=20, seed=4)


def test_a_few_series_get_most_of_the_visits():
    visits = traffic._draw(SERIES, seconds=100, rate=50, seed=3)
    counts = sorted(
        (sum(visit.series[0] == f"thing-{number}" for visit in visits) for number in range(10)), reverse=True
    )
    assert counts[0] > 5 * counts[-1] > 0


@pytest.mark.parametrize(
    ("forecast", "stars"),
    [([10.0, 10.0], 5), ([12.5, 12.5], 4), ([5.0, 5.0], 3), ([20.0, 20.0], 1), ([500.0, 0.0], 1)],
    ids=["right", "a quarter off", "half off", "double", "absurd"],
)
def test_stars_follow_the_error(forecast, stars):
    assert traffic.rating(forecast, [10.0, 10.0], mood=0.0) == stars


def test_a_week_of_nothing_is_rated_by_how_much_was_promised():
    assert traffic.rating([0.0, 0.0], [0.0, 0.0], mood=0.0) == 5
    assert traffic.rating([1.0, 1.0], [0.0, 0.0], mood=0.0) == 1


@pytest.mark.parametrize(
    ("stage", "is_told"), [("canary", True), ("ab", True), ("promoting", False), ("watch", False), ("", False)]
)
def test_where_nothing_turned_a_person_is_told_what_to_do(stage, is_told):
    """It depends on who the few clients of a candidate are whether the plain rule promotes it; the same seed brings the same."""
    assert ("--seed 8" in traffic.what_next(stage, seed=7)) == is_told


def test_traffic_needs_a_stack_that_runs(tmp_path):
    with pytest.raises(RatchetError, match="make up"):
        traffic.run(Settings(_env_file=None, data_home=tmp_path), seconds=1, rate=1, seed=1)


@pytest.mark.parametrize(
    ("release", "says"),
    [
        pytest.param(None, "no release answers yet", id="none"),
        pytest.param({"release": "BO7", "synthetic": False}, "BO7 was trained on data of your own", id="own"),
    ],
)
def test_simulated_people_rate_the_sample_and_nothing_else(release, says, tmp_path, monkeypatch):
    """They would decide a real experiment by an invented future."""
    monkeypatch.setattr(traffic.Supervisor, "is_running", lambda _: True)
    monkeypatch.setattr(traffic.secrets, "load", lambda _: None)
    monkeypatch.setattr(traffic.api_keys, "of_home", lambda *_: Keys(predict="p", operate="o", fresh=False))
    monkeypatch.setattr(traffic.Stack, "shared_environment", {})
    monkeypatch.setattr(traffic.first_turn, "release", lambda *_: release)
    with pytest.raises(RatchetError, match=says):
        traffic.run(Settings(_env_file=None, data_home=tmp_path), seconds=1, rate=1, seed=1)
