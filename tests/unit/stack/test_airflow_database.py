"""A database that this Airflow has migrated is not migrated again; any doubt, and it is."""

import psycopg2
import pytest

from ratchet.stack import airflow_database


@pytest.fixture
def database(postgres_server):
    postgres_server.create_database("airflow_marked")
    uri = postgres_server.uri("airflow_marked")
    run(uri, "DROP TABLE IF EXISTS alembic_version", "CREATE TABLE alembic_version (version_num text)")
    run(uri, "INSERT INTO alembic_version VALUES ('a1')")
    return uri


def run(uri, *statements):
    connection = psycopg2.connect(uri)
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def test_what_was_migrated_once_is_known(database, tmp_path):
    mark = tmp_path / "migrated.json"
    assert not airflow_database.is_migrated(database, mark)
    airflow_database.remember_migrated(database, mark)
    assert airflow_database.is_migrated(database, mark)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE alembic_version SET version_num = 'a0'",
        "DELETE FROM alembic_version",
        "INSERT INTO alembic_version VALUES ('b1')",
        "DROP TABLE alembic_version",
    ],
)
def test_a_database_that_was_restored_or_replaced_is_migrated(database, tmp_path, change):
    airflow_database.remember_migrated(database, tmp_path / "migrated.json")
    run(database, change)
    assert not airflow_database.is_migrated(database, tmp_path / "migrated.json")


def test_another_airflow_migrates(database, tmp_path, monkeypatch):
    airflow_database.remember_migrated(database, tmp_path / "migrated.json")
    monkeypatch.setattr(airflow_database, "version", lambda _name: "9.9.9")
    assert not airflow_database.is_migrated(database, tmp_path / "migrated.json")


@pytest.mark.parametrize("content", [b"", b"[", b"{}", b"\xff"])
def test_a_torn_mark_is_no_mark(database, tmp_path, content):
    (tmp_path / "migrated.json").write_bytes(content)
    assert not airflow_database.is_migrated(database, tmp_path / "migrated.json")
