"""The same dbt models on Snowflake's dialect and on DuckDB: the same rows. `make warehouse-test` runs it.

Snowflake is played by fakesnow's server, dbt-snowflake is real; both live in an environment of their own (`--python`). Batches come
in through a stage by COPY INTO, as they would on the real one. Left out: `clusters`, a Python model, which fakesnow cannot run.
"""

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib import error, request

import duckdb
import pyarrow.parquet as pq
from plain import plain

from ratchet import ingest, workloads
from ratchet.ingest.manifest import Landed, read
from ratchet.ingest.warehouse.build import folder, project_of
from ratchet.ingest.warehouse.read import Task
from ratchet.ingest.warehouse.read import read as read_files
from ratchet.ingest.warehouse.state import ARRIVING, State
from ratchet.stack.ports import free_port

WORKLOAD = workloads.find("github_activity")
HOUR = Path(__file__).resolve().parents[3] / "shared" / "data" / "gharchive" / "2015-01-01-0.json.gz"
LEFT_OUT = ("clusters",)
DATABASE = "RATCHET"


def main() -> int:
    """Build each data set on both and compare; 0 if every table of silver and gold has equal rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--python", required=True, help="the interpreter of the environment with fakesnow and dbt-snowflake"
    )
    python = str(Path(parser.parse_args().python).absolute())  # dbt runs in a folder of its own
    unequal = 0
    with tempfile.TemporaryDirectory() as scratch:
        for name, land, parts in (("sample", land_sample, 2), ("the hour 2015-01-01-0", land_hour, 1)):
            home = Path(scratch) / name.split()[-1]
            if not land(home):
                print(f"{name}: not on this machine, left out")
                continue
            started = time.monotonic()
            with fakesnow(python) as environment:
                unequal += build_and_compare(name, home, parts, python, environment)
            print(f"{name}: {time.monotonic() - started:.0f} s")
    return min(unequal, 1)


def land_sample(home: Path) -> bool:
    """The sample that ships with the workload."""
    for source in WORKLOAD.sources("sample"):
        ingest.land(source, bronze=home / "bronze")
    return True


def land_hour(home: Path) -> bool:
    """The real hour, and an empty one that completes its week."""
    if not HOUR.is_file():
        return False
    events = home / "events"
    events.mkdir(parents=True)
    shutil.copyfile(HOUR, events / HOUR.name)
    (events / "2015-01-04-23.json.gz").write_bytes(gzip.compress(b"", mtime=0))
    for source in WORKLOAD.sources(str(events)):
        ingest.land(source, bronze=home / "bronze")
    return True


def build_and_compare(name: str, home: Path, parts: int, python: str, environment: dict[str, str]) -> int:
    """Take the landed files in, in so many batches, on both; the number of tables whose rows differ."""
    place = folder(home, WORKLOAD.name)
    place.mkdir(parents=True)
    state = State(place=place)
    landed = sorted(
        (entry for source in (home / "bronze").iterdir() for entry in read(source)),
        key=lambda entry: (entry.hour, entry.source),
    )
    project = project_of(WORKLOAD, state)
    size = -(-len(landed) // parts)
    for at in range(0, len(landed), size):
        announce(state, landed[at : at + size], home / "bronze")
        project.run("build", "--exclude", *LEFT_OUT)
        take_in(place, python, environment)
        state.finish()
    return sum(differs(name, table, state.database, python, environment) for table in tables(state.database))


def announce(state: State, batch: Sequence[Landed], bronze: Path) -> None:
    """Read a batch and leave its Parquet files where both will find them."""
    arriving = state.place / ARRIVING
    shutil.rmtree(arriving, ignore_errors=True)
    first = state.next_id()
    tasks = [
        Task(
            file_id=first + at,
            path=str(bronze / entry.source / entry.file),
            bytes=entry.bytes,
            sha256=entry.sha256,
            source=entry.source,
            file=entry.file,
            hour=entry.hour.isoformat(),
            part=entry.part,
        )
        for at, entry in enumerate(batch)
    ]
    counts = read_files(WORKLOAD.name, tasks, out=arriving)
    state.announce(WORKLOAD, list(zip(batch, tasks, counts, strict=True)))
    with duckdb.connect(str(state.database), read_only=True) as connection:
        rows = connection.sql("SELECT * FROM bronze.landed WHERE unfinished").to_arrow_table()
    pq.write_table(rows, arriving / "landed-0.parquet")


def take_in(place: Path, python: str, environment: dict[str, str]) -> None:
    """Bring the batch through the stage and build silver and gold, by dbt-snowflake."""
    arguments = {"folder": str(place / ARRIVING), "columns": dict(WORKLOAD.records.columns)}
    dbt(place, python, environment, "run-operation", "load_arriving", "--args", json.dumps(arguments))
    dbt(place, python, environment, "build", "--exclude", *LEFT_OUT)
    dbt(place, python, environment, "run-operation", "finish_arriving")


def dbt(place: Path, python: str, environment: dict[str, str], *command: str) -> None:
    """Run the other environment's dbt on the same project."""
    paths = [
        "--project-dir",
        "project",
        "--profiles-dir",
        "project",
        "--target-path",
        "dbt-snowflake",
        "--log-path",
        "dbt-snowflake",
    ]
    done = subprocess.run(
        [
            python,
            "-m",
            "dbt.cli.main",
            "--no-use-colors",
            "--no-send-anonymous-usage-stats",
            *command,
            "--target",
            "snowflake",
            *paths,
        ],
        cwd=place,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"dbt {command[0]} on Snowflake: {done.stdout[-6000:]}{done.stderr[-2000:]}")


def tables(database: Path) -> list[str]:
    """Every table that the models made."""
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema IN ('silver', 'gold') ORDER BY 1"
        ).fetchall()
    return [name for (name,) in found if name.split(".")[1] not in LEFT_OUT]


def differs(name: str, table: str, database: Path, python: str, environment: dict[str, str]) -> bool:
    """Compare all rows of a table, as text, sorted."""
    with duckdb.connect(str(database), read_only=True) as connection:
        result = connection.execute(f"SELECT * FROM {table}")
        result_types = list(result.description)
        columns = [column[0] for column in result_types]
        ours = sorted(tuple(map(plain, row)) for row in result.fetchall())
    moments = {column[0] for column in result_types if str(column[1]) == "TIMESTAMP"}
    # As text: fakesnow's connector hands out 1970 for a null moment.
    shown = [f"to_varchar({name}, 'YYYY-MM-DD HH24:MI:SS')" if name in moments else name for name in columns]
    asked = f"select {', '.join(shown)} from {DATABASE}.{table}"
    answer = subprocess.run(
        [python, __file__.replace("run.py", "ask.py"), asked],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        sys.exit(f"{table}: {answer.stderr[-2000:]}")
    theirs = sorted(tuple(row) for row in json.loads(answer.stdout))
    same = ours == theirs
    print(
        f"{name}: {table}: {len(ours)} rows on DuckDB, {len(theirs)} on Snowflake, {'equal' if same else 'DIFFERENT'}"
    )
    if not same:
        for mine, other in [(a, b) for a, b in zip(ours, theirs, strict=False) if a != b][:3]:
            print(f"    {mine}\n    {other}")
    return not same


@contextmanager
def fakesnow(python: str) -> Iterator[dict[str, str]]:
    """The server on a free port, with an empty database; what dbt needs to find it."""
    port = free_port()
    server = subprocess.Popen(
        [python, "-m", "fakesnow", "-s", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    environment = {
        "SNOWFLAKE_ACCOUNT": "fakesnow",
        "SNOWFLAKE_HOST": "localhost",
        "SNOWFLAKE_PORT": str(port),
        "SNOWFLAKE_PROTOCOL": "http",
        "SNOWFLAKE_USER": "fake",
        "SNOWFLAKE_PASSWORD": "snow",
        "SNOWFLAKE_DATABASE": DATABASE,
        "NO_PROXY": "localhost",
    }
    try:
        for _ in range(200):
            try:
                request.urlopen(f"http://localhost:{port}/", timeout=1)
            except error.HTTPError:
                break
            except OSError:
                time.sleep(0.2)
        yield environment
    finally:
        server.terminate()
        server.wait(timeout=20)


if __name__ == "__main__":
    sys.exit(main())
