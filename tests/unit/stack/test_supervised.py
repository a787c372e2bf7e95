"""Stopping ends all of the stack and nothing else."""

import shutil
import subprocess
import time

import pytest

from ratchet.stack import environment, marks
from ratchet.stack.paths import Home
from ratchet.stack.services import Service
from ratchet.stack.supervised import Supervisor

STUBBORN = ["sh", "-c", "trap '' TERM; while :; do sleep 0.2; done"]


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    home.prepare()
    return home


@pytest.mark.stack
def test_what_does_not_end_by_itself_is_ended_and_the_supervisor_with_it(home):
    supervisor = Supervisor(home)
    names = ["one", "two"]
    supervisor.configure([Service(name=name, command=STUBBORN, environment=environment.base(home)) for name in names])
    supervisor.start_daemon()
    for name in names:
        supervisor.start(name)
    while {state.state for state in supervisor.states()} != {"RUNNING"}:
        time.sleep(0.2)
    supervisor.shut_down(timeout=2)
    assert not supervisor.is_running()
    assert supervisor.leftovers(supervised=True) == []


@pytest.mark.parametrize(("name", "is_ours"), [("nginx", True), ("less", False)])
def test_whoever_looks_around_in_a_folder_of_the_stack_is_none_of_it(home, name, is_ours):
    place = home.run / "router"
    place.mkdir()
    program = shutil.copy(shutil.which("sleep"), home.folder / name)
    found = subprocess.Popen([program, "30"], cwd=place)
    try:
        assert (found.pid in [process.pid for process in marks.processes(str(home.folder))]) is is_ours
    finally:
        found.kill()
        found.wait()
