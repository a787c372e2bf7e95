"""POLICY may change while a trial runs: whom its split has counted was split by the share that it began with."""

from dataclasses import replace

import numpy as np
import pytest

from house import HEALTHY, WORKLOAD
from ratchet.trials import replay_all

A_DAY, A_WEEK = 24, 168


def verdicts(house, *, hours, seed=5, lost=0.0):
    """What is said while a hundred new people an hour come in the share that the router has, some of the candidate's lost."""
    rng, said = np.random.default_rng(seed), []
    for _ in range(hours):
        theirs = rng.binomial(100, house.split.share() / 100)
        came = {"production": 100 - theirs, "candidate": rng.binomial(theirs, 1 - lost)}
        for track, count in came.items():
            house.said.counts[track] = replace(HEALTHY[track], new_clients=float(count))
        said.append(house.hour())
    return said


def the_split_is_told_off(said):
    return [one for one in said if one["reason"].startswith("clients do not arrive")]


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_a_share_that_is_changed_in_a_trial_is_that_of_the_next_one(house, share):
    house.on_trial()
    assert {one["verdict"] for one in verdicts(house, hours=2 * A_DAY)} == {"extend"}
    house.policy = replace(house.policy, ab_share=share, cooldown_hours=0.0)
    assert {one["verdict"] for one in verdicts(house, hours=A_WEEK)} == {"extend"}
    assert (house.stage, house.split.share()) == ("ab", 20)
    house.say("rollback")
    house.said.counts = dict(HEALTHY)
    house.on_trial_too(3)
    assert house.split.share() == round(100 * share)
    assert [one.differences for one in replay_all(house.journal, WORKLOAD)] == [(), ()]


def test_a_split_that_is_broken_is_found_although_the_share_was_changed(house):
    house.on_trial()
    verdicts(house, hours=A_DAY)
    house.policy = replace(house.policy, ab_share=0.5)
    assert not the_split_is_told_off(verdicts(house, hours=A_DAY))
    assert the_split_is_told_off(verdicts(house, hours=2 * A_DAY, lost=0.3))


@pytest.mark.parametrize("parameter", ["canary_share", "watch_holdback"])
def test_so_it_is_in_the_stages_before_and_after(house, parameter):
    stage, percent = {"canary_share": ("canary", 5), "watch_holdback": ("watch", 10)}[parameter]
    if parameter == "watch_holdback":
        house.promoted()
    else:
        house.policy = replace(house.policy, canary_hours=2.0 * A_DAY)
        for number in (1, 2):
            house.place(number)
        for _ in range(2):
            house.tick()
    house.hour()
    house.policy = replace(house.policy, **{parameter: 0.5})
    house.tick(0.1)
    house.hour(2)
    assert (house.stage, house.split.share()) == (stage, percent)


def test_a_share_that_is_changed_before_clients_come_counts_at_once(house):
    house.said.replayed = 0
    for number in (1, 2):
        house.place(number)
    house.tick()
    house.hour()
    house.policy = replace(house.policy, canary_share=0.1)
    house.said.replayed = 200
    house.tick()
    assert (house.stage, house.split.share()) == ("canary", 10)
