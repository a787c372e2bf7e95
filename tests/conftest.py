"""Fixtures that any test may ask for. What a test needs running is in the fixture's name."""

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib import request

import boto3
import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

import dbt_server
from ratchet.migrations import migrate
from ratchet.settings import Settings
from ratchet.stack import postgres as embedded
from ratchet.stack import secrets
from ratchet.stack.health import answers, wait_for
from ratchet.stack.paths import Home
from ratchet.stack.ports import free_port
from ratchet.stack.services import Stack

# How long one example takes says nothing where other work shares the cores.
hypothesis.settings.register_profile("patient", hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("patient")

SHARED = Path(__file__).resolve().parents[2] / "shared"


ONE_PROCESS = ("tests/e2e", "tests/dags", "tests/contract/register", "tests/unit/ingest", "tests/unit/iac")
"""Folders whose files share something that is slow to start. One stack, a minute of two cores: in the order of their names, first those
that look at a candidate on trial, then those that break things around it, last the one that promotes it, stops all and starts it again.
One Airflow that has loaded the DAGs, on a database of its own, fifteen seconds of a core. One MLflow server, eight, and MLflow itself in
the process that asks it, three. One dbt that has read the models, five. One Pulumi that has declared every stack, eight."""


class Together(LoadFileScheduling):
    """The tests of one file stay in one process, and so do files that share what is slow to start."""

    def _split_scope(self, nodeid: str) -> str:
        path = str(super()._split_scope(nodeid))
        return next((folder for folder in ONE_PROCESS if path.startswith(f"{folder}/")), path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Together:
    """Which tests go to which process under `-n`."""
    return Together(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is loaded to collect the tests stays: looking through it for garbage took a third of collecting, in each process."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """What ends is taken apart as ever: libraries complain of what they find left over."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data samples; a test that needs it skips where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("real data samples (../shared/data) are not on this machine")
    return folder


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """A real embedded PostgreSQL on a free port, gone when the session ends."""
    home = tmp_path_factory.mktemp("postgres")
    server = embedded.Server(home=home, port=free_port(), password="test-password")
    server.initialise()
    process = subprocess.Popen(server.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("PostgreSQL", server.is_ready, timeout=20, look="its log")
    yield server
    process.send_signal(signal.SIGINT)
    process.wait(timeout=20)


@pytest.fixture(scope="session")
def postgres(postgres_server: embedded.Server) -> str:
    """The connection URI of a fresh, fully migrated `ratchet` database."""
    postgres_server.create_database("ratchet")
    uri = postgres_server.uri("ratchet")
    migrate(uri)
    return uri


@pytest.fixture(scope="session")
def make_stack(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Stack]:
    """Makes embedded stacks on free ports in temporary homes; nothing is started."""

    def make(*, postgres_port: int = 0, postgres_password: str = "", **settings: object) -> Stack:
        home = Home(tmp_path_factory.mktemp("home"))
        home.prepare()
        ports = {name: free_port() for name in Settings.model_fields if name.endswith("_port")}
        if postgres_port:
            ports["postgres_port"] = postgres_port
        known = secrets.load(home.secrets)
        if postgres_password:
            known = replace(known, postgres_password=postgres_password)
        values = {**ports, "data_home": home.folder, **settings}
        return Stack(settings=Settings(_env_file=None, **values), secrets=known, home=home)

    return make


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    """The address of a bucket on a real S3 endpoint."""
    from s3 import s3_server  # noqa: PLC0415  # moto takes a second to import

    with s3_server() as address:
        yield address


@pytest.fixture(scope="session")
def object_store_address() -> Iterator[str]:
    """The address of a real S3 endpoint on this machine (moto's server)."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    wait_for("moto", lambda: answers(f"{address}/moto-api/"), timeout=60, look="the test's output")
    yield address
    server.terminate()
    server.wait(timeout=20)


@pytest.fixture
def object_store(object_store_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An S3 client with an empty bucket `events`; boto3's usual chain leads there for the time of the test."""
    for name, value in {
        "AWS_ENDPOINT_URL_S3": object_store_address,  # beats AWS_ENDPOINT_URL, and what `bucket` may have set
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)
    reset = request.Request(f"{object_store_address}/moto-api/reset", method="POST")
    request.urlopen(reset, timeout=10).close()
    client = boto3.client("s3")
    client.create_bucket(Bucket="events")
    yield client
    client.close()


@pytest.fixture(scope="session")
def loaded_dbt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """The words that start dbt in a process that has loaded it, and read the models, already."""
    with dbt_server.running(tmp_path_factory.mktemp("dbt")) as command:
        yield command


@pytest.fixture(scope="module")
def warm_dbt(loaded_dbt: tuple[str, ...]) -> Iterator[None]:
    """Builds in this module do not wait for dbt to load. How dbt is started, killed and outlived is tested without this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dbt_server.PROGRAM, loaded_dbt)
        yield
