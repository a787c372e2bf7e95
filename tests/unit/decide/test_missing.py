import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from looks import BETTER, EVEN, HEALTHY, POLICY, WORSE, at_stage, look, run, share_of
from ratchet.contracts.look import TrackCounts
from ratchet.contracts.policy import Verdict
from ratchet.decide.state import Stage

NOTHING = TrackCounts(requests=None, bad_requests=None, new_clients=None)
CALLED_OFF = {Verdict.PROMOTE, Verdict.ROLLBACK, Verdict.REVERT}


def lacking(track="candidate", **figures):
    return {track: replace(HEALTHY[track], **figures)}


GAPS = [
    pytest.param(lacking(requests=None), "candidate requests are missing", id="missing"),
    pytest.param(lacking("production", bad_requests=None), "production bad requests are missing", id="bad missing"),
    pytest.param(lacking(requests=math.nan), "candidate requests are nan", id="NaN"),
    pytest.param(lacking(bad_requests=math.inf), "candidate bad requests are inf", id="infinite"),
    pytest.param(lacking(requests=-7.0), "went backwards by 7: a counter was reset", id="counter reset"),
    pytest.param(lacking(bad_requests=61.0), "more bad requests (61) than requests (60)", id="impossible"),
    pytest.param(lacking(requests=0.0), "candidate has no traffic beside 240 requests", id="candidate without traffic"),
    pytest.param(
        lacking("production", requests=0.0, bad_requests=0.0),
        "production has no traffic beside 60",
        id="production idle",
    ),
    pytest.param({"hours": None}, "feedback is away", id="feedback away"),
    pytest.param({"share": 0.5}, "the split is off: 0.5 of the clients in force where 0.2 should be", id="split off"),
    pytest.param({"gaps": ("clocks are 40 s apart",)}, "clocks are 40 s apart", id="what observe says"),
]


@pytest.mark.parametrize(("changes", "reason"), GAPS)
def test_each_gap_is_named_and_never_concluded_from(changes, reason):
    decided = run([look(n, BETTER) for n in range(1, 47)])[-1].state
    changes = {
        k: replace(v, requests=0.0, bad_requests=0.0) if reason.startswith("candidate has no") else v
        for k, v in changes.items()
    }
    outcomes = run([look(n, BETTER, **changes) for n in range(47, 60)], state=decided)
    assert reason in outcomes[0].decision.reason
    assert not CALLED_OFF & {outcome.decision.verdict for outcome in outcomes}


def test_one_gap_waits_two_hold_six_suspend_and_data_resumes():
    blind = [look(n, candidate=NOTHING) for n in range(1, 8)]
    outcomes = run(blind)
    verdicts = [outcome.decision.verdict for outcome in outcomes]
    assert verdicts == [Verdict.EXTEND, *[Verdict.HOLD] * 4, *[Verdict.SUSPEND] * 2]
    assert [share_of(outcome.state) for outcome in outcomes] == [0.2] * 5 + [0.0] * 2
    quiet = TrackCounts(requests=0.0, bad_requests=0.0, new_clients=0.0)
    back = run([look(8, candidate=quiet, share=0.0)], state=outcomes[-1].state)[-1]
    assert (back.state.is_suspended, back.decision.verdict, share_of(back.state)) == (False, Verdict.EXTEND, 0.2)


def test_hours_in_which_the_candidate_had_no_share_are_passed_over_and_make_no_split_odd():
    away = run([look(n, candidate=NOTHING) for n in range(1, 7)])[-1].state
    assert away.is_suspended
    alone = (EVEN[0] * 20, ())
    everybody = TrackCounts(requests=3000.0, bad_requests=0.0, new_clients=2000.0)
    quiet = TrackCounts(requests=0.0, bad_requests=0.0, new_clients=0.0)
    unread = run([look(n, alone, candidate=NOTHING, share=0.0) for n in range(7, 12)], state=away)[-1].state
    back = run([look(12, alone, production=everybody, candidate=quiet, share=0.0)], state=unread)[-1].state
    assert (back.is_suspended, back.clients) == (False, away.clients)
    hours = tuple(look(n, alone).hours[0] for n in range(7, 13)) + look(13).hours
    after = run([look(13, hours=hours)], state=back)[-1].state
    together = run([look(n) for n in range(1, 8)])[-1].state
    assert after.ratings.betting.raters == together.ratings.betting.raters
    assert (after.ratings.quarantined_days, after.split_alarm) == (0, "")


def test_after_a_promotion_missing_data_holds_but_does_not_take_the_winner_off():
    outcomes = run([look(n, candidate=NOTHING) for n in range(1, 10)], state=at_stage(Stage.WATCH))
    assert {o.decision.verdict for o in outcomes} == {Verdict.EXTEND, Verdict.HOLD}
    assert share_of(outcomes[-1].state) == pytest.approx(0.9)


def test_a_quiet_night_is_no_gap():
    quiet = TrackCounts(requests=0.0, bad_requests=0.0, new_clients=0.0)
    outcomes = run([look(n, ((), ()), production=quiet, candidate=quiet) for n in range(1, 10)])
    assert {o.decision.verdict for o in outcomes} == {Verdict.EXTEND}


def test_nobody_ever_rated_ends_inconclusive():
    outcomes = run([look(n, ((), ())) for n in range(1, 337)])
    assert outcomes[-1].state.stage is Stage.INCONCLUSIVE
    assert not CALLED_OFF & {o.decision.verdict for o in outcomes}


def test_time_runs_out_while_data_is_missing():
    outcomes = run([look(n, candidate=NOTHING) for n in range(1, 337)])
    assert outcomes[-1].decision.verdict is Verdict.INCONCLUSIVE
    assert "without data" in outcomes[-1].decision.reason


def test_promotion_waits_for_the_look_after_the_gap():
    state = run([look(n, BETTER) for n in range(1, 46)])[-1].state
    outcomes = run([look(n, BETTER, production=NOTHING) for n in range(46, 50)] + [look(50, BETTER)], state=state)
    verdicts = [outcome.decision.verdict for outcome in outcomes]
    assert verdicts == [Verdict.EXTEND, Verdict.HOLD, Verdict.HOLD, Verdict.HOLD, Verdict.PROMOTE]


def test_ratings_that_came_while_metrics_were_away_still_count():
    blind = run([look(n, WORSE, production=NOTHING) for n in range(1, 4)])[-1].state
    assert blind.ratings.betting.raters == (24, 6)


def test_an_hour_that_is_seen_twice_counts_once():
    once, twice = run([look(1, BETTER)])[-1].state, run([look(1, BETTER), look(1, BETTER)])[-1].state
    assert once.ratings == twice.ratings


def test_hours_at_once_equal_hours_one_by_one():
    one_by_one = run([look(n, BETTER) for n in range(1, 31)])[-1].state
    late = look(30, hours=tuple(look(n, BETTER).hours[0] for n in range(1, 31)))
    assert run([late])[-1].state.ratings == one_by_one.ratings


def test_what_is_no_rating_is_counted_and_left_out():
    state = run([look(1, ((4.0, math.nan, 9.0), (5.0, 0.0)))])[-1].state
    assert (state.ratings.betting.raters, state.ratings.unreadable) == ((1, 1), 3)


FIGURE = st.none() | st.sampled_from([math.nan, math.inf, -1.0, 0.0]) | st.floats(0, 1e6)
COUNTS = st.builds(TrackCounts, requests=FIGURE, bad_requests=FIGURE, new_clients=FIGURE)


@given(st.lists(st.tuples(COUNTS, COUNTS, st.booleans()), max_size=12))
def test_whatever_comes_in_every_decision_has_a_reason_and_finite_figures(history):
    looks = [
        look(n, production=old, candidate=new, hours=None if away else ())
        for n, (old, new, away) in enumerate(history, start=1)
    ]
    for outcome in run(looks):
        assert outcome.decision.reason
        assert all(math.isfinite(score) for score in outcome.decision.scores.values())
        assert outcome.decision.verdict is not Verdict.PROMOTE


def test_policy_defaults_hold_after_two_and_suspend_after_six():
    assert (POLICY.hold_after, POLICY.suspend_after) == (2, 6)
