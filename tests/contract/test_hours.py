import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg2
import pytest

from ratchet.contracts.errors import MetricsError
from ratchet.contracts.look import Cadence, HourOfRatings, Segment, TrackCounts
from ratchet.contracts.policy import EvidencePolicy
from ratchet.contracts.ports import Track
from ratchet.decide import step
from ratchet.decide.simulation.rules import on_trial
from ratchet.observe import Comparison, PostgresHours, PostgresJournal, Window, fill_look

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

    def rate(self, number, client, value, *, minute, kind="rating"):
        self.execute(
            "INSERT INTO feedback (prediction_id, kind, client, workload, value, at) VALUES (%s, %s, %s, %s, %s, %s)",
            number, kind, client, self.stage.experiment.workload, json.dumps(value), BEGAN + minute * MINUTE,
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
    return Comparison(experiment=experiment, began=BEGAN, slow_ms=1000.0)


@pytest.fixture
def traffic(postgres, stage):
    return Traffic(postgres, stage)


@pytest.fixture
def hours(postgres):
    return PostgresHours(postgres)


def looked(hours, stage, *, after=BEGAN, at=TEN + HOUR, seen=None, metrics=None, cadence=Cadence.HOURLY):
    window = Window(after=after, at=at, ratings_after=seen, cadence=cadence)
    return fill_look(hours, metrics or Quiet(), stage, window)


def counts(requests, bad, clients):
    return TrackCounts(requests=requests, bad_requests=bad, new_clients=clients)


class Quiet:
    """Live metrics that saw every scrape and so many failures by track."""

    def __init__(self, failures=(0, 0), gaps=()):
        self._failures, self._gaps = dict(zip(Track, failures, strict=True)), list(gaps)

    def failures(self, _workload, track, **_window):
        return self._failures[track]

    def gaps(self, _workload, track, **_window):
        return self._gaps if track is Track.CANDIDATE else []

    def clock(self):
        return datetime.now(UTC)


class Away(Quiet):
    """Live metrics that are away."""

    def failures(self, *_, **__):
        raise MetricsError("Prometheus is away")

    def gaps(self, *_, **__):
        raise MetricsError("Prometheus is away")


def test_a_look_counts_by_the_assigned_track(hours, stage, traffic):
    traffic.ask("ann", minute=1)
    traffic.ask("ann", minute=2)
    traffic.ask("bob", minute=3, assigned="candidate")
    traffic.ask("cy", minute=3, assigned="candidate", track="production")
    traffic.ask("dee", minute=4, latency_ms=1001.0)
    look = looked(hours, stage)
    assert (look.production, look.candidate, look.gaps) == (counts(3, 1, 2), counts(2, 1, 2), ())


def test_after_a_promotion_the_sides_are_on_each_others_tracks(hours, stage, traffic):
    swapped = replace(stage, is_swapped=True)
    number = traffic.ask("ann", minute=1, release="new")
    traffic.ask("bob", minute=2, assigned="candidate", release="old")
    traffic.rate(number, "ann", 4, minute=3)
    look = looked(hours, swapped)
    assert (look.candidate, look.production) == (counts(1, 0, 1), counts(1, 0, 1))
    assert look.hours == (HourOfRatings(hour=TEN, production=(), candidate=(4.0,)),)


def test_a_client_is_at_most_one_bad_request_a_minute(hours, stage, traffic):
    for minute in (1.1, 1.2, 1.9, 2.1):
        traffic.ask("ann", minute=minute, latency_ms=9000.0)
    assert looked(hours, stage).production == counts(4, 2, 1)


def test_what_was_before_the_stage_or_of_other_releases_does_not_count(hours, stage, traffic):
    traffic.ask("ann", minute=-1)
    traffic.ask("bob", minute=1, release="another")
    traffic.ask("cy", minute=41)
    assert looked(hours, stage).production == counts(0, 0, 0)


def test_a_client_is_new_once(hours, stage, traffic):
    for minute in (1, 45, 100):
        traffic.ask("ann", minute=minute)
    ends = [TEN + HOUR, TEN + 2 * HOUR, TEN + 3 * HOUR]
    looks = [looked(hours, stage, after=after, at=at) for after, at in zip([BEGAN, *ends], ends, strict=False)]
    assert [look.production.new_clients for look in looks] == [1, 0, 0]


def test_only_each_clients_first_rating_counts_in_the_order_of_arrival(hours, stage, traffic):
    first, second = traffic.ask("ann", minute=1), traffic.ask("ann", minute=2)
    other, theirs = traffic.ask("bob", minute=1), traffic.ask("cy", minute=1, assigned="candidate")
    traffic.rate(other, "bob", 2, minute=9)
    traffic.rate(first, "ann", 4, minute=10)
    traffic.rate(second, "ann", 1, minute=11)
    traffic.rate(theirs, "cy", 5, minute=12)
    traffic.rate(theirs, "mallory", 5, minute=13)
    assert looked(hours, stage).hours == (HourOfRatings(hour=TEN, production=(2.0, 4.0), candidate=(5.0,)),)
    later = looked(hours, stage, after=TEN + HOUR, at=TEN + 2 * HOUR, seen=TEN)
    assert later.hours == (HourOfRatings(hour=TEN + HOUR, production=(), candidate=()),)


def test_an_actual_is_no_evidence_whatever_week_it_is_for(hours, stage, traffic):
    number = traffic.ask("ann", minute=1)
    for kind, value in (("actual", {"week": "1999-01-03", "value": 5.0}), ("actual", 5.0)):
        traffic.rate(number, f"of {value}", value, minute=2, kind=kind)
        traffic.rate(traffic.ask("bob", minute=1), "bob", value, minute=2, kind=kind)
    look = looked(hours, stage)
    assert (look.production, look.hours) == (counts(3, 0, 2), (HourOfRatings(hour=TEN, production=(), candidate=()),))


def test_looking_twice_counts_once_and_late_rows_change_nothing(hours, stage, traffic):
    traffic.ask("ann", minute=1)
    once = looked(hours, stage)
    traffic.ask("bob", minute=2)
    assert looked(hours, stage) == once


def test_what_a_spool_brings_after_its_span_was_counted_is_in_the_next_look_once(hours, stage, traffic):
    ends = [TEN + hour * HOUR for hour in range(1, 5)]
    traffic.ask("ann", minute=1)
    traffic.ask("ann", minute=2, latency_ms=9000.0)
    assert looked(hours, stage, at=ends[0]).production == counts(2, 1, 1)
    traffic.ask("ann", minute=3)
    traffic.ask("ann", minute=2.1, latency_ms=9000.0)  # the client's one bad request of that minute was counted
    traffic.ask("bob", minute=4, assigned="candidate", track="production", latency_ms=9000.0)
    traffic.ask("cy", minute=45)
    by_minute = looked(hours, stage, after=ends[0], at=ends[0] + 6 * MINUTE, cadence=Cadence.MINUTE)
    assert (by_minute.production, by_minute.candidate) == (counts(3, 0, 1), counts(1, 1, 1))
    second = looked(hours, stage, after=ends[0], at=ends[1])
    assert (second.production, second.candidate) == (by_minute.production, by_minute.candidate)
    traffic.ask("dee", minute=5)
    assert looked(hours, stage, after=ends[1], at=ends[2]).production == counts(0, 0, 0), "its span ended too long ago"
    whole = looked(hours, stage, at=ends[3])
    assert (whole.production, whole.candidate) == (counts(5, 1, 2), counts(1, 1, 1))


@pytest.mark.parametrize("late", [1, 9, 11])
def test_for_ten_minutes_of_looks_a_span_may_grow(hours, stage, traffic, late):
    began = TEN + HOUR
    for minute in range(15):
        if minute == late:
            traffic.ask("ann", minute=39.5)
        looked(hours, stage, at=began + minute * MINUTE, cadence=Cadence.MINUTE)
    assert looked(hours, stage, at=began + HOUR).production.requests == (0 if late > 10 else 1)


def test_an_outage_of_any_length_is_caught_up_once_its_spool_has_arrived(hours, stage, traffic):
    """The look that comes first after it counts what has arrived by then."""
    first, second = TEN + 9 * HOUR, TEN + 10 * HOUR
    traffic.ask("ann", minute=1)
    assert looked(hours, stage, at=first).production == counts(1, 0, 1)
    for minute in range(10, 500, 10):
        traffic.ask("bob", minute=minute)
    assert looked(hours, stage, after=first, at=second).production == counts(49, 0, 1)


def test_after_a_promotion_what_is_late_is_on_its_own_side(hours, stage, traffic):
    swapped = replace(stage, is_swapped=True)
    looked(hours, swapped)
    traffic.ask("ann", minute=1, release="new")
    look = looked(hours, swapped, after=TEN + HOUR, at=TEN + 2 * HOUR)
    assert (look.candidate, look.production) == (counts(1, 0, 1), counts(0, 0, 0))


def test_a_rating_that_is_late_counts_in_the_hour_in_which_it_became_known(hours, stage, traffic):
    number, second = traffic.ask("ann", minute=1), traffic.ask("ann", minute=2)
    traffic.rate(number, "ann", 2, minute=3)
    looked(hours, stage)
    traffic.rate(traffic.ask("bob", minute=4), "bob", 5, minute=5)
    traffic.rate(second, "ann", 4, minute=6)
    look = looked(hours, stage, after=TEN + HOUR, at=TEN + 2 * HOUR, seen=TEN)
    assert look.hours == (HourOfRatings(hour=TEN + HOUR, production=(5.0,), candidate=()),)


def test_minutes_that_nobody_recorded_are_in_the_next_look_once(hours, stage, traffic):
    for minute in (1, 2, 3):
        traffic.ask(f"c{minute}", minute=minute - 0.5)
        seen = looked(hours, stage, at=BEGAN + minute * MINUTE, cadence=Cadence.MINUTE)
        assert (seen.production, seen.hours, seen.cadence) == (counts(minute, 0, minute), (), Cadence.MINUTE)
    assert looked(hours, stage).production == counts(3, 0, 3)


def test_hours_that_nobody_looked_at_are_caught_up(hours, stage, traffic):
    for minute in (1, 45, 105):
        traffic.ask(f"c{minute}", minute=minute)
    look = looked(hours, stage, at=TEN + 3 * HOUR + 7 * MINUTE)
    assert look.production == counts(3, 0, 3)
    assert [hour.hour for hour in look.hours] == [TEN, TEN + HOUR, TEN + 2 * HOUR]


def test_failures_that_no_log_holds_are_added_and_those_answered_from_the_other_track_count_once(hours, stage, traffic):
    traffic.ask("ann", minute=1)
    traffic.ask("bob", minute=1, assigned="candidate", track="production")
    look = looked(hours, stage, metrics=Quiet(failures=(2, 1)))
    assert (look.production, look.candidate) == (counts(3, 2, 1), counts(1, 1, 1))


def test_what_neither_track_could_answer_is_nobodys_harm(hours, stage, traffic):
    """The router asks both: of twenty such requests in a canary each fails about twenty, beside 5 % of the clients."""
    for number in range(19):
        traffic.ask(f"p{number}", minute=1)
    traffic.ask("c", minute=1, assigned="candidate")
    traffic.ask("bob", minute=2, assigned="candidate", track="production")
    look = looked(hours, stage, metrics=Quiet(failures=(39, 21)))
    assert (look.production, look.candidate) == (counts(38, 19, 19), counts(2, 1, 2))
    unknown = looked(hours, stage, at=TEN + 2 * HOUR, after=TEN + HOUR, metrics=Quiet(failures=(None, 21)))
    assert unknown.production.requests is None
    assert unknown.candidate.bad_requests == 21


def test_figures_that_nobody_has_are_a_gap_by_the_hour_and_the_log_alone_guards_by_the_minute(hours, stage, traffic):
    traffic.ask("bob", minute=1, assigned="candidate", track="production")
    hourly = looked(hours, stage, metrics=Away())
    assert (hourly.gaps, hourly.candidate.requests) == (("Prometheus is away",), None)
    by_minute = looked(hours, stage, metrics=Away(), cadence=Cadence.MINUTE)
    assert (by_minute.gaps, by_minute.candidate) == ((), counts(1, 1, 1))


def test_a_scrape_gap_is_said_and_the_policy_concludes_nothing_from_the_look(hours, stage, traffic):
    traffic.ask("ann", minute=1)
    look = looked(hours, stage, metrics=Quiet(gaps=["the candidate track was scraped in 10 of 2400 s"]))
    policy = EvidencePolicy()
    _, decision = step(on_trial(policy), look, policy)
    assert "scraped in 10 of 2400 s" in decision.reason


def test_clocks_apart_are_said(hours, stage, monkeypatch):
    monkeypatch.setattr(type(hours), "clock", lambda _: datetime.now(UTC) + HOUR)
    assert "clocks apart: the database is at" in looked(hours, stage).gaps[0]


def test_a_database_that_is_away_is_a_gap_with_its_reason_and_the_policy_waits(stage):
    away = PostgresHours("postgresql://ratchet:hunter2@127.0.0.1:1/ratchet")
    look = looked(away, stage)
    assert (look.hours, look.gaps) == (None, ("the forecast log is away: Connection refused",))
    policy = EvidencePolicy()
    _, decision = step(on_trial(policy), look, policy)
    assert "the forecast log is away" in decision.reason


def test_each_side_is_told_apart_by_target(hours, stage, traffic):
    for client, assigned, target in (("ann", "production", "x"), ("bob", "production", "x"), ("cy", "candidate", "y")):
        number = traffic.ask(client, minute=1, assigned=assigned)
        traffic.execute("UPDATE forecasts SET target = %s WHERE prediction_id = %s", target, number)
    found = hours.segments(stage, since=BEGAN, until=TEN + HOUR)
    assert found == (Segment(target="x", production=2, candidate=0), Segment(target="y", production=0, candidate=1))
    swapped = hours.segments(replace(stage, is_swapped=True), since=BEGAN, until=TEN + HOUR)
    assert [(one.production, one.candidate) for one in swapped] == [(0, 2), (1, 0)]
    assert hours.segments(stage, since=TEN + HOUR, until=TEN + 2 * HOUR) == ()
