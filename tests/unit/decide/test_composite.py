import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.contracts.policy import CompositePolicy, Evidence, TrackEvidence, Verdict
from ratchet.decide import decide

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
POLICY = CompositePolicy()
GOOD = TrackEvidence(release="BO1", requests=800, errors=0, latency_ms=50.0, ratings=100, rating=4.0)
FIGURES = st.none() | st.just(math.nan) | st.floats(min_value=0, max_value=1e6)
COUNTS = st.none() | st.integers(min_value=0, max_value=10_000)
TRACKS = st.builds(
    TrackEvidence,
    release=st.just("CO1"),
    requests=COUNTS,
    errors=COUNTS,
    latency_ms=FIGURES,
    ratings=COUNTS,
    rating=st.none() | st.just(math.nan) | st.floats(min_value=1, max_value=5),
)


def evidence(*, candidate=None, production=None):
    return Evidence(
        experiment_id=1,
        at=AT,
        since=AT,
        production=replace(GOOD, **(production or {})),
        candidate=replace(GOOD, release="CO1", **(candidate or {})),
    )


@pytest.mark.parametrize(
    ("rating", "latency_ms", "verdict"),
    [
        pytest.param(4.0, 50.0, Verdict.HOLD, id="identical"),
        pytest.param(4.3, 50.0, Verdict.HOLD, id="a little better"),
        pytest.param(4.6, 50.0, Verdict.PROMOTE, id="clearly better"),
        pytest.param(5.0, 4000.0, Verdict.HOLD, id="better but slow"),
        pytest.param(4.0, 6000.0, Verdict.ROLLBACK, id="slower than the budget"),
        pytest.param(2.0, 50.0, Verdict.ROLLBACK, id="clearly worse"),
    ],
)
def test_the_ratio_of_scores_decides(rating, latency_ms, verdict):
    decision = decide(evidence(candidate={"rating": rating, "latency_ms": latency_ms}), POLICY)
    assert decision.verdict is verdict


@pytest.mark.parametrize(
    ("production", "candidate", "verdict"),
    [
        pytest.param(3.0, 3.15, Verdict.HOLD, id="1.05 in arithmetic, 1.0500000000000003 in binary fractions"),
        pytest.param(5.0, 4.0, Verdict.HOLD, id="0.80, 0.7999999999999999"),
        pytest.param(3.0, 3.1501, Verdict.PROMOTE, id="just above"),
        pytest.param(5.0, 3.9999, Verdict.ROLLBACK, id="just below"),
    ],
)
def test_exactly_on_a_line_nothing_is_done(production, candidate, verdict):
    slow = {"latency_ms": POLICY.latency_budget_ms}  # the ratio of scores is that of ratings
    one = evidence(production={"rating": production, **slow}, candidate={"rating": candidate, **slow})
    assert decide(one, POLICY).verdict is verdict


def test_scores_and_reason_hold_the_figures():
    decision = decide(evidence(candidate={"rating": 5.0, "latency_ms": 2500.0}), POLICY)
    assert decision.scores == pytest.approx({"candidate": 0.85, "production": 0.857, "ratio": 0.85 / 0.857})
    assert decision.reason == "candidate 0.8500 / production 0.8570 = 0.9918, between 0.8 and 1.05"


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        pytest.param({"promote_above": 1.25}, Verdict.HOLD, id="on the promote line"),
        pytest.param({"promote_above": math.nextafter(1.25, 0)}, Verdict.PROMOTE, id="just above it"),
        pytest.param({"promote_above": 2.0, "rollback_below": 1.25}, Verdict.HOLD, id="on the rollback line"),
        pytest.param(
            {"promote_above": 2.0, "rollback_below": math.nextafter(1.25, 2)}, Verdict.ROLLBACK, id="just below"
        ),
    ],
)
def test_a_ratio_on_a_line_holds(lines, verdict):
    policy = CompositePolicy(rating_weight=1.0, latency_weight=0.0, **lines)
    assert decide(evidence(candidate={"rating": 5.0}), policy).verdict is verdict


@pytest.mark.parametrize("track", ["candidate", "production"])
@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        pytest.param({"requests": None}, "requests are missing", id="requests unknown"),
        pytest.param({"ratings": None}, "ratings are missing", id="ratings unknown"),
        pytest.param({"rating": None}, "rating is missing", id="mean rating unknown"),
        pytest.param({"rating": math.nan}, "rating is missing", id="mean rating NaN"),
        pytest.param({"latency_ms": None}, "latency is missing", id="latency unknown"),
        pytest.param({"latency_ms": math.nan}, "latency is missing", id="latency NaN"),
        pytest.param({"latency_ms": math.inf}, "latency is missing", id="latency infinite"),
        pytest.param({"requests": 49}, "has 49 of 50 requests", id="one request short"),
        pytest.param({"ratings": 9}, "has 9 of 10 ratings", id="one rating short"),
        pytest.param({"ratings": 0, "rating": None}, "has 0 of 10 ratings", id="nobody rated"),
    ],
)
def test_gaps_hold_and_are_named(track, figures, reason):
    decision = decide(evidence(**{track: figures}), POLICY)
    assert (decision.verdict, decision.reason, decision.scores) == (Verdict.HOLD, f"{track} {reason}", {})


def test_every_gap_is_named():
    decision = decide(evidence(candidate={"ratings": 7, "latency_ms": None}, production={"requests": 3}), POLICY)
    assert (
        decision.reason
        == "candidate has 7 of 10 ratings; candidate latency is missing; production has 3 of 50 requests"
    )


def test_exactly_the_minima_are_enough():
    minima = {"requests": 50, "ratings": 10}
    decision = decide(evidence(candidate={**minima, "rating": 5.0}, production=minima), POLICY)
    assert decision.verdict is Verdict.PROMOTE


def test_latency_beyond_the_budget_counts_as_all_of_it_and_no_more():
    slow, slower = (decide(evidence(candidate={"latency_ms": ms}), POLICY).scores for ms in (5000.0, 60_000.0))
    assert slow == slower


def test_unknown_errors_do_not_matter_to_the_plain_rule():
    assert decide(evidence(candidate={"errors": None, "rating": 5.0}), POLICY).verdict is Verdict.PROMOTE


def test_a_production_score_of_zero_holds():
    policy = CompositePolicy(rating_weight=0.0, latency_weight=1.0)
    decision = decide(evidence(production={"latency_ms": 5000.0}), policy)
    assert (decision.verdict, decision.reason) == (Verdict.HOLD, "production scores 0: no ratio can be formed")
    assert decision.scores["candidate"] > 0


def is_complete(track):
    counts = (track.requests or 0) >= POLICY.min_requests and (track.ratings or 0) >= POLICY.min_ratings
    return counts and all(figure is not None and math.isfinite(figure) for figure in (track.rating, track.latency_ms))


@given(TRACKS, TRACKS)
def test_incomplete_evidence_always_holds_and_figures_are_finite(candidate, production):
    seen = Evidence(experiment_id=1, at=AT, since=AT, production=production, candidate=candidate)
    decision = decide(seen, POLICY)
    if not (is_complete(candidate) and is_complete(production)):
        assert decision.verdict is Verdict.HOLD
    assert decision.reason
    assert all(math.isfinite(score) for score in decision.scores.values())


RANK = {Verdict.ROLLBACK: 0, Verdict.HOLD: 1, Verdict.PROMOTE: 2}
STARS = st.floats(min_value=1, max_value=5)


@given(STARS, STARS, STARS)
def test_a_better_rating_never_gives_a_worse_verdict(low, high, production):
    low, high = sorted((low, high))
    verdicts = [
        decide(evidence(candidate={"rating": r}, production={"rating": production}), POLICY) for r in (low, high)
    ]
    assert RANK[verdicts[0].verdict] <= RANK[verdicts[1].verdict]


@given(STARS, STARS)
def test_equal_evidence_gives_equal_decisions(candidate, production):
    seen = evidence(candidate={"rating": candidate}, production={"rating": production})
    assert decide(seen, POLICY) == decide(seen, POLICY)
