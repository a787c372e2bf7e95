"""Airflow's own database: whether it is what this version of Airflow left, and its runs of long ago forgotten."""

import json
import os
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psycopg2

from ratchet.contracts.errors import RatchetError
from ratchet.database import connect

LEAST_DAYS: Final = 30
"""No run lasts so long, nor does a question to a person."""
FORGOTTEN: Final = "dag_run,log,job,celery_taskmeta"
"""With all that hangs on runs: tasks, what they said, what they were asked; and what Celery keeps of each task.

Not `dag`: after a long pause all DAGs would be gone.
"""
FORGETTING_SECONDS: Final = 3600
HEADS: Final = "SELECT version_num FROM alembic_version ORDER BY version_num"


def is_migrated(database: str, mark: Path) -> bool:
    """Whether this Airflow has migrated this database before; one that was restored or replaced since then says so itself.

    Airflow's own command takes five seconds to find nothing to do.
    """
    try:
        return bool(json.loads(mark.read_bytes()) == _state(database))
    except (OSError, ValueError, psycopg2.Error):
        return False


def remember_migrated(database: str, mark: Path) -> None:
    """Note what `airflow db migrate` has left."""
    mark.write_text(json.dumps(_state(database)))


def forget_runs(database: str, *, keep_days: int, now: datetime) -> None:
    """Have Airflow remove runs older than so many days, events as old, and jobs that ended; each DAG's newest scheduled run stays.

    Airflow keeps tasks from its database, so its own command is told where that is.
    """
    before = now - timedelta(days=max(keep_days, LEAST_DAYS))
    command = [sys.executable, "-m", "airflow", "db", "clean", "--yes", "--skip-archive", "--error-on-cleanup-failure"]
    command += ["--tables", FORGOTTEN, "--clean-before-timestamp", before.isoformat()]
    told = {**os.environ, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database}
    if subprocess.run(command, env=told, timeout=FORGETTING_SECONDS, check=False).returncode:
        raise RatchetError("`airflow db clean` failed; its own words are above")


def _state(database: str) -> dict[str, Any]:
    with (
        closing(connect(database, connect_seconds=5, statement_seconds=5)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(HEADS)
        heads = [head for (head,) in cursor.fetchall()]
    return {"airflow": version("apache-airflow-core"), "heads": heads}
