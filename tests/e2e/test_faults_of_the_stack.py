"""Parts of the running stack fail in turn under constant load: no forecast fails, and sent = logged, to the row.

Real supervisor, PostgreSQL, MLflow, Prometheus, gunicorn and nginx, as `make up` starts them; `make faults` takes its time.
"""

import os
import signal
import subprocess
import time
from contextlib import contextmanager
from urllib.request import urlopen

import psutil
import pytest
from mlflow import MlflowClient

import steady
from people import SERIES
from ratchet.serve.segments import measure
from ratchet.serve.split import FlagFileSplit
from ratchet.stack import marks
from ratchet.stack.health import wait_for, wait_for_service
from ratchet.stack.supervised import Supervisor

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]

SECONDS = float(os.environ.get("FAULT_SECONDS", "3"))
KILLS = int(os.environ.get("FAULT_KILLS", "1"))
SWAPS = int(os.environ.get("FAULT_SWAPS", "3"))
SWAP_EVERY = float(os.environ.get("FAULT_SWAP_EVERY", "2.5"))
WORKLOAD = "github_activity"
TRACKS = ("production", "candidate")


class Field:
    """The stack with a release on each track and half of the clients on either."""

    def __init__(self, house):
        self.house, self.stack, self.supervisor = house, house.stack, Supervisor(house.stack.home)
        self.database = self.stack.postgres.uri("ratchet")
        self.registry = MlflowClient(tracking_uri=f"http://127.0.0.1:{self.stack.settings.mlflow_port}")
        self.versions = sorted(
            self.registry.search_model_versions(f"name='{WORKLOAD}'"), key=lambda one: int(one.version)
        )
        self.versions = [one.version for one in self.versions][-2:]

    def serve(self, production, candidate):
        for track, version in zip(TRACKS, (production, candidate), strict=True):
            self.registry.set_registered_model_alias(WORKLOAD, track, version)

    def load(self, **how):
        port, key = self.stack.settings.router_port, self.house.keys["predict"]
        return steady.Load(port, key, f"/api/{WORKLOAD}/predict", SERIES, **how)

    def service(self, name):
        return next(service for service in self.stack.services() if service.name == name)

    def processes(self, name):
        return marks.processes(str(self.stack.home.folder), service=name)

    def wait(self, name):
        wait_for_service(self.service(name), timeout=60)

    def wait_track(self, track):
        port = getattr(self.stack.settings, f"{track}_port")
        wait_for(track, lambda: _answers(f"http://127.0.0.1:{port}/api/ready"), timeout=40, look=track)

    @contextmanager
    def stopped(self, *names):
        """Services that the operator has stopped for a while."""
        with self.supervisor._rpc() as rpc:
            for name in names:
                rpc.stopProcess(name)
            try:
                yield
            finally:
                for name in names:
                    rpc.startProcess(name)
        for name in names:
            self.wait(name)

    def lost(self):
        """Records that the production track has counted as lost since it started."""
        with urlopen(f"http://127.0.0.1:{self.stack.settings.production_port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith("ratchet_log_lost_total{"))


def _answers(address):
    try:
        with urlopen(address, timeout=2):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def field(house):
    field = Field(house)
    split = FlagFileSplit(house.stack.home.weights)
    share = split.share()
    field.serve(*field.versions)
    split.set_share(50)
    for track in TRACKS:
        field.wait_track(track)
    yield field
    split.set_share(share)


def assert_nothing_is_missing(field, load, **how):
    steady.assert_nothing_is_missing(field.database, load, **how)


@pytest.mark.parametrize("track", TRACKS)
def test_a_killed_worker_of_the_stack(field, track):
    with field.load() as load:
        for _ in range(KILLS):
            for process in field.processes(f"inference-{track}"):
                if not process.children():
                    process.send_signal(signal.SIGKILL)
            time.sleep(1.5)
    assert_nothing_is_missing(field, load)


@pytest.mark.parametrize("track", TRACKS)
def test_a_killed_track_of_the_stack(field, track):
    with field.load() as load:
        for process in field.processes(f"inference-{track}"):
            process.send_signal(signal.SIGKILL)
        time.sleep(2)
        field.wait_track(track)
    assert_nothing_is_missing(field, load)


def test_a_router_that_reads_its_configuration_anew(field):
    """Nginx ends idle connections when it is reloaded; a client opens another, as every HTTP client does."""
    run = field.stack.home.run / "router"
    with field.load(again=True) as load:
        for _ in range(KILLS):
            pid = int((run / "nginx.pid").read_text())
            psutil.Process(pid).send_signal(signal.SIGHUP)
            time.sleep(1.5)
    assert_nothing_is_missing(field, load)


@pytest.mark.parametrize("names", [("postgres",), ("mlflow", "prometheus")], ids=" and ".join)
def test_neighbours_of_serving_stopped(field, names):
    with field.load() as load, field.stopped(*names):
        time.sleep(SECONDS)
    assert_nothing_is_missing(field, load, timeout=60)


def test_swaps_of_the_alias_in_the_real_registry(field):
    with field.load() as load:
        for swap in range(SWAPS):
            field.serve(*(reversed(field.versions) if swap % 2 == 0 else field.versions))
            time.sleep(SWAP_EVERY)
    field.serve(*field.versions)
    assert_nothing_is_missing(field, load)
    assert len(load.releases) >= 2


@pytest.fixture
def tiny_disk(field):
    """A disk of 64 KiB where the production track keeps its spool."""
    spool = field.stack.home.folder / "spool" / "production"
    field.supervisor.restart("inference-production")
    field.wait_track("production")
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", spool]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        field.supervisor.restart("inference-production")
        field.wait_track("production")
        yield spool
        wait_for("the spool", lambda: measure(spool).size == 0, timeout=20, look=str(spool))
    finally:
        with field.stopped("inference-production"):
            subprocess.run(["umount", "-l", spool], check=True)


def test_a_disk_without_room_for_the_spool(field, tiny_disk):
    FlagFileSplit(field.house.stack.home.weights).set_share(0)  # its disk is the full one
    with field.load() as load:
        with field.stopped("postgres"):
            wait_for("the disk to fill", lambda: len(load.ids) > 400, timeout=60, look=str(tiny_disk))
        time.sleep(1)
    lost = field.lost()
    assert lost > 0
    assert_nothing_is_missing(field, load, lost=lost, timeout=60)
