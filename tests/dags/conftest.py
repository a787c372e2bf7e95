"""Airflow as the DAG tests need it: a real metadata database, a real MLflow, and a house for the loop's own data."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
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
ANSWER = "=== "
"""How a line begins that is an answer and not the log."""


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
    given = {**environment.base(Home(home)), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # as the stack starts it
    server = subprocess.Popen(command, env=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("MLflow", lambda: answers(f"http://127.0.0.1:{port}/health"), timeout=90, look="the test's output")
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(timeout=20)


@pytest.fixture(scope="session")
def run_dag(airflow_environment: Mapping[str, str]) -> Iterator[Runner]:
    """Say what `dags/` holds; with a DAG's id and conf, run it with `dag.test()`: all in one process, because Airflow is slow to load."""
    command = [sys.executable, "-u", str(ROOT / "tests/dags/run_dag.py")]
    values = {**airflow_environment, "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO", "TRAIN_TASKS": "2"}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=values,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        yield partial(run_in, process)


def run_in(process: "subprocess.Popen[str]", dag_id: str = "", conf: str = "{}", **environment: str) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"dag": dag_id, "conf": json.loads(conf), "environment": environment}) + "\n")
    process.stdin.flush()
    log = []
    for line in process.stdout:
        if line.startswith(ANSWER):
            answer: dict[str, Any] = json.loads(line.removeprefix(ANSWER))
            answer["log"] = "".join(log)
            assert "error" not in answer, answer["log"][-4000:] + answer["error"]
            return answer
        log.append(line)
    raise AssertionError("".join(log)[-4000:])
