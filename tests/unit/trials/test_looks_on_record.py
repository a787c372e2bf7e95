"""Looks as they are kept: once, with the policy that judged, and judged again to the byte."""

from dataclasses import replace

from house import HEALTHY, HOUR, START, WORKLOAD
from ratchet.contracts.policy import Evidence, Mode, TrackEvidence
from ratchet.decide import Record
from ratchet.decide.records import RULES, from_json
from ratchet.trials import replay_all


def test_minutes_in_which_nothing_happens_are_not_kept(house):
    house.on_trial()
    before = len(house.journal.looks(WORKLOAD, limit=99))
    for _ in range(5):
        assert house.tick(1 / 60)["verdict"] == "none"
    assert len(house.journal.looks(WORKLOAD, limit=99)) == before


def test_a_second_look_at_the_same_moment_reads_the_first(house):
    house.on_trial()
    house.clock += HOUR
    first = house.look()
    house.said.counts["candidate"] = replace(HEALTHY["candidate"], bad_requests=20.0)
    assert house.look() == first
    house.clock -= HOUR / 2
    assert house.look() == first, "a look from before the newest one finds the newest"


def test_one_look_by_the_plain_rule_ends_an_experiment_that_the_other_rule_would_go_on_with(house):
    for number in (1, 2):
        house.place(number)
    house.tick()
    house.tick()
    track = TrackEvidence(release="-", requests=100, errors=0, latency_ms=5.0, ratings=20, rating=3.0)
    house.said.plain = Evidence(
        experiment_id=1, at=START, since=START, production=track, candidate=replace(track, rating=4.5)
    )
    assert house.hour()["verdict"] == "extend"
    assert house.hour(mode=Mode.SPEC)["verdict"] == "promote"
    rows = house.journal.history(1)
    assert rows[-1].policy != rows[-2].policy
    assert [(one.looks, one.differences) for one in replay_all(house.journal, WORKLOAD)] == [(len(rows), ())]


def test_replaying_finds_every_byte_of_an_experiment_from_queue_to_revert_and_names_what_was_forged(house):
    house.promoted()
    house.said.gaps = ("Prometheus is away",)
    house.hour(3)
    house.said.gaps = ()
    house.say("revert")
    assert [one.differences for one in replay_all(house.journal, WORKLOAD)] == [()]
    assert from_json(Record, house.journal.newest(1).body).rules == RULES
    forged = house.journal._looks
    key = next(key for key, row in forged.items() if row.stage == "ab")
    forged[key] = replace(forged[key], body=forged[key].body.replace("guardrails held", "guardrails hell"))
    (found,) = replay_all(house.journal, WORKLOAD)
    assert "decision: from byte" in found.differences[0]
    assert "hell" in found.differences[0]


def test_an_experiment_that_ends_while_it_is_looked_up_is_replayed_once(house, monkeypatch):
    house.on_trial()
    shadows = house.journal.shadows

    def ended_meanwhile(workload):
        house.journal.close_experiment(1, verdict="rollback", at=house.clock)
        return shadows(workload)

    monkeypatch.setattr(house.journal, "shadows", ended_meanwhile)
    assert [one.experiment_id for one in replay_all(house.journal, WORKLOAD)] == [1]


def test_the_stakes_of_an_experiment_stay_while_its_other_parameters_may_change(house):
    house.on_trial()
    house.policy = replace(house.policy, bets=(0.5,), alpha_promote_ratings=0.001)
    house.hour()
    assert house.stage == "ab"
    kept = house.journal.policies()[house.journal.newest(1).policy]
    assert "0.001" in kept
    assert "0.155" in kept
