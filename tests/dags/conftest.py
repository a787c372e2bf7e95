"""Airflow as the DAG tests need it: a real metadata database, a real MLflow, and a house for the loop's own data."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ratchet.stack import environment
from ratchet.stack.health import answers, wait_for
from ratchet.stack.paths import Home
from ratchet.stack.ports import free_port
from ratchet.stack.postgres import Server
from ratchet.stack.services import Stack, tool

ROOT = Path(__file__).parents[2]
Runner = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def airflow_environment(make_stack: Callable[..., Stack], postgres_server: Server, postgres: str) -> dict[str, str]:
    """The environment of an Airflow whose metadata database is migrated; nothing of it runs."""
    stack = make_stack(postgres_port=postgres_server.port, postgres_password=postgres_server.password)
    postgres_server.create_database("airflow")
    values = {**stack.airflow_environment, "DATABASE_URL": postgres}
    subprocess.run([tool("airflow"), "db", "migrate"], env=values, check=True, capture_output=True, timeout=120)
    return values


@pytest.fixture(scope="session")
def mlflow_address(airflow_environment: Mapping[str, str]) -> Iterator[str]:
    """A real MLflow server of this test session."""
    home = Path(airflow_environment["DATA_HOME"])
    port = free_port()
    command = [tool("mlflow"), "server", "--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--no-serve-artifacts"]
    command += [
        "--default-artifact-root",
        (home / "artifacts").as_uri(),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    server = subprocess.Popen(
        command, env=environment.base(Home(home)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for("MLflow", lambda: answers(f"http://127.0.0.1:{port}/health"), timeout=90, look="the test's output")
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(timeout=20)


@pytest.fixture(scope="session")
def run_dag(airflow_environment: Mapping[str, str]) -> Runner:
    """Load `dags/` in a process of its own; with a DAG's id and conf, run it there with `dag.test()`."""

    def run(*arguments: Any, **extra: str) -> dict[str, Any]:
        command = [sys.executable, str(ROOT / "tests/dags/run_dag.py"), *arguments]
        values = {**airflow_environment, **extra, "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"}
        done = subprocess.run(command, cwd=ROOT, env=values, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        answer["log"] = done.stdout + done.stderr
        return answer

    return run
