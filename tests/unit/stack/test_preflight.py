"""What stands in the way is named, with what to do about it."""

import shutil
import socket
from typing import NamedTuple

import pytest

from ratchet.stack import preflight
from ratchet.stack.paths import Home
from ratchet.stack.ports import free_port, holder
from ratchet.stack.services import Service


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


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
