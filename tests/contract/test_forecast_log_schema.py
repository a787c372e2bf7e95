"""The schema that serving writes into: made once, however often and by however many at once."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import pytest

from ratchet.contracts.errors import RatchetError
from ratchet.migrations import migrate

TABLES = {"api_keys", "forecasts", "feedback", "experiments", "looks", "policies", "acts"}


@pytest.fixture
def empty(postgres_server):
    name = f"empty_{uuid.uuid4().hex[:12]}"
    postgres_server.create_database(name)
    return postgres_server.uri(name)


def ask(uri, query):
    with closing(psycopg2.connect(uri)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def tables(uri):
    return {name for (name,) in ask(uri, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def test_two_at_once_and_once_more_make_one_schema(empty):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(migrate, [empty, empty]))
    migrate(empty)
    assert tables(empty) >= TABLES
    assert ask(empty, "SELECT count(*) FROM alembic_version") == [(1,)]


def test_a_schema_from_a_later_version_is_told_in_a_line_and_left_alone(empty):
    migrate(empty)
    with closing(psycopg2.connect(empty)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(RatchetError, match="9999"):
        migrate(empty)
    assert ask(empty, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_a_day_can_be_ensured_by_many_at_once(empty):
    migrate(empty)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, [empty] * 8, ["SELECT ensure_forecast_day('2026-11-02')"] * 8))
    assert "forecasts_20261102" in tables(empty)


def test_one_experiment_per_workload_is_open(empty):
    migrate(empty)
    start = "INSERT INTO experiments (workload, production, candidate, started_at) VALUES ('w', 'a', '{}', now()) RETURNING ended_at"
    ask(empty, start.format("b"))
    with pytest.raises(psycopg2.errors.UniqueViolation, match="one_open_experiment"):
        ask(empty, start.format("c"))


def test_what_an_older_installation_had_answered_is_kept_once_a_day(empty):
    migrate(empty, to="0007")
    ask(empty, "SELECT ensure_forecast_day('2026-11-02'), ensure_forecast_day('2026-11-03')")
    for name, at, weeks in (
        ("a", "2026-11-02 23:59:59+00", "'[1]'"),
        ("b", "2026-11-02 12:00:00+00", "'[1]'"),
        ("c", "2026-11-03 00:00:00+00", "'[1]'"),
        ("d", "2026-11-03 00:00:00+00", "'[2]'"),
        ("e", "2026-11-03 00:00:00+00", "NULL"),
    ):
        ask(
            empty,
            "INSERT INTO forecasts (prediction_id, at, workload, release_id, weeks)"
            f" VALUES ('{name}', '{at}', 'w', 'r', {weeks}) RETURNING 1",
        )
    migrate(empty)
    found = ask(empty, "SELECT prediction_id, weeks FROM forecast_log ORDER BY 1")
    assert found == [("a", [1]), ("b", [1]), ("c", [1]), ("d", [2]), ("e", None)]
    assert ask(empty, "SELECT count(*) FROM answers") == [(3,)]


def test_what_an_older_installation_had_decided_is_kept_as_looks(empty):
    migrate(empty, to="0003")
    ask(
        empty,
        "INSERT INTO experiments (workload, production, candidate, started_at) VALUES ('w', 'a', 'b', now()) RETURNING 1",
    )
    ask(
        empty,
        "INSERT INTO evidence (experiment_id, at, body) VALUES (1, '2026-01-01', '{\"a\": 1}'), (1, '2026-01-02', '{}') RETURNING 1",
    )
    ask(
        empty,
        "INSERT INTO decisions (experiment_id, at, verdict, reason, scores, decided_at, acted_at)"
        " VALUES (1, '2026-01-01', 'rollback', 'worse', '{\"ratio\": 0.5}', '2026-01-01', '2026-01-03') RETURNING 1",
    )
    migrate(empty)
    rows = ask(
        empty,
        "SELECT verdict, reason, scores, evidence, body, acts.what FROM looks LEFT JOIN acts USING (look_id) ORDER BY looks.at",
    )
    assert rows == [
        ("rollback", "worse", {"ratio": 0.5}, {"a": 1}, None, "carried_out"),
        ("hold", "evidence was gathered and never judged", {}, {}, None, None),
    ]
    assert not tables(empty) & {"evidence", "decisions", "experiment_hours"}
