"""Which release is tried next, and when."""

import threading
from dataclasses import replace

from house import HOUR, POLICY, WORKLOAD, House


def test_a_release_that_was_rolled_back_is_never_tried_again(house):
    house.on_trial()
    house.say("rollback")
    assert house.place(2).state == "rolled_back"
    house.tick()
    assert house.world == ("BO1", None, 0)


def test_after_a_rollback_the_next_one_cools_down_twice_as_long_each_time(house):
    house.on_trial()
    house.say("rollback")
    house.place(3)
    house.hour(23)
    assert house.stage == "queued"
    assert "cooling down until 2026-11-17" in house.look()["reason"]
    house.hour(2)
    house.tick()
    assert house.stage == "canary"
    house.say("rollback")
    house.place(4)
    house.hour(40)
    assert "after 2 rollbacks in a row" in house.look()["reason"]


def test_a_candidate_whose_forecasts_begin_with_weeks_that_are_over_meets_nobody(house):
    house.said.behind = True
    for number in (1, 2):
        house.place(number)
    house.tick()
    house.hour(2)
    assert (house.stage, house.world) == ("queued", ("BO1", None, 0))
    assert "begin with a week that is over" in house.look()["reason"]
    house.said.behind = False
    for _ in range(2):
        house.tick()
    assert (house.stage, house.world) == ("canary", ("BO1", "CO1", 5))


def test_a_newer_candidate_takes_the_place_of_one_that_nobody_has_met(house):
    house.place(1)
    house.place(2)
    house.tick()
    assert house.stage == "warmup"
    house.place(3)
    house.tick()
    assert (house.states, house.journal.current(WORKLOAD).candidate) == (["production", "superseded", "trial"], "r3")


def test_a_newer_candidate_waits_for_one_that_clients_have_met_and_the_newest_is_next(tmp_path):
    house = House(tmp_path, replace(POLICY, cooldown_hours=0)).on_trial()
    for number in (3, 4):
        house.place(number)
    assert (house.journal.current(WORKLOAD).candidate, house.states[2:]) == ("r2", ["queued", "queued"])
    house.say("rollback")
    house.tick()
    assert house.journal.current(WORKLOAD).candidate == "r4"
    assert house.states == ["production", "rolled_back", "superseded", "trial"]


def test_what_was_tried_already_is_not_tried_again_though_the_registry_says_that_it_waits(house, caplog):
    """Its version was deleted and the same trained again, or MLflow was brought back from before the verdict."""
    house.on_trial()
    house.say("rollback")
    house.registry.lose("r2")
    house.add(2)
    house.place(3)
    with caplog.at_level("WARNING"):
        house.place(2)
    assert house.states == ["production", "rolled_back", "queued"]
    assert caplog.messages == ["r2 was tried beside r1 already, in experiment 1: rollback"]
    house.hour(25)
    assert house.journal.current(WORKLOAD).candidate == "r3"


def test_of_two_hosts_that_carry_out_the_same_verdict_one_tells_people(house):
    """The second comes while the first is still telling, before it has noted that all was carried out."""
    house.on_trial()
    house.clock += HOUR
    house.look()
    told, second = [], []

    def tell(_, rows):
        told.extend(row.look_id for row in rows)
        if not second:
            second.append(threading.Thread(target=act))
            second[0].start()
            second[0].join(0.5)

    turns = replace(house.turns, tell=tell)

    def act():
        turns.act(WORKLOAD, house.policy, now=house.clock)

    act()
    second[0].join(10)
    assert len(told) == len(set(told)) > 0
    assert house.journal.pending(WORKLOAD) == []
