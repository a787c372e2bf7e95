"""Stopping ends all of the stack and nothing else."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from functools import partial
from pathlib import Path

import psutil
import pytest

from ratchet.contracts.errors import RatchetError
from ratchet.settings import Settings
from ratchet.stack import commands, environment, marks
from ratchet.stack.health import wait_for, wait_for_service
from ratchet.stack.paths import Home
from ratchet.stack.services import Service
from ratchet.stack.supervised import Supervisor

STUBBORN = ["sh", "-c", """trap '' TERM; echo "deaf, 100 %"; while :; do sleep 0.2; done"""]


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
    logs = [home.logs / f"{name}.log" for name in names]
    while {log.read_text() if log.exists() else "" for log in logs} != {"deaf, 100 %\n"}:
        time.sleep(0.2)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(supervisor.shut_down, timeout=2)
        time.sleep(1)
        for order in (supervisor.states, partial(supervisor.restart, "one")):
            with pytest.raises(RatchetError, match="being stopped"):
                order()
        supervisor.shut_down(timeout=1)  # as by a person who did not want to wait, and then did
        first.result()
    assert not supervisor.is_running()
    assert supervisor.leftovers(supervised=True) == []


@pytest.fixture
def short_path():
    """A folder with room for a socket: a test's own has a long name."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder).resolve()


SHOW = "import json, os, pathlib; pathlib.Path('found').write_text(json.dumps(dict(os.environ))); __import__('time').sleep(60)"


@pytest.mark.stack
@pytest.mark.parametrize("folder", ["home", 'Zürich ; #1\'s "home" 100%'])
def test_a_service_finds_its_settings_as_they_were_written_and_nothing_of_who_started_it(
    short_path, monkeypatch, folder
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    odd = "csv:/a ; csv:/b # both ' and \", 100 %(here)s\n[program:x]\nGitHub: ü"
    home = Home(short_path / folder)
    home.prepare()
    supervisor, found = Supervisor(home), home.run / "one" / "found"
    given = {**environment.base(home), "EVENTS": odd}
    supervisor.configure([Service(name="one", command=[sys.executable, "-c", SHOW], environment=given)])
    supervisor.start_daemon()
    try:
        supervisor.start("one")
        wait_for("the service", lambda: found.exists() and found.stat().st_size > 0, timeout=20, look="its log")
        own = json.loads(found.read_text())
    finally:
        supervisor.shut_down()
    assert own["EVENTS"] == odd
    assert set(own) - set(given) <= {marks.SERVICE_MARK, "LC_CTYPE"}  # the last is Python's own doing
    assert (home.run / "one" / "launch.json").stat().st_mode & 0o777 == 0o600


def test_what_is_born_of_a_process_that_is_being_stopped_is_stopped_too(home):
    """As `supervisord` is, in the moment of a `make up` in which it leaves its parent."""
    told = ["sh", "-c", "trap 'sleep 60 & exit' TERM; echo ready; while :; do sleep 0.1; done"]
    given = {**os.environ, **environment.base(home)}
    with subprocess.Popen(told, env=given, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "ready\n"
        Supervisor(home).shut_down()
    assert Supervisor(home).leftovers() == []


@pytest.mark.stack
def test_what_a_killed_supervisor_left_is_ended_without_waiting_for_the_supervisor(home, capsys):
    supervisor = Supervisor(home)
    supervisor.configure([Service(name="one", command=["sleep", "60"], environment=environment.base(home))])
    supervisor.start_daemon()
    supervisor.start("one")
    killed = psutil.Process(int((home.run / "supervisord.pid").read_text()))
    killed.kill()
    killed.wait()
    assert commands.status(Settings(_env_file=None, data_home=home.folder)) == 3
    assert "left 1 process" in capsys.readouterr().out
    begin = time.monotonic()
    supervisor.shut_down(timeout=60)
    assert time.monotonic() - begin < 15
    assert supervisor.leftovers() == []


@pytest.mark.stack
def test_who_waits_for_a_part_hears_at_once_that_all_is_being_stopped(home):
    supervisor = Supervisor(home)
    never = Service(name="one", command=STUBBORN, health="http://127.0.0.1:1/", environment=environment.base(home))
    supervisor.configure([never])
    supervisor.start_daemon()
    supervisor.start("one")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(wait_for_service, never, timeout=60, still=supervisor.states)
        time.sleep(1)
        assert not waiting.done()
        supervisor.shut_down(timeout=2)
        with pytest.raises(RatchetError, match=r"being stopped|has just ended"):
            waiting.result(timeout=3)


def test_what_cannot_start_is_tried_again_for_as_long_as_a_full_disk_may_last(home):
    """The supervisor waits a second longer after each try, and gives up for good after the last one."""
    Supervisor(home).configure([Service(name="one", command=STUBBORN)])
    read = ConfigParser(interpolation=None)
    read.read(home.run / "supervisord.conf")
    tries = read.getint("program:one", "startretries")
    assert sum(range(1, min(tries, 10_000) + 1)) > 30 * 86_400


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
