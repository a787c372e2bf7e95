"""Bronze to silver and gold tables: a workload's dbt models on a DuckDB file, run and tested in their own process."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb
import pandas as pd

from ratchet.contracts.errors import DataError
from ratchet.contracts.workload import Workload
from ratchet.ingest import manifest
from ratchet.ingest.bronze import Bronze

_SHELL: Final = Path(__file__).parent
_CREATE_SCHEMA: Final = "CREATE SCHEMA IF NOT EXISTS bronze"
_REPLACE_LANDED: Final = """
    CREATE OR REPLACE TABLE bronze.landed AS
    SELECT
        source::VARCHAR AS source,
        hour::TIMESTAMP AS hour,
        path::VARCHAR AS path,
        bytes::BIGINT AS bytes,
        sha256::VARCHAR AS sha256
    FROM arriving
"""
_NOTHING: Final = "nothing.gz"
_RESULTS: Final = "run_results.json"
_DBT: Final = (
    *(sys.executable, "-m", "dbt.cli.main"),
    *("--quiet", "--no-use-colors", "--no-send-anonymous-usage-stats", "--partial-parse"),
)
_SHOWN_FAILURES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse:
    """A workload's DuckDB file, built and tested as of `data_hour`: the end of the newest landed hour."""

    database: Path
    data_hour: datetime


def folder(home: Path, workload: str) -> Path:
    """Tell where a workload's warehouse and dbt's own files live."""
    return home / "warehouse" / workload


def build(
    workload: Workload, *, home: Path, bronze: Bronze, sources: Iterable[str], hold: Sequence[int] = ()
) -> Warehouse:
    """Build silver and gold from everything that these sources have landed; a `DataError` names what failed.

    The caller holds the warehouse's lock and gives its descriptor as `hold`, so that a dbt which outlives it holds on.
    """
    place = folder(home, workload.name)
    landed = [
        (entry, bronze.path_for_reading(entry)) for source in sources for entry in manifest.read(bronze.folder / source)
    ]
    if not landed:
        raise DataError(f"{workload.name}: nothing has landed yet")
    for entry, path in landed:
        _require_whole(entry, path)
    place.mkdir(parents=True, exist_ok=True)
    database = place / "warehouse.duckdb"
    _write_landed(database, landed)
    _run_dbt("build", workload=workload, place=place, database=database, hold=hold)
    return Warehouse(database=database, data_hour=max(entry.hour for entry, _ in landed) + timedelta(hours=1))


def _require_whole(entry: manifest.Landed, path: Path) -> None:
    size = path.stat().st_size if path.is_file() else None
    if size != entry.bytes:
        found = "missing" if size is None else f"{size} bytes long"
        raise DataError(f"bronze {entry.source} {entry.file}: landed with {entry.bytes} bytes, now {found}; restore it")


def _write_landed(database: Path, landed: Sequence[tuple[manifest.Landed, Path]]) -> None:
    arriving = pd.DataFrame(
        {
            "source": [entry.source for entry, _ in landed],
            "hour": [entry.hour.replace(tzinfo=None) for entry, _ in landed],
            "path": [str(path) for _, path in landed],
            "bytes": [entry.bytes for entry, _ in landed],
            "sha256": [entry.sha256 for entry, _ in landed],
        }
    )
    with duckdb.connect(str(database)) as connection:
        connection.execute(_CREATE_SCHEMA)
        connection.register("arriving", arriving)
        connection.execute(_REPLACE_LANDED)


def _run_dbt(command: str, *, workload: Workload, place: Path, database: Path, hold: Sequence[int]) -> None:
    """Run dbt in its own process: no log handlers or open databases stay behind, and its memory goes back."""
    project, target = place / "project", place / "dbt"
    _assemble(project, workload)
    (target / _RESULTS).unlink(missing_ok=True)
    paths = {"--project-dir": project, "--profiles-dir": project, "--target-path": target, "--log-path": target}
    variables = {
        "RATCHET_WAREHOUSE": str(database),
        "RATCHET_SPILL": str(place / "spill"),
        "RATCHET_NOTHING": str(project / _NOTHING),
    }
    done = subprocess.run(
        [*_DBT, command, *(word for pair in paths.items() for word in pair)],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | variables,
        cwd=place,
        pass_fds=hold,
    )
    if done.returncode:
        raise DataError(f"{workload.name}: {_failures(target / _RESULTS) or done.stdout.strip()[-2000:]}")


def _assemble(project: Path, workload: Workload) -> None:
    """Copy the shell and the workload's models into one dbt project, so that dbt never writes beside the code."""
    shutil.rmtree(project, ignore_errors=True)
    _copy(_SHELL, project)
    _copy(workload.sql / "silver", project / "models" / "silver")
    _copy(workload.sql / "gold", project / "models" / "gold")
    _copy(workload.sql / "tests", project / "tests")
    (project / _NOTHING).write_bytes(gzip.compress(b"", mtime=0))


def _copy(source: Path, place: Path) -> None:
    # By content alone: an installed package may be read-only, its copy must not be.
    for path in source.rglob("*"):
        if path.suffix in {".sql", ".yml"}:
            copied = place / path.relative_to(source)
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.write_bytes(path.read_bytes())


def _failures(results: Path) -> str:
    """Name the models and tests that failed, with dbt's words for each; empty if dbt did not come as far."""
    if not results.exists():
        return ""
    nodes = [node for node in json.loads(results.read_text())["results"] if node["status"] in {"fail", "error"}]
    shown = [
        f"{node['unique_id'].split('.')[2]}: {' '.join((node['message'] or node['status']).split())}" for node in nodes
    ]
    more = [f"and {len(shown) - _SHOWN_FAILURES} more"] if len(shown) > _SHOWN_FAILURES else []
    return "; ".join(shown[:_SHOWN_FAILURES] + more)
