"""A real MLflow server, and registries on it. It starts once for all of this folder: see ONE_PROCESS in tests/conftest.py."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from fakes import FakeRegistry, write_release
from ratchet.contracts.release import CARD
from ratchet.register.client import load_mlflow
from ratchet.register.mlflow_registry import MlflowRegistry
from releases import no_plots
from web import wait_until_ready

HOUR = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory):
    """Start and name a real MLflow server that keeps artifacts in a folder, as the stack starts it."""
    home = tmp_path_factory.mktemp("mlflow")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--no-serve-artifacts"]
    command += ["--default-artifact-root", (home / "artifacts").as_uri()]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **quiet}, stdout=log, stderr=log, cwd=home, start_new_session=True
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/health", process, seconds=120)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


@pytest.fixture
def workload():
    return f"registry-{uuid4().hex[:8]}"


@pytest.fixture
def make(tmp_path, workload):
    """Write release folders of this test's workload; what a card is to say otherwise is named."""

    def write(release_id, **changes):
        folder = tmp_path / release_id
        card = replace(write_release(folder, workload=workload, release_id=release_id, data_hour=HOUR), **changes)
        (folder / CARD).write_text(card.to_json())
        return folder, card

    return write


@pytest.fixture(params=["fake", "mlflow"])
def registry(request, workload):
    """Each kind of registry; `mlflow and s3` for those who ask. What is drawn is looked at in test_shown_runs.py."""
    if request.param == "fake":
        return FakeRegistry()
    server = request.getfixturevalue("mlflow_server")
    if request.param == "mlflow and s3":
        place = f"{request.getfixturevalue('bucket')}/{workload}"
        load_mlflow().MlflowClient(server).create_experiment(workload, artifact_location=place)
    return MlflowRegistry(server, page_size=2, draw=no_plots)


@pytest.fixture
def on_mlflow(mlflow_server):
    return MlflowRegistry(mlflow_server, draw=no_plots)


@pytest.fixture
def client(mlflow_server):
    return load_mlflow().MlflowClient(mlflow_server)


@pytest.fixture
def mlflow(mlflow_server, monkeypatch):
    """MLflow itself, turned to that server."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    return load_mlflow()
