"""The schema that serving writes into: made once, however often and by however many at once."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import pytest

from ratchet.migrations import migrate

TABLES = {"api_keys", "forecasts", "feedback", "experiments", "evidence", "decisions"}


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
