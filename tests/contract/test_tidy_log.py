"""The forecast log's days, on a real PostgreSQL."""

from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from ratchet.observe import PostgresJournal
from ratchet.serve.tidy import old_days, tidy_log

NOW = datetime(2001, 5, 10, 23, 30, tzinfo=UTC)
FORECAST = "INSERT INTO forecasts (prediction_id, at, workload, release_id) VALUES (%s, %s, 'parcels', 'r1')"
ANSWER = "INSERT INTO answers (day, answer_id, weeks) VALUES (%s, 'aaaaaaaa-0000-0000-0000-000000000000', '[]')"
FEEDBACK = "INSERT INTO feedback (prediction_id, kind, client, workload, value, at) VALUES (%s, 'rating', 'c', 'parcels', '5', %s)"

CLIENT = """
INSERT INTO experiment_clients (experiment_id, stage_at, client, track, first_at)
VALUES (%(experiment_id)s, %(at)s, 'c', 'production', %(at)s)
"""
RATER = """
INSERT INTO experiment_raters (experiment_id, stage_at, client, track, at, rating)
VALUES (%(experiment_id)s, %(at)s, 'c', 'production', %(at)s, 5)
"""
SPAN = """
INSERT INTO experiment_spans (experiment_id, stage_at, until, track, since, requests, bad_requests, fallbacks, new_clients)
VALUES (%(experiment_id)s, %(at)s, %(at)s, 'production', %(at)s, 1, 0, 0, 1)
"""
CLIENTS_LEFT = "SELECT DISTINCT experiment_id FROM experiment_clients WHERE experiment_id = ANY(%s)"
RATERS_LEFT = "SELECT DISTINCT experiment_id FROM experiment_raters WHERE experiment_id = ANY(%s)"
SPANS_LEFT = "SELECT DISTINCT experiment_id FROM experiment_spans WHERE experiment_id = ANY(%s)"


@pytest.fixture
def database(postgres):
    """The log with forecasts and feedback of today, of the last day that is kept and of the first that is not."""
    with psycopg2.connect(postgres) as connection, connection.cursor() as cursor:
        for days in (0, 30, 31, 400):
            at = NOW.replace(hour=0, minute=0) - timedelta(days=days)
            cursor.execute("SELECT ensure_forecast_day(%s)", (at.date(),))
            cursor.execute(FORECAST, (f"tidy-{days}", at))
            cursor.execute(ANSWER, (at.date(),))
            cursor.execute(FEEDBACK, (f"tidy-{days}", at))
    connection.close()
    yield postgres
    with psycopg2.connect(postgres) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM forecasts WHERE prediction_id LIKE 'tidy-%'")
        cursor.execute("DELETE FROM feedback WHERE prediction_id LIKE 'tidy-%'")
        cursor.execute("DELETE FROM answers WHERE answer_id = 'aaaaaaaa-0000-0000-0000-000000000000'")
    connection.close()


def left(database, table):
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        query = {
            "forecasts": "SELECT prediction_id FROM forecasts",
            "feedback": "SELECT prediction_id FROM feedback",
            "answers": "SELECT 'tidy-' || (DATE '2001-05-10' - day) FROM answers WHERE answer_id = 'aaaaaaaa-0000-0000-0000-000000000000'",
        }
        cursor.execute(query[table])
        found = {name for (name,) in cursor.fetchall() if name.startswith("tidy-")}
    connection.close()
    return found


def test_old_days_go_whole_and_the_last_kept_day_stays(database):
    done = tidy_log(database, now=NOW, keep_days=30)
    assert {(NOW - timedelta(days=days)).date() for days in (31, 400)} <= set(done.dropped)
    assert (NOW - timedelta(days=30)).date() not in done.dropped
    assert (
        left(database, "forecasts") == left(database, "feedback") == left(database, "answers") == {"tidy-0", "tidy-30"}
    )


def test_the_next_days_are_ready_before_anyone_needs_them(database):
    done = tidy_log(database, now=NOW, keep_days=30)
    assert {(NOW + timedelta(days=ahead)).date() for ahead in range(4)} <= set(done.ready)


def test_a_machine_whose_clock_is_a_century_ahead_drops_nothing_that_the_databases_clock_would_keep(database):
    done = tidy_log(database, now=NOW.replace(year=2126), keep_days=30_000)
    assert done.dropped == old_days(database, now=NOW.replace(year=2126), keep_days=30_000) == ()
    assert left(database, "forecasts") == left(database, "feedback") == {"tidy-0", "tidy-30", "tidy-31", "tidy-400"}


def test_tidying_twice_changes_nothing(database):
    tidy_log(database, now=NOW, keep_days=30)
    again = tidy_log(database, now=NOW, keep_days=30)
    assert (again.dropped, again.feedback) == ((), 0)


def test_who_met_an_experiment_and_its_counts_by_the_minute_go_when_it_ended_as_long_ago(postgres):
    """Its looks hold what was counted: nothing is decided by either once it is over."""
    journal, found = PostgresJournal(postgres), {}
    for name, days in (("old", 31), ("kept", 30), ("open", None)):
        opened = journal.open_experiment(f"tidy-{name}", production="a", candidate="b", at=NOW - timedelta(days=60))
        if days is not None:
            journal.close_experiment(opened.experiment_id, verdict="rollback", at=NOW - timedelta(days=days))
        found[opened.experiment_id] = name
    with psycopg2.connect(postgres) as connection, connection.cursor() as cursor:
        for number in found:
            for statement in (CLIENT, RATER, SPAN):
                cursor.execute(statement, {"experiment_id": number, "at": NOW - timedelta(days=59)})
    tidy_log(postgres, now=NOW, keep_days=30)
    with psycopg2.connect(postgres) as connection, connection.cursor() as cursor:
        for table, names in (
            (CLIENTS_LEFT, {"kept", "open"}),
            (RATERS_LEFT, {"kept", "open"}),
            (SPANS_LEFT, {"kept", "open"}),
        ):
            cursor.execute(table, (list(found),))
            assert {found[number] for (number,) in cursor.fetchall()} == names
    connection.close()
