"""Somebody deletes a release in the registry while an experiment is about it: all else is carried out, and they are told."""

import logging

import pytest

from house import BETTER, WORKLOAD
from ratchet.contracts.ports import Track


def gone(caplog):
    return [record.message for record in caplog.records if record.levelno == logging.ERROR]


def test_a_rollback_is_carried_out_though_production_is_gone_and_who_still_answers_stays(house, caplog):
    """Clients of an empty track are answered by the other one: with both empty nobody would be."""
    house.on_trial()
    house.registry.lose("r1")
    assert house.say("rollback")["acted"] == ["rollback"]
    assert (house.stage, house.world, house.states) == ("", (None, "CO1", 0), ["rolled_back"])
    assert gone(caplog) == [
        "toys@production is empty: r1 is gone from the registry, and toys@candidate answers everybody; docs/runbook.md, ProductionEmpty"
    ]
    house.place(3)
    assert (house.world, house.states) == (("BO1", "CO1", 0), ["rolled_back", "production"])


def test_a_trial_whose_production_is_gone_ends_at_the_next_look(house):
    house.on_trial()
    house.said.ratings = BETTER
    house.registry.lose("r1")
    said = house.hour()
    assert said["verdict"] == "rollback"
    assert said["reason"] == "rollback by ratchet: its production r1 is gone from the registry"
    assert (house.stage, house.split.share(), house.states) == ("", 0, ["rolled_back"])
    assert [row.decision.verdict.value for row in house.told][-1] == "rollback"


def test_an_alias_alone_that_was_taken_away_comes_back_and_nothing_goes_live_untried(house):
    house.on_trial()
    house.registry._aliases.clear()
    house.place(3)
    assert house.states == ["production", "trial", "queued"]
    house.hour()
    assert (house.stage, house.world) == ("ab", ("BO1", "CO1", 20))


def test_a_candidate_that_is_gone_leaves_its_share_to_production(house, caplog):
    house.on_trial()
    house.registry.lose("r2")
    house.hour()
    assert house.world == ("BO1", None, 0)
    assert gone(caplog) == ["r2 is gone from the registry: nobody is sent to toys@candidate"]
    assert house.say("rollback")["acted"] == ["rollback"]
    assert house.stage == ""


def test_a_candidate_that_is_gone_as_it_is_warmed_up_stops_no_look_and_can_be_rolled_back(house):
    """Its track still serves it for some seconds."""
    for number in (1, 2):
        house.place(number)
    house.said.replayed = 3
    house.tick()
    assert house.stage == "warmup"
    house.registry.lose("r2")
    assert house.hour()["reason"] == "warmed up with 3 of 200 replayed requests"
    assert house.world == ("BO1", None, 0)
    assert house.say("rollback")["acted"] == ["rollback"]
    assert house.stage == ""


def test_a_promotion_whose_beaten_release_is_gone_stands_and_its_watch_ends(house):
    house.promoted()
    house.registry.lose("r1")
    house.hour()
    assert (house.stage, house.world) == ("watch", ("BO2", None, 0))


@pytest.mark.parametrize("at", ["promoted", "shadowed"])
def test_a_revert_to_a_release_that_is_gone_leaves_production_as_it_is(house, at, caplog):
    getattr(house, at)()
    house.registry.lose("r1")
    house.say("revert")
    assert (house.on(Track.PRODUCTION), house.split.share()) == ("BO2", 0)
    assert "r1 is gone from the registry: toys@production stays BO2" in gone(caplog)
    assert not house.journal.pending(WORKLOAD)


@pytest.mark.parametrize("at", ["promoted", "shadowed", "done"])
def test_a_winner_that_is_gone_is_taken_back_by_a_persons_word(house, at):
    """Whom it beat answers again: `ratchet revert`, as docs/runbook.md says under ProductionEmpty."""
    (house.shadowed if at == "shadowed" else house.promoted)()
    while at == "done" and house.journal.current(WORKLOAD):
        house.hour()
    house.registry.lose("r2")
    house.hour()
    assert house.on(Track.PRODUCTION) is None
    assert house.say("revert")["acted"] == ["revert"]
    house.hour()
    assert (house.world, house.states) == (("BO1", None, 0), ["production"])


def test_a_trial_beside_a_winner_that_is_gone_ends_and_the_winner_is_taken_back(house):
    house.shadowed().on_trial_too(3)
    house.registry.lose("r2")
    house.say("rollback")
    assert house.say("revert")["acted"] == ["revert"]
    assert (house.on(Track.PRODUCTION), house.split.share()) == ("BO1", 0)


@pytest.mark.parametrize("was", ["waiting", "on trial", "beaten"])
def test_what_somebody_made_production_by_hand_is_production_and_is_not_tried_against_itself(house, was):
    (house.promoted if was == "beaten" else house.on_trial)()
    house.place(3)
    chosen = {"waiting": "r3", "on trial": "r2", "beaten": "r1"}[was]
    house.registry.lose("r2" if was == "beaten" else "r1")
    (release,) = (one for one in house.registry.releases(WORKLOAD) if one.release_id == chosen)
    house.registry.point(WORKLOAD, Track.PRODUCTION, release)
    house.hour(80)
    live = house.registry.live(WORKLOAD, Track.PRODUCTION)
    assert (live.release_id, live.state, live.best_of is not None) == (chosen, "production", True)
    assert house.states.count("production") == 1
    past = [*house.journal.past(WORKLOAD, limit=9), house.journal.current(WORKLOAD)]
    assert all(one.production != one.candidate for one in past if one)


def test_what_somebody_took_out_of_production_by_hand_is_beaten_and_may_be_tidied(house):
    house.promoted()
    while house.journal.current(WORKLOAD) or house.journal.shadows(WORKLOAD):
        house.hour()
    (old,) = (one for one in house.registry.releases(WORKLOAD) if one.release_id == "r1")
    house.registry.point(WORKLOAD, Track.PRODUCTION, old)
    house.hour()
    assert house.states == ["production", "beaten"]


def test_a_shadow_whose_loser_was_made_production_by_hand_marks_each_once(house, monkeypatch):
    house.shadowed()
    (old,) = (one for one in house.registry.releases(WORKLOAD) if one.release_id == "r1")
    house.registry.point(WORKLOAD, Track.PRODUCTION, old)
    house.hour()
    assert house.states == ["production", "beaten"]
    monkeypatch.setattr(house.registry, "mark", None)
    house.hour()
