"""A server that was ended by a power cut starts again."""

import signal
import subprocess
from contextlib import contextmanager
from dataclasses import replace

import pytest

from ratchet.contracts.errors import RatchetError
from ratchet.stack.health import wait_for
from ratchet.stack.ports import free_port
from ratchet.stack.postgres import MAJOR, Server
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
def test_another_password_is_told_at_once_and_not_waited_for(server):
    with running(server.command()):
        wait_for("PostgreSQL", server.is_ready, timeout=20, look="its log")
        with pytest.raises(RatchetError, match="has another password than secrets"):
            replace(server, password="another").is_ready()


@pytest.mark.parametrize(
    ("name", "says"), [("PG_VERSION", "made by PostgreSQL 16, and 18 is installed"), ("notes.txt", "move it away")]
)
def test_a_folder_that_this_server_cannot_open_is_named_and_left_as_it_is(tmp_path, name, says):
    server = Server(home=tmp_path, port=1, password="-")
    server.data.mkdir()
    (server.data / name).write_text("16\n")
    with pytest.raises(RatchetError, match=says):
        server.initialise()
    assert (server.data / name).read_text() == "16\n"


def test_databases_whose_home_lost_its_notes_are_never_made_anew(tmp_path, monkeypatch):
    """As a folder that was restored by itself."""
    server = Server(home=tmp_path, port=1, password="-")
    (server.data / "base").mkdir(parents=True)
    (server.data / "PG_VERSION").write_text(f"{MAJOR}\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("initdb was run"))
    server.initialise()
    assert (server.data / "base").is_dir()


@pytest.mark.stack
def test_a_half_made_folder_is_made_anew(tmp_path):
    server = Server(home=tmp_path, port=free_port(), password="-")
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new" / "PG_VERSION").write_text(f"{MAJOR}\n")  # as a killed run leaves it
    server.initialise()
    assert (server.data / "global" / "pg_control").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


@pytest.mark.stack
def test_the_lock_of_a_server_that_runs_stays(server):
    with running(server.command()):
        wait_for("PostgreSQL", server.is_ready, timeout=20, look="its log")
        server.unlock()
        assert (server.data / "postmaster.pid").exists()
