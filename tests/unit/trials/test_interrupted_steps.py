"""Killed between any two steps, and finished by the next run."""

from contextlib import suppress
from dataclasses import replace

import pytest

from house import POLICY, WORKLOAD, House, KilledError

SHORT = replace(POLICY, watch_hours=3, watch_raters=0)
"""How long a promotion is watched has no part in what is killed."""

SCENES = {
    "place the first": lambda house, turns: house.place(1, turns),
    "warm up": lambda house, turns: (house.place(1), house.place(2), house.tick(turns=turns)),
    "roll back": lambda house, turns: (house.on_trial(), house.place(3), house.say("rollback", turns=turns)),
    "promote": lambda house, turns: (house.on_trial(), house.say("promote", turns=turns)),
    "watch": lambda house, turns: (house.on_trial(), house.say("promote"), house.tick(turns=turns)),
    "revert": lambda house, turns: (house.promoted(), house.say("revert", turns=turns)),
    "replace": lambda house, turns: (house.place(1), house.place(2), house.tick(), house.place(3, turns)),
    "hold": lambda house, turns: (house.on_trial(), house.say("hold", turns=turns)),
    "roll back without production": lambda house, turns: (
        house.on_trial(),
        house.registry.lose("r1"),
        house.say("rollback", turns=turns),
    ),
    "promote another": lambda house, turns: (house.shadowed().on_trial_too(3), house.say("promote", turns=turns)),
    "revert late": lambda house, turns: (house.shadowed(), house.say("revert", turns=turns)),
}


WORDS = {"roll back": "rollback", "promote": "promote", "revert": "revert", "hold": "hold"}
WORDS |= {"roll back without production": "rollback", "promote another": "promote", "revert late": "revert"}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("calls", range(16))
def test_whatever_is_interrupted_between_any_two_steps_is_finished_by_the_next_run(tmp_path, scene, calls):
    houses = [House(tmp_path / name, SHORT) for name in ("killed", "undisturbed")]
    for one, turns in zip(houses, (houses[0].fused(calls), None), strict=True):
        with suppress(KilledError):
            SCENES[scene](one, turns)
        # Who placed a release tries again, as the orchestrator does; the guard comes by.
        if scene in ("place the first", "replace"):
            one.place({"place the first": 1, "replace": 3}[scene])
        one.tick(0.02)
    said = [sum(row.actor == "ada" for row in one.journal.looks(WORKLOAD, limit=99)) for one in houses]
    if said[0] < said[1]:
        houses[0].say(WORDS[scene])  # killed before the word was written down: it is said again
    for one in houses:
        for _ in range(2):
            one.tick(0.02)
    assert houses[0].summary() == houses[1].summary()


def test_what_was_registered_and_never_placed_is_placed_by_the_next_hour(house):
    """The database was gone in between, and no task is there to try again."""
    for number in (1, 2):
        house.add(number)
        house.hour()
    assert house.states == ["production", "queued"]
    assert house.journal.current(WORKLOAD).candidate == "r2"


def test_what_was_left_and_has_been_overtaken_since_is_not_tried(house):
    house.place(1)
    house.add(2)
    house.place(3)
    house.hour()
    assert house.states == ["production", "superseded", "trial"]


def test_who_places_late_what_another_run_has_placed_changes_nothing(house):
    house.place(1)
    late = house.add(2)
    house.hour(4)
    before = house.summary()
    house.turns.trials.place(late, now=house.clock)
    assert (house.summary(), house.states) == (before, ["production", "trial"])
