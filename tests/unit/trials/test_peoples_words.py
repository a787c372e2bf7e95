"""Orders: holds, approvals, promotions and reverts by hand, at once or after they had to wait."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from house import BETTER, HEALTHY, HOUR, POLICY, WORKLOAD, WORSE, House
from ratchet.__main__ import main
from ratchet.contracts.errors import RatchetError
from ratchet.loop import Loop
from ratchet.observe.journal import PostgresJournal


def test_a_hold_keeps_a_better_candidate_until_it_is_cleared(house):
    house.on_trial()
    house.say("hold", "a conference")
    house.said.ratings = BETTER
    assert house.hour(4)["verdict"] == "hold"
    assert "hold by ada: a conference" in house.look()["reason"]
    house.say("clear")
    assert house.hour()["verdict"] == "promote"


def test_approval_is_asked_for_measured_on_and_expires(tmp_path):
    house = House(tmp_path, replace(POLICY, needs_approval=True)).on_trial()
    house.said.ratings = BETTER
    house.hour(4)
    assert (house.stage, house.world) == ("awaiting_approval", ("BO1", "CO1", 20))
    name = house.turns.waiting_since(WORKLOAD, house.policy)
    house.hour(3)
    assert house.turns.waiting_since(WORKLOAD, house.policy) == name
    raters = house.journal.looks(WORKLOAD, limit=1)[0].decision.scores["raters_candidate"]
    assert raters > 4 * 6, "it is measured while it waits"
    house.hour(24)
    assert (house.stage, house.states) == ("", ["production", "inconclusive"])


@pytest.mark.parametrize(("word", "world"), [("approve", ("BO2", "CO1", 20)), ("deny", ("BO1", None, 0))])
def test_a_person_approves_or_denies(tmp_path, word, world):
    house = House(tmp_path, replace(POLICY, needs_approval=True)).on_trial()
    house.said.ratings = BETTER
    house.hour(4)
    house.say(word)
    assert house.world == world


def test_a_promotion_is_taken_back_by_a_person_also_when_its_watch_is_over(house):
    house.promoted()
    house.hour(700)
    house.said.gaps = ()
    assert house.hour(480) == {"verdict": "none", "reason": "no experiment is running"}
    assert house.say("revert", "customers call")["verdict"] == "revert"
    assert (house.world, house.states) == (("BO1", None, 0), ["production", "rolled_back"])
    with pytest.raises(RatchetError, match="no promotion of toys can be taken back"):
        house.say("revert")


def test_a_word_that_cannot_be_carried_out_yet_says_so_and_is_carried_out_by_the_next_run(house):
    house.on_trial()
    house.registry.away = True
    said = house.say("rollback", "users complain")
    assert (
        said["reason"]
        == "rollback by ada: users complain; recorded, and carried out by the next run: the registry is away"
    )
    assert (said["verdict"], said["acted"]) == ("rollback", [])
    house.registry.away = False
    house.tick()
    assert (house.world, house.states) == (("BO1", None, 0), ["production", "rolled_back"])


def test_a_word_that_a_killed_run_wrote_down_is_not_taken_up_again_for_what_came_after(house):
    house.on_trial()
    house.place(3)
    placed = house.clock
    first = house.say("rollback", placed=placed)
    while house.stage != "ab":
        house.hour()
    looks = len(house.journal.looks(WORKLOAD, limit=999))
    again = house.say("rollback", placed=placed)
    assert (again["verdict"], again["reason"]) == (first["verdict"], first["reason"])
    assert (house.stage, len(house.journal.looks(WORKLOAD, limit=999))) == ("ab", looks)


def test_a_revert_that_a_killed_run_wrote_down_takes_no_second_promotion_back(house):
    house.shadowed().promoted_too(3)
    placed = house.clock
    for _ in range(2):
        house.say("revert", placed=placed)
    assert house.states == ["beaten", "production", "rolled_back"]


def test_a_word_that_waited_means_what_ran_when_it_was_placed(tmp_path):
    house = House(tmp_path, replace(POLICY, cooldown_hours=0)).on_trial()
    house.place(3)
    placed = house.clock
    house.said.counts["candidate"] = replace(HEALTHY["candidate"], bad_requests=20.0)
    house.tick(1 / 60)
    house.said.counts = dict(HEALTHY)
    with pytest.raises(RatchetError, match="what it was about is over; experiment 2 began after it was said"):
        house.say("rollback", placed=placed)
    assert (house.stage, house.states) == ("queued", ["production", "rolled_back", "queued"])


def test_a_revert_that_waited_is_refused_when_the_promotion_has_been_taken_back_meanwhile(house):
    house.shadowed().promoted_too(3)
    placed = house.clock
    house.said.ratings = WORSE
    house.hour(12)
    assert house.states == ["beaten", "production", "rolled_back"]
    with pytest.raises(RatchetError, match="a promotion has been taken back since it was said"):
        house.say("revert", placed=placed)
    assert house.states == ["beaten", "production", "rolled_back"]


def test_a_promotion_can_be_taken_back_until_the_next_one_whatever_was_tried_since(house):
    house.shadowed()
    house.said.errors["r2"] = 0.99
    house.hour(2)
    assert [one.verdict for one in house.journal.past(WORKLOAD, limit=9)] == ["promote"]
    house.on_trial_too(3)
    with pytest.raises(RatchetError, match="experiment 2 is on trial: roll it back first, then revert"):
        house.say("revert")
    house.say("rollback")
    assert house.say("revert", "customers call")["verdict"] == "revert"
    assert (house.world, house.states) == (("BO1", None, 0), ["production", "rolled_back", "rolled_back"])


def test_two_promotions_and_words_that_waited_in_a_real_database(tmp_path, postgres):
    house = House(tmp_path, replace(POLICY, watch_hours=1, watch_raters=0, canary_hours=0))
    house.journal = PostgresJournal(postgres)
    house.turns = house.made_with(house.registry, house.journal, house.split)
    house.shadowed().promoted_too(3)
    assert [(one.candidate, one.verdict) for one in house.journal.past(WORKLOAD, limit=9)] == [("r2", "promote")]
    assert house.journal.shadows(WORKLOAD) == []
    placed = house.clock
    for _ in range(2):
        assert house.say("revert", placed=placed)["reason"] == "revert by ada: because"
    assert house.states == ["beaten", "production", "rolled_back"]
    with pytest.raises(RatchetError, match="a promotion has been taken back since it was said"):
        house.say("revert", "another reason", placed=placed)
    assert house.say("revert", "the older one too")["verdict"] == "revert"
    assert house.states == ["production", "rolled_back", "rolled_back"]


def test_orders_that_mean_nothing_are_refused_in_words(house):
    house.place(1)
    with pytest.raises(RatchetError, match="nothing is on trial for toys: there is nothing to promote"):
        house.say("promote")
    house.place(2)
    with pytest.raises(RatchetError, match="say why"):
        house.say("promote", "")
    house.tick()
    with pytest.raises(RatchetError, match=r"^promote by ada: because: not possible while warmup$"):
        house.say("promote")
    assert "not possible while warmup" in house.journal.looks(WORKLOAD, limit=1)[0].decision.reason


def test_who_asked_for_something_else_than_the_guardrail_did_is_told_and_it_is_carried_out(house):
    house.on_trial()
    house.said.counts["candidate"] = replace(HEALTHY["candidate"], bad_requests=20.0)
    with pytest.raises(RatchetError, match=r"^20 bad requests of the candidate are more than"):
        house.say("promote")
    assert (house.world, house.states) == (("BO1", None, 0), ["production", "rolled_back"])


@pytest.mark.parametrize(("word", "code"), [("hold", 0), ("promote", 1)])
def test_a_shell_learns_from_the_exit_code_whether_a_word_was_heard(tmp_path, monkeypatch, capsys, word, code):
    house = House(tmp_path, workload="github_activity")
    for number in (1, 2):
        house.place(number)
    house.journal.time = house.clock = datetime.now(UTC) + HOUR / 60
    monkeypatch.setattr(Loop, "turns", house.turns)
    monkeypatch.setenv("DATA_HOME", str(tmp_path))
    assert main([word, "--why", "it looks fine"]) == code
    said = capsys.readouterr()
    told = said.err.splitlines()[-1] if code else said.out
    assert f"it looks fine{': not possible while queued' * code}" in told
    assert bool(said.out) != bool(code)


def test_a_word_that_waited_for_another_look_is_heard_after_it(house):
    """It waits for the lock; its time is from before."""
    house.on_trial()
    house.say("hold")
    house.clock -= HOUR / 30
    assert house.say("rollback", "it is bad")["verdict"] == "rollback"
    assert house.stage == ""
