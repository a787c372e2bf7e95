"""Whether Airflow's database is what this version of Airflow left: its own command takes five seconds to find nothing to do."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psycopg2

HEADS: Final = "SELECT version_num FROM alembic_version ORDER BY version_num"


def is_migrated(database: str, mark: Path) -> bool:
    """Whether this Airflow has migrated this database before; one that was restored or replaced since then says so itself."""
    try:
        return bool(json.loads(mark.read_bytes()) == _state(database))
    except (OSError, ValueError, psycopg2.Error):
        return False


def remember_migrated(database: str, mark: Path) -> None:
    """Note what `airflow db migrate` has left."""
    mark.write_text(json.dumps(_state(database)))


def _state(database: str) -> dict[str, Any]:
    connection = psycopg2.connect(database, connect_timeout=5)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(HEADS)
            heads = [head for (head,) in cursor.fetchall()]
    finally:
        connection.close()
    return {"airflow": version("apache-airflow-core"), "heads": heads}
