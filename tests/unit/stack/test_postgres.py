"""A server that was ended by a power cut starts again."""

import signal
import subprocess
from contextlib import contextmanager

import pytest

from ratchet.stack.health import wait_for
from ratchet.stack.ports import free_port
from ratchet.stack.postgres import Server
from ratchet.stack.unprivileged import wrap


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(home=tmp_path_factory.mktemp("postgres"), port=free_port(), password="test-password")
    server.initialise()
    return server


@contextmanager
def running(command, *, ended_by=signal.SIGINT):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    try:
        yield process
    finally:
        process.send_signal(ended_by)
        process.wait(timeout=20)


@pytest.mark.stack
@pytest.mark.parametrize("left", ["{pid}\n{data}\n1795409101\n5433\n", ""], ids=["a pid of somebody else's", "nothing"])
def test_a_lock_that_a_power_cut_left_keeps_no_server_from_starting(server, left):
    # Whoever was started in the background has SIGINT ignored, and so has a sleep of his.
    with running(wrap(["sleep", "60"]), ended_by=signal.SIGTERM) as somebody:
        (server.data / "postmaster.pid").write_text(left.format(pid=somebody.pid, data=server.data))
        server.unlock()
        with running(server.command()):
            wait_for("PostgreSQL", server.is_ready, timeout=20, look="its log")


@pytest.mark.stack
def test_the_lock_of_a_server_that_runs_stays(server):
    with running(server.command()):
        wait_for("PostgreSQL", server.is_ready, timeout=20, look="its log")
        server.unlock()
        assert (server.data / "postmaster.pid").exists()
