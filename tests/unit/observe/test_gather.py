import logging
from datetime import UTC, datetime, timedelta

import pytest

from fakes import FakeAnswer, FakeFeedback, FakeLiveMetrics, FakeRating
from ratchet.contracts.ports import Experiment, Release, Track
from ratchet.observe import Comparison, gather

SINCE = datetime(2026, 3, 2, 12, tzinfo=UTC)
AT = SINCE + timedelta(hours=1)
EXPERIMENT = Experiment(experiment_id=7, workload="w", production="old", candidate="new", started_at=SINCE)
OLD = Release(workload="w", version=1, release_id="old", location="file:///old", candidate_of="CO1", best_of="BO1")
NEW = Release(workload="w", version=2, release_id="new", location="file:///new", candidate_of="CO2")


@pytest.fixture
def metrics():
    def answer(track, release, **values):
        return FakeAnswer(workload="w", track=track, release=release, at=SINCE + timedelta(minutes=1), **values)

    return FakeLiveMetrics(
        [
            answer(Track.PRODUCTION, "BO1", seconds=0.02),
            answer(Track.PRODUCTION, "BO1", seconds=0.04),
            answer(Track.CANDIDATE, "CO2", seconds=0.1, status=503),
        ]
    )


@pytest.fixture
def feedback():
    minute = SINCE + timedelta(minutes=2)
    return FakeFeedback([FakeRating(workload="w", release_id="new", value=4.0, forecast_at=SINCE, at=minute)])


def look(metrics, feedback, *, is_swapped=False):
    comparison = Comparison(experiment=EXPERIMENT, began=SINCE, slow_ms=1000.0, is_swapped=is_swapped)
    return gather(comparison, production=OLD, candidate=NEW, metrics=metrics, feedback=feedback, at=AT)


def test_both_tracks_are_measured_from_the_start_by_the_names_people_use(metrics, feedback):
    evidence = look(metrics, feedback)
    assert (evidence.experiment_id, evidence.since, evidence.at) == (7, SINCE, AT)
    production, candidate = evidence.production, evidence.candidate
    assert (production.release, production.requests, production.errors) == ("BO1", 2, 0)
    assert (candidate.release, candidate.requests, candidate.errors) == ("CO2", 1, 1)
    assert (production.latency_ms, candidate.latency_ms) == (pytest.approx(30), pytest.approx(100))
    assert (production.ratings, production.rating) == (0, None)
    assert (candidate.ratings, candidate.rating) == (1, 4.0)


def test_after_a_promotion_each_side_is_measured_on_the_other_track(feedback):
    answered = FakeAnswer(workload="w", track=Track.PRODUCTION, release="CO2", at=SINCE, seconds=0.2)
    evidence = look(FakeLiveMetrics([answered]), feedback, is_swapped=True)
    assert (evidence.candidate.requests, evidence.production.requests) == (1, None)


def test_metrics_that_are_away_leave_a_logged_gap_and_keep_the_rest(metrics, feedback, caplog):
    metrics.away = True
    with caplog.at_level(logging.WARNING):
        evidence = look(metrics, feedback)
    candidate = evidence.candidate
    assert (candidate.requests, candidate.errors, candidate.latency_ms) == (None, None, None)
    assert (candidate.ratings, candidate.rating) == (1, 4.0)
    assert "no figure for CO2: the live metrics are away" in caplog.messages


def test_feedback_that_is_away_is_a_gap_and_not_zero_ratings(metrics, feedback):
    feedback.away = True
    evidence = look(metrics, feedback)
    assert (evidence.production.ratings, evidence.production.rating) == (None, None)
    assert evidence.production.requests == 2
