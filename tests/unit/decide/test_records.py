import math
from dataclasses import replace

import pytest

from looks import BEGAN, BETTER, EVEN, POLICY, WORSE, look, minute, week
from ratchet.contracts.look import Look, Order, OrderKind, TrackCounts
from ratchet.contracts.policy import Decision, EvidencePolicy, Verdict
from ratchet.decide import Record, State, digest, fold, queued, replay, step
from ratchet.decide.records import RULES, from_json, to_json

LACKING = TrackCounts(requests=math.nan, bad_requests=None, new_clients=4)


def recorded(looks, policy=POLICY):
    """The records of an experiment as the loop writes and reads them."""
    state, records = queued(BEGAN, policy), []
    for one in looks:
        state, decision = step(from_json(State, to_json(state)), one, policy)
        record = Record(
            began=BEGAN,
            production="r1",
            candidate="r2",
            policy=digest(policy),
            actor="evaluate_ab",
            look=one,
            decision=decision,
            state=state,
        )
        records.append(from_json(Record, to_json(record)))
    return records


HISTORY = [
    *(look(n) for n in range(1, 6)),
    *(look(n, BETTER if n % 3 else WORSE) for n in range(6, 40)),
    look(40, candidate=LACKING),
    look(41, weeks=(week(1, 0.9), week(2, 1.1)), order=Order(kind=OrderKind.HOLD, who="ada", why="lunch")),
    minute(1, hour=41),
    look(42, EVEN, share=0.5),
    look(43, order=Order(kind=OrderKind.CLEAR, who="ada", why="back")),
    *(look(n, BETTER) for n in range(44, 110)),
]


def test_replaying_the_records_reproduces_every_decision_byte_for_byte():
    records = recorded(HISTORY)
    assert {record.decision.verdict for record in records} >= {Verdict.HOLD, Verdict.EXTEND, Verdict.PROMOTE}
    assert replay(records, {digest(POLICY): POLICY}) == []
    assert [to_json(record) for record in records] == [to_json(record) for record in recorded(HISTORY)]


def test_looks_that_earlier_rules_judged_are_told_as_such_and_those_after_them_are_reproduced(monkeypatch):
    suspended = [*(look(n) for n in range(1, 40)), *(look(n, candidate=LACKING) for n in range(40, 50))]
    with monkeypatch.context() as earlier:
        earlier.setattr(fold, "pass_over", lambda ratings, _: replace(ratings, unreadable=ratings.unreadable + 1))
        records = recorded([*suspended, *(look(n) for n in range(50, 80))])
    passed_over = [record.look.at for record in records if record.state.is_suspended][1:]
    assert len(passed_over) == 4
    found = replay(records, {digest(POLICY): POLICY})
    assert sorted({one.at for one in found}) == [*passed_over, records[49].look.at]
    assert all(one.is_earlier for one in found)
    now = [replace(record, rules=RULES) for record in records]
    assert not any(one.is_earlier for one in replay(now, {digest(POLICY): POLICY}))


def test_a_changed_record_is_found():
    records = recorded(HISTORY)
    forged = Decision(verdict=Verdict.PROMOTE, reason="trust me", scores={})
    records[20] = replace(records[20], decision=forged)
    found = replay(records, {digest(POLICY): POLICY})
    assert [(difference.at, difference.what[:26]) for difference in found] == [
        (records[20].look.at, "decision: from byte 11 on,")
    ]


def test_a_record_under_an_unknown_policy_is_said():
    (found,) = replay(recorded(HISTORY[:1]), {})
    assert found.what == f"policy {digest(POLICY)} is unknown"


def test_the_same_parameters_have_the_same_digest_and_others_another():
    assert digest(EvidencePolicy()) == digest(EvidencePolicy())
    assert digest(EvidencePolicy()) != digest(EvidencePolicy(min_ab_hours=47.0))


def test_a_policys_digest_does_not_change_by_accident():
    # A new parameter or default changes it on purpose: recorded decisions name the policy they were made by.
    assert digest(from_json(EvidencePolicy, to_json(POLICY))) == digest(POLICY)


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_survives_json_as_itself(figure):
    counts = TrackCounts(requests=figure, bad_requests=None, new_clients=1.0)
    read = from_json(Look, to_json(look(1, candidate=counts)))
    assert str(read.candidate.requests) == str(figure)
    assert read.candidate.bad_requests is None
