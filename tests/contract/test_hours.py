import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg2
import pytest

from ratchet.contracts.look import HourOfRatings, TrackCounts
from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide import step
from ratchet.decide.simulation.rules import on_trial
from ratchet.observe import PostgresJournal
from ratchet.observe.hours import PostgresHours, Stage, fill_look

BEGAN = datetime(2026, 3, 2, 10, 20, tzinfo=UTC)
TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


class Traffic:
    """Forecasts and feedback written to the tables as serving writes them."""

    def __init__(self, uri, stage):
        self.uri, self.stage = uri, stage

    def ask(self, client, *, minute, assigned="production", track=None, latency_ms=5.0, release=None):
        number, at, experiment = uuid4().hex, BEGAN + minute * MINUTE, self.stage.experiment
        track = track or assigned
        release = release or (experiment.production if track == "production" else experiment.candidate)
        self.execute("SELECT ensure_forecast_day(%s)", at.date())
        self.execute(
            "INSERT INTO forecasts (prediction_id, at, workload, release_id, client, track, assigned, latency_ms) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            number, at, experiment.workload, release, client, track, assigned, latency_ms,
        )  # fmt: skip
        return number

    def rate(self, number, client, value, *, minute):
        self.execute(
            "INSERT INTO feedback (prediction_id, kind, client, workload, value, at) VALUES (%s, 'rating', %s, %s, %s, %s)",
            number, client, self.stage.experiment.workload, json.dumps(value), BEGAN + minute * MINUTE,
        )  # fmt: skip

    def execute(self, statement, *values):
        connection = psycopg2.connect(self.uri)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
        connection.close()


@pytest.fixture
def stage(postgres):
    journal = PostgresJournal(postgres)
    experiment = journal.open_experiment(f"hours-{uuid4().hex[:8]}", production="old", candidate="new", at=BEGAN)
    return Stage(experiment=experiment, began=BEGAN, slow_ms=1000.0)


@pytest.fixture
def traffic(postgres, stage):
    return Traffic(postgres, stage)


@pytest.fixture
def hours(postgres):
    return PostgresHours(postgres)


def filled(hours, stage, *, after=BEGAN, at=TEN + HOUR, **failed):
    return fill_look(hours, stage, after=after, at=at, **failed)


def counts(requests, bad, clients):
    return TrackCounts(requests=requests, bad_requests=bad, new_clients=clients)


def test_a_look_counts_by_the_assigned_track(hours, stage, traffic):
    traffic.ask("ann", minute=1)
    traffic.ask("ann", minute=2)
    traffic.ask("bob", minute=3, assigned="candidate")
    traffic.ask("cy", minute=3, assigned="candidate", track="production")
    traffic.ask("dee", minute=4, latency_ms=1001.0)
    look = filled(hours, stage)
    assert (look.production, look.candidate) == (counts(3, 1, 2), counts(2, 1, 2))


def test_a_client_is_at_most_one_bad_request_a_minute(hours, stage, traffic):
    for minute in (1.1, 1.2, 1.9, 2.1):
        traffic.ask("ann", minute=minute, latency_ms=9000.0)
    assert filled(hours, stage).production == counts(4, 2, 1)


def test_what_was_before_the_stage_or_of_other_releases_does_not_count(hours, stage, traffic):
    traffic.ask("ann", minute=-1)
    traffic.ask("bob", minute=1, release="another")
    traffic.ask("cy", minute=41)
    assert filled(hours, stage).production == counts(0, 0, 0)


def test_a_client_is_new_once(hours, stage, traffic):
    for minute in (1, 45, 100):
        traffic.ask("ann", minute=minute)
    looks = [filled(hours, stage, after=TEN + n * HOUR, at=TEN + (n + 1) * HOUR) for n in range(3)]
    assert [look.production.new_clients for look in looks] == [1, 0, 0]


def test_only_each_clients_first_rating_counts_in_the_order_of_arrival(hours, stage, traffic):
    first, second = traffic.ask("ann", minute=1), traffic.ask("ann", minute=2)
    other, theirs = traffic.ask("bob", minute=1), traffic.ask("cy", minute=1, assigned="candidate")
    traffic.rate(other, "bob", 2, minute=9)
    traffic.rate(first, "ann", 4, minute=10)
    traffic.rate(second, "ann", 1, minute=11)
    traffic.rate(theirs, "cy", 5, minute=12)
    traffic.rate(theirs, "mallory", 5, minute=13)
    assert filled(hours, stage).hours == (HourOfRatings(hour=TEN, production=(2.0, 4.0), candidate=(5.0,)),)
    later = filled(hours, stage, after=TEN + HOUR, at=TEN + 2 * HOUR)
    assert later.hours == (HourOfRatings(hour=TEN + HOUR, production=(), candidate=()),)


def test_looking_twice_counts_once_and_late_rows_change_nothing(hours, stage, traffic):
    traffic.ask("ann", minute=1)
    once = filled(hours, stage)
    traffic.ask("bob", minute=2)
    assert filled(hours, stage) == once


def test_hours_that_nobody_looked_at_are_caught_up(hours, stage, traffic):
    for minute in (1, 45, 105):
        traffic.ask(f"c{minute}", minute=minute)
    look = filled(hours, stage, at=TEN + 3 * HOUR + 7 * MINUTE)
    assert look.production == counts(3, 0, 3)
    assert [hour.hour for hour in look.hours] == [TEN, TEN + HOUR, TEN + 2 * HOUR]


def test_failures_that_no_log_holds_are_added_and_unknown_ones_leave_a_gap(hours, stage, traffic):
    traffic.ask("ann", minute=1)
    assert filled(hours, stage, failed=(2, 3)).production == counts(3, 2, 1)
    assert filled(hours, stage, failed=(0, None)).candidate.requests is None


def test_a_database_that_is_away_is_a_gap_with_its_reason_and_the_policy_waits(stage):
    away = PostgresHours("postgresql://ratchet:hunter2@127.0.0.1:1/ratchet")
    look = filled(away, stage)
    assert (look.hours, look.gaps) == (None, ("the forecast log is away: Connection refused",))
    policy = EvidencePolicy()
    _, decision = step(on_trial(policy), look, policy)
    assert "the forecast log is away" in decision.reason
