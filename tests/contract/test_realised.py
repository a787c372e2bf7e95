"""Realised errors, from a real forecast log and real Parquet."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import duckdb
import psycopg2
import pytest
from psycopg2.extras import Json

from monitoring.exporter import realised

ANSWER = """
INSERT INTO answers (day, answer_id, weeks)
VALUES ((%(at)s AT TIME ZONE 'UTC')::date, md5(%(weeks)s)::uuid, %(weeks)s) ON CONFLICT DO NOTHING
"""
INSERT = """
INSERT INTO forecasts (prediction_id, at, workload, unique_id, target, release, release_id, answer_id, family)
VALUES (%(id)s, %(at)s, 'looked-back', 'a', 'sent', 'BO1', 'r1', md5(%(weeks)s)::uuid, %(family)s)
"""
MANY = """
INSERT INTO forecasts (prediction_id, at, workload, unique_id, target, release, release_id, answer_id)
SELECT release || number, %(at)s, 'looked-back', 'b' || number, 'sent', release, release, md5(%(weeks)s)::uuid
FROM generate_series(1, 26000) AS number, (VALUES ('BO7'), ('CO8')) AS releases (release)
"""
SAID = (
    "INSERT INTO feedback (prediction_id, kind, client, workload, value, at)"
    " VALUES (%s, 'actual', 'c', 'looked-back', %s, now()) ON CONFLICT DO NOTHING"
)
WEEK = {"median": 12.0, "lo_80": 9.0, "hi_80": 20.0, "lo_95": 5.0, "hi_95": 30.0}
SERIES = (
    "SELECT * FROM (VALUES ('a', 'sent', DATE '2026-11-01', 6.0), ('a', 'sent', DATE '2026-11-08', 10.0))"
    " AS t (unique_id, target, ds, y)"
)


@pytest.fixture
def home(postgres, tmp_path, monkeypatch):
    monkeypatch.setattr(realised, "WAIT_SECONDS", 60)  # a busy machine is no reason to be told of nothing
    weeks = [{"week": "2026-11-08", **WEEK}, {"week": "2026-11-15", **WEEK}]
    now = datetime.now(UTC)
    connection = psycopg2.connect(postgres)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT ensure_forecast_day(%s)", (now.date(),))
        cursor.execute("DELETE FROM forecasts WHERE workload = 'looked-back'")
        for number in range(3):  # many asked for the same forecast: it counts once
            log(cursor, INSERT, now, weeks, id=f"p{number}")
        log(cursor, INSERT, now, weeks[1:], id="p9")
    connection.close()
    place = tmp_path / "gold/looked-back/p1"
    place.mkdir(parents=True)
    duckdb.sql(SERIES).write_parquet(str(place / "series.parquet"))
    (place / "manifest.json").write_text(json.dumps({"last_week": "2026-11-08"}))
    (place.parent / "newest.json").write_text('{"partition": "p1"}')
    return tmp_path


def log(cursor, statement, at, weeks, **values):
    values = {"at": at, "weeks": json.dumps(weeks), "family": None, **values}
    cursor.execute(ANSWER, values)
    cursor.execute(statement, values)


def measured(postgres, home):
    return {
        (one.name, *one.labels.values()): one.value
        for family in realised.Realised(postgres, home, ("looked-back", "empty")).collect()
        for one in family.samples
    }


def test_the_log_meets_gold_week_by_week(postgres, home):
    found = measured(postgres, home)
    of = ("looked-back", "BO1", "sent")
    assert found == {
        ("ratchet_realised_mase", *of): 0.5,
        ("ratchet_realised_weeks", *of): 1,
        ("ratchet_realised_coverage", *of, "80"): 1,
        ("ratchet_realised_coverage", *of, "95"): 1,
    }


def test_what_users_say_really_happened_scores_nothing(postgres, home):
    """Whether the forecast was for that week or not: truth is gold's alone."""
    before = measured(postgres, home)
    with closing(psycopg2.connect(postgres)) as connection, connection, connection.cursor() as cursor:
        for number, week in (("p0", "2026-11-08"), ("p1", "2026-11-15"), ("p2", "1999-01-03")):
            cursor.execute(SAID, (number, Json({"week": week, "value": 1e9})))
    assert measured(postgres, home) == before


def test_no_release_is_left_out_however_many_series_were_asked_for(postgres, home):
    with closing(psycopg2.connect(postgres)) as connection, connection, connection.cursor() as cursor:
        log(cursor, MANY, datetime.now(UTC), [{"week": "2026-11-08", **WEEK}])
    rows = """
        SELECT 'b' || range AS unique_id, 'sent' AS target, unnest([DATE '2026-11-01', DATE '2026-11-08']) AS ds,
            unnest([6.0, 10.0]) AS y FROM range(1, 26001)"""
    duckdb.sql(rows).write_parquet(str(home / "gold/looked-back/p1/series.parquet"))
    found = measured(postgres, home)
    weeks = {name: found["ratchet_realised_weeks", "looked-back", name, "sent"] for name in ("BO7", "CO8")}
    assert weeks == {"BO7": 26000, "CO8": 26000}


def test_what_somebody_posted_is_no_forecast_of_a_release(postgres, home):
    with closing(psycopg2.connect(postgres)) as connection, connection, connection.cursor() as cursor:
        wrong = [{"week": "2026-11-08", **WEEK, "median": 5000.0}]
        log(cursor, INSERT, datetime.now(UTC) + timedelta(seconds=1), wrong, id="posted", family="level")
    assert measured(postgres, home)["ratchet_realised_mase", "looked-back", "BO1", "sent"] == 0.5


def test_a_week_that_may_still_grow_is_not_measured_by(postgres, home):
    manifest = home / "gold/looked-back/p1/manifest.json"
    for until, known in (("2026-11-07", 0), ("2026-11-08", 4)):
        manifest.write_text(json.dumps({"last_week": "2026-11-08", "truth_until": until}))
        assert len(measured(postgres, home)) == known


def test_of_a_forecast_only_the_weeks_that_matured_count(postgres, home):
    later = SERIES.replace("10.0)", "10.0), ('a', 'sent', DATE '2026-11-15', 500.0)")
    duckdb.sql(later).write_parquet(str(home / "gold/looked-back/p1/series.parquet"))
    before = json.dumps({"last_week": "2026-11-15", "truth_until": "2026-11-14"})
    (home / "gold/looked-back/p1/manifest.json").write_text(before)
    assert measured(postgres, home)["ratchet_realised_mase", "looked-back", "BO1", "sent"] == 0.5


@pytest.mark.parametrize(("coverage", "error"), [(1.0, 1.0), (0.5, 8 / 7), (0.2, None)])
def test_a_week_seen_in_part_counts_as_evidence_counts_it(postgres, home, coverage, error):
    """Seen whole it was 10 after 8; half of it seen makes it 20; of a fifth nobody can tell, so no error is told."""
    rows = f"""SELECT * FROM (VALUES ('a', 'sent', DATE '2026-10-25', 6.0, 1.0), ('a', 'sent', DATE '2026-11-01', 8.0, 1.0),
        ('a', 'sent', DATE '2026-11-08', 10.0, {coverage})) AS t (unique_id, target, ds, y, coverage)"""
    duckdb.sql(rows).write_parquet(str(home / "gold/looked-back/p1/series.parquet"))
    found = measured(postgres, home)
    assert found.get(("ratchet_realised_mase", "looked-back", "BO1", "sent")) == error
