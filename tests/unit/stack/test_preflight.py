"""What stands in the way is named, with what to do about it."""

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from ratchet.stack import environment, preflight
from ratchet.stack.paths import Home
from ratchet.stack.ports import free_port, holder
from ratchet.stack.services import Service


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def short():
    """A folder whose path leaves room for a socket's, whatever the tests' own is called."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def home(short):
    return Home(short / "home")


def service(name: str, port: int | None) -> Service:
    return Service(name=name, command=["true"], port=port)


@pytest.fixture
def listener():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_a_free_machine_has_no_problems(home):
    assert preflight.problems(home, [service("router", free_port())], bind="127.0.0.1") == []


def test_a_taken_port_names_the_port_its_holder_and_the_setting(home, listener):
    (problem,) = preflight.problems(home, [service("airflow-api-server", listener)], bind="127.0.0.1")
    assert f"port {listener} (airflow-api-server) is taken by {holder(listener)}" in problem
    assert "AIRFLOW_PORT" in problem


def test_every_taken_port_is_told_at_once(home, listener):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = [service("router", listener), service("mlflow", other.getsockname()[1])]
        assert len(preflight.problems(home, taken, bind="127.0.0.1")) == 2


def test_one_port_for_two_services_is_refused(home):
    port = free_port()
    (problem,) = preflight.problems(home, [service("router", port), service("mlflow", port)], bind="127.0.0.1")
    assert f"port {port} is set for both router and mlflow" in problem


def test_an_address_at_which_the_parts_would_not_meet_is_refused(home):
    for address in ("127.0.0.1", "0.0.0.0"):
        assert preflight.problems(home, [], bind=address) == []
    (problem,) = preflight.problems(home, [], bind="192.168.1.20")
    assert "BIND=192.168.1.20" in problem
    assert "0.0.0.0" in problem


def test_a_full_disk_is_named(home, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 99, 1_000_000))
    (problem,) = preflight.problems(home, [], bind="127.0.0.1")
    assert problem.startswith("no space: 0.0 GB free at ")


def test_a_home_too_deep_for_a_socket_is_named(tmp_path):
    (problem,) = preflight.problems(Home(tmp_path / ("deep" * 30)), [], bind="127.0.0.1")
    assert "too long for a socket" in problem


def test_every_port_of_the_stack_has_a_setting(make_stack):
    stack = make_stack()
    settings = {name.upper() for name in type(stack.settings).model_fields}
    assert {preflight.setting(found) for found in stack.services() if found.port} <= settings


@pytest.mark.parametrize("line", ['POLICY=\'{"mode": "spec"}', "ROUTER_PORT 7100", "ROUTER_PORT: 7100"])
def test_a_line_that_sets_nothing_is_named_by_its_number_alone(tmp_path, line):
    (tmp_path / ".env").write_bytes(f"\ufeff# ours\r\nDATA_HOME=x\r\n{line}\r\nEVENTS=sample\r\n".encode())
    (problem,) = preflight.env_file(tmp_path / ".env")
    assert f"{tmp_path}/.env, line 3 cannot be read" in problem
    assert "spec" not in problem


def test_lines_that_a_shell_or_an_editor_writes_are_well(tmp_path):
    text = "\ufeffexport DATA_HOME='a home'  # ours\r\n\r\n  # NOTE=none\r\nPOLICY='{\n\"mode\": \"spec\"}'\r\n"
    (tmp_path / ".env").write_bytes(text.encode())
    assert preflight.env_file(tmp_path / ".env") == []
    assert preflight.env_values(tmp_path / ".env") == {"DATA_HOME": "a home", "POLICY": '{\n"mode": "spec"}'}
    assert preflight.env_file(tmp_path / "none") == []


@pytest.mark.parametrize("where", [preflight.ROOT, preflight.ROOT.parent, Path.home(), Path("/")])
def test_a_home_that_holds_what_is_not_ours_is_refused(where):
    (problem, *_) = preflight.folder(where.resolve())
    assert "set a folder of its own" in problem


def test_releases_that_are_not_where_they_were_put_are_missed_until_a_link_leads_there(tmp_path):
    """MLflow keeps each one's address, and would make the old folder anew for the next."""
    old, new = Home(tmp_path / "old; #1"), Home(tmp_path / "new")
    old.prepare()
    old.first_turn.touch()
    (old.folder / "artifacts").mkdir()
    environment.write(old, {"ARTIFACTS": (old.folder / "artifacts").as_uri()})
    assert preflight.moved(old, (old.folder / "artifacts").as_uri()) == []
    old.folder.rename(new.folder)
    here = (new.folder / "artifacts").as_uri()
    (problem,) = preflight.moved(new, here)
    assert f"registered at {old.folder}/artifacts, which is gone" in problem
    subprocess.run(problem.partition("there: ")[2], shell=True, check=True)
    assert preflight.moved(new, here) == []
    environment.write(new, {"ARTIFACTS": "s3://bucket/releases"})
    assert preflight.moved(new, "s3://bucket/releases") == []


def test_a_home_inside_the_checkout_is_as_it_should_be():
    assert preflight.folder(preflight.ROOT / ".ratchet") == []


def test_a_home_is_as_long_as_its_bytes(short):
    name = "ü" * (90 - len(str(short)) - len("/run/supervisor.sock"))
    assert any("too long" in problem for problem in preflight.problems(Home(short / name), [], bind="127.0.0.1"))
