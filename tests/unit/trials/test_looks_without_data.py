"""What is missing at a look is said and waited for, and never promotes."""

from dataclasses import replace

import pytest

from house import BETTER, HEALTHY, HOUR, WORKLOAD
from ratchet.contracts.errors import RatchetError


@pytest.mark.parametrize(
    ("gap", "reason"),
    [
        pytest.param({"gaps": ("Prometheus at x is away",)}, "Prometheus at x is away", id="Prometheus away"),
        pytest.param({"gaps": ("the forecast log is away",)}, "the forecast log is away", id="PostgreSQL away"),
        pytest.param({"gaps": ("clocks apart: by an hour",)}, "clocks apart", id="clocks apart"),
        pytest.param({"nan": float("nan")}, "requests are nan", id="NaN"),
        pytest.param({"nan": None}, "requests are missing", id="missing"),
        pytest.param({"nan": -5.0}, "went backwards", id="counter reset"),
        pytest.param({"nan": 0.0}, "no traffic", id="no traffic"),
    ],
)
def test_what_is_missing_never_promotes_is_suspended_in_the_end_and_comes_back(house, gap, reason):
    house.on_trial()
    house.said.ratings = BETTER
    house.said.gaps = gap.get("gaps", ())
    if "nan" in gap:
        house.said.counts["candidate"] = replace(HEALTHY["candidate"], requests=gap["nan"])
    verdicts = []
    for _ in range(6):
        said = house.hour()
        verdicts.append(said["verdict"])
        assert reason in said["reason"]
    assert verdicts == ["extend", "hold", "hold", "hold", "hold", "suspend"]
    assert house.split.share() == 0
    house.said.gaps, house.said.counts = (), dict(HEALTHY)
    house.hour()
    assert house.split.share() == 20


def test_no_feedback_at_all_ends_inconclusive_and_production_stays(house):
    house.on_trial()
    house.said.ratings = ((), ())
    house.hour(340)
    assert (house.world, house.states) == (("BO1", None, 0), ["production", "inconclusive"])


def test_a_release_that_is_gone_from_the_registry_holds_what_it_was_on_trial_for(house):
    house.on_trial()
    house.said.ratings = BETTER
    del house.registry._releases[WORKLOAD, 2]
    house.clock += HOUR
    assert "release r2 of toys is gone from the registry" in house.look()["reason"]


def test_a_release_whose_files_are_gone_is_not_promoted(house):
    """Nothing of ours removes them while it is on trial; whoever did has to be told of it."""
    house.on_trial()
    house.said.ratings = BETTER
    release = house.registry._releases[WORKLOAD, 2]
    house.registry._releases[WORKLOAD, 2] = replace(release, files="gone")
    house.clock += HOUR
    assert "the files of release r2 were removed (RELEASES_KEEP)" in house.look()["reason"]


def test_a_clock_that_jumped_ahead_judges_nothing_and_stands_in_nobodys_way_afterwards(house):
    house.on_trial()
    house.journal.time = house.clock
    house.clock += 30 * 24 * HOUR
    for one in (house.look, house.tick, lambda: house.say("promote")):
        with pytest.raises(RatchetError, match="clocks apart: the loop is at 2026-12-16"):
            one()
    assert house.stage == "ab"
    house.clock = house.journal.time + HOUR / 60
    house.said.counts["candidate"] = replace(HEALTHY["candidate"], bad_requests=20.0)
    house.tick(1 / 60)
    assert (house.world, house.states) == (("BO1", None, 0), ["production", "rolled_back"])


def test_clocks_that_were_both_ahead_and_are_set_back_are_told_of(house):
    """Looks go forward: none is taken before the newest one, and silence would look like nothing to say."""
    house.on_trial()
    house.clock += 5 * 24 * HOUR
    house.hour()
    house.journal.time = house.clock = house.clock - 5 * 24 * HOUR
    for one in (house.look, house.tick, lambda: house.say("promote")):
        with pytest.raises(RatchetError, match=r"newest look is of 2026-11-21 .*, the database at 2026-11-16"):
            one()


@pytest.mark.parametrize(("at", "word"), [("on_trial", "rollback"), ("promoted", "revert")])
def test_a_person_ends_an_experiment_whose_looks_are_ahead_and_the_next_one_is_judged(house, at, word):
    getattr(house, at)()
    house.clock += 5 * 24 * HOUR
    house.hour()
    house.journal.time = house.clock = house.clock - 5 * 24 * HOUR
    house.say(word)
    assert (house.stage, house.world, house.states) == ("", ("BO1", None, 0), ["production", "rolled_back"])
    house.clock += 49 * HOUR
    house.journal.time = house.clock + 12 * HOUR
    house.on_trial_too(3)
    house.said.counts["candidate"] = replace(HEALTHY["candidate"], bad_requests=20.0)
    house.tick(1 / 60)
    assert (house.stage, house.world) == ("", ("BO1", None, 0))


@pytest.mark.parametrize("word", ["rollback", None])
def test_a_registry_that_is_away_keeps_nobody_on_a_candidate_that_was_rolled_back(house, word):
    """The share is a file of our own; the aliases follow when MLflow is back."""
    house.on_trial()
    house.registry.away = True
    if word:
        house.say(word)
    else:
        house.said.counts["candidate"] = replace(HEALTHY["candidate"], bad_requests=20.0)
        with pytest.raises(RatchetError, match="the registry is away"):
            house.tick(1 / 60)
    assert house.split.share() == 0
    house.registry.away = False
    house.tick()
    assert (house.world, house.states) == (("BO1", None, 0), ["production", "rolled_back"])


def test_a_registry_that_is_away_moves_nobody_to_the_release_that_is_to_be_reverted(house):
    house.promoted()
    house.registry.away = True
    house.say("rollback")
    assert house.split.share() == 10, "they have the one that comes back"
    house.registry.away = False
    house.tick()
    assert house.world == ("BO1", None, 0)
