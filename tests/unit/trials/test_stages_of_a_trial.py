"""Where an experiment goes by itself, and what each step does to the tracks."""

from dataclasses import replace

from house import BETTER, EVEN, HEALTHY, WORKLOAD, House
from ratchet.contracts.look import Level
from ratchet.contracts.policy import EvidencePolicy, Mode, Verdict
from ratchet.contracts.ports import Track


def test_the_first_release_goes_live_without_a_trial(house):
    house.place(1)
    house.tick()
    assert house.world == ("BO1", None, 0)


def test_a_candidate_is_warmed_up_then_meets_few_then_more_clients(house):
    house.place(1)
    house.place(2)
    seen = []
    for step in (house.tick, house.tick, house.hour, house.hour):
        step()
        seen.append((house.stage, house.world))
    assert seen == [
        ("warmup", ("BO1", "CO1", 0)),
        ("canary", ("BO1", "CO1", 5)),
        ("canary", ("BO1", "CO1", 5)),
        ("ab", ("BO1", "CO1", 20)),
    ]
    assert house.states == ["production", "trial"]


def test_the_plain_rule_knows_no_stages_but_the_trial(tmp_path):
    house = House(tmp_path, EvidencePolicy(mode=Mode.SPEC))
    house.place(1)
    house.place(2)
    house.tick()
    assert (house.stage, house.world) == ("ab", ("BO1", "CO1", 20))


def test_a_candidate_that_not_every_worker_serves_stays_in_its_warm_up(house):
    house.said.served = set()
    house.place(1)
    house.place(2)
    for _ in range(3):
        house.tick()
    assert (house.stage, house.split.share()) == ("warmup", 0)
    house.said.served, house.said.replayed = {(Track.CANDIDATE, "r2")}, 199
    house.tick()
    assert house.stage == "warmup"
    assert house.hour()["reason"] == "warmed up with 199 of 200 replayed requests"


def test_a_candidate_that_expects_much_else_is_met_by_nobody_until_somebody_says_so(house):
    house.said.expected = (Level(target="x", production=1.0, candidate=1.5),)
    house.place(1)
    house.place(2)
    for _ in range(3):
        house.tick()
    assert (house.stage, house.world) == ("warmup", ("BO1", "CO1", 0))
    assert house.hour()["verdict"] == "hold"
    house.said.replayed = 0  # nobody is asked again until the next hour
    house.tick()
    house.said.replayed = 200
    house.say("clear")
    house.tick()
    assert (house.stage, house.world) == ("canary", ("BO1", "CO1", 5))


def test_a_newer_candidate_takes_the_place_of_one_that_expects_much_else(house):
    house.said.expected = (Level(target="x", production=1.0, candidate=1.5),)
    house.place(1)
    house.place(2)
    house.hour()
    house.hour()
    house.said.expected = (Level(target="x", production=1.0, candidate=1.01),)
    house.place(3)
    for _ in range(2):
        house.tick()
    assert (house.stage, house.world) == ("canary", ("BO1", "CO2", 5))
    assert house.states == ["production", "superseded", "trial"]


def test_a_promotion_is_done_only_when_every_worker_serves_the_winner(house):
    house.on_trial()
    house.said.served = set()
    house.say("promote")
    house.tick()
    assert (house.stage, house.world) == ("promoting", ("BO2", "CO1", 20))
    house.said.served = {(Track.PRODUCTION, "r2")}
    house.tick()
    assert (house.stage, house.world) == ("watch", ("BO2", "BO1", 10))
    assert house.states == ["beaten", "production"]


def test_better_ratings_promote_by_themselves_and_the_watch_ends_in_a_new_experiment(house):
    house.on_trial()
    house.said.ratings = BETTER
    house.hour(4)
    assert house.stage == "promoting"
    house.said.ratings = EVEN
    house.tick()
    house.hour(60)
    house.place(3)
    assert (house.stage, house.states[-1]) == ("watch", "queued")
    while not house.journal.shadows(WORKLOAD):
        house.hour()
    assert [one.candidate for one in house.journal.shadows(WORKLOAD)] == ["r2"]
    house.tick()
    house.tick()
    assert house.world == ("BO2", "CO2", 5)


def test_bad_requests_take_a_candidate_off_within_minutes_and_another_is_asked_for_once(house):
    house.on_trial()
    house.said.counts["candidate"] = replace(HEALTHY["candidate"], bad_requests=20.0)
    house.tick(1 / 60)
    assert (house.world, house.states) == (("BO1", None, 0), ["production", "rolled_back"])
    assert house.told[-1].decision.verdict is Verdict.ROLLBACK
    found = house.journal.unanswered(WORKLOAD)
    assert "bad requests of the candidate" in found.decision.reason
    house.journal.acted(found.look_id, at=house.clock, what="answered")
    assert house.journal.unanswered(WORKLOAD) is None


def test_every_experiment_picks_other_people_and_the_watch_too(house):
    house.on_trial()
    first = house.split.salt()
    house.say("promote")
    house.tick()
    assert house.stage == "watch"
    assert house.split.salt() == first + 1
