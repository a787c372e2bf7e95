"""The shell commands where nothing runs."""

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress

import pytest

from ratchet.contracts.errors import RatchetError
from ratchet.settings import Settings
from ratchet.stack import commands, environment, table, turn
from ratchet.stack.container_settings import ContainerSettings
from ratchet.stack.health import NotReadyError, wait_for
from ratchet.stack.paths import ROOT, Home
from ratchet.stack.ports import free_port
from ratchet.stack.services import Service
from ratchet.stack.supervised import Supervisor
from ratchet.stack.up import _wait_for, up


@pytest.fixture
def settings(tmp_path):
    return Settings(_env_file=None, data_home=tmp_path / "home")


def test_status_of_a_stopped_stack_says_how_to_start_it(settings, capsys):
    assert commands.status(settings) == 3
    assert "make up" in capsys.readouterr().out


@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0"])
def test_every_address_of_the_table_can_be_opened(make_stack, capsys, bind):
    """0.0.0.0 is every address of a machine, and none that a browser opens."""
    stack = make_stack(bind=bind)
    table.status(stack, Supervisor(stack.home))
    told = capsys.readouterr().out
    assert f"http://127.0.0.1:{stack.settings.router_port} " in told
    assert "://0.0.0.0" not in told
    assert ("every other address of this machine" in told) == (bind == "0.0.0.0")


def test_down_of_a_stopped_stack_is_no_error(settings, capsys):
    commands.down(settings)
    assert "data stays" in capsys.readouterr().out


def test_restart_of_a_stopped_stack_says_so(settings):
    with pytest.raises(RatchetError, match="stopped"):
        commands.restart(settings, "router")


def test_logs_of_an_unknown_service_name_the_known_ones(settings):
    logs = settings.home / "logs"
    logs.mkdir(parents=True)
    (logs / "router.log").touch()
    with pytest.raises(RatchetError, match="router"):
        commands.logs(settings, "ruoter")


def test_a_log_into_a_pipe_is_all_there_is_and_ends(settings):
    """`make logs S=router | grep` was shown the newest forty lines, and then waited for ever."""
    logs = settings.home / "logs"
    logs.mkdir(parents=True)
    (logs / "router.log").write_text("a line\n" * 100)
    environment = {**os.environ, "DATA_HOME": str(settings.home)}
    command = [sys.executable, "-m", "ratchet", "logs", "router"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30, env=environment)
    assert done.stdout == "a line\n" * 100
    with subprocess.Popen([*command, "--follow"], stdout=subprocess.PIPE, text=True, env=environment) as followed:
        assert [followed.stdout.readline() for _ in range(100)] == ["a line\n"] * 100
        with (logs / "router.log").open("a") as log:
            log.write("one more\n")
        assert followed.stdout.readline() == "one more\n"
        followed.kill()


def test_clean_deletes_only_after_a_yes(settings, monkeypatch, capsys):
    home = settings.home
    for name in ("run", "logs"):
        (home / name).mkdir(parents=True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    commands.clean(settings, yes=False, ask=lambda _: "n")
    assert home.exists()
    commands.clean(settings, yes=False, ask=lambda _: "yes")
    assert not home.exists()
    assert "is gone" in capsys.readouterr().out


def test_clean_without_a_person_to_ask_deletes_nothing(settings, monkeypatch):
    settings.home.mkdir()
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    with pytest.raises(RatchetError, match="--yes"):
        commands.clean(settings, yes=False)
    assert settings.home.exists()


def test_clean_refuses_a_folder_that_is_not_its_own(settings):
    (settings.home / "holiday-pictures").mkdir(parents=True)
    with pytest.raises(RatchetError, match="does not look like"):
        commands.clean(settings, yes=True)
    assert (settings.home / "holiday-pictures").exists()


def test_two_starts_at_once_do_not_meet(settings):
    home = Home(settings.home)
    home.prepare()
    with (home.run / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RatchetError, match="another `make up`"):
            up(settings)


def test_down_ends_a_start_that_has_not_started_anything_yet(settings):
    """A `make up` at its first steps: what it starts after a `make down` would run on."""
    home, supervisor = Home(settings.home), Supervisor(Home(settings.home))
    home.prepare()
    never = Service(name="one", command=["sleep", "60"], environment=environment.base(home))
    begun = threading.Event()

    def start():
        with turn.alone(home):
            begun.set()
            time.sleep(1)
            supervisor.configure([never])
            supervisor.start_daemon()
            supervisor.start("one")
            with suppress(RatchetError):
                wait_for("it", lambda: False, timeout=60, look="nothing", still=supervisor.states)

    with ThreadPoolExecutor() as pool:
        starting = pool.submit(start)
        begun.wait()
        commands.down(settings)
        assert starting.done()
    assert supervisor.leftovers(supervised=True) == []


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGHUP])
def test_a_start_that_is_told_to_end_ends_as_with_ctrl_c(told):
    asked = signal.signal(told, signal.SIG_DFL)  # whoever runs the tests may ignore it
    try:
        with pytest.raises(SystemExit), turn.told_to_end():
            signal.raise_signal(told)
        assert signal.getsignal(told) is signal.SIG_DFL
    finally:
        signal.signal(told, asked)


def test_a_start_goes_on_without_its_terminal_where_that_was_asked_for():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        with turn.told_to_end():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_start_that_was_killed_is_gone_on_with(settings, monkeypatch, capsys):
    """Its supervisor runs, the first turn was made long ago, and some parts nobody has started."""
    home, went_on = Home(settings.home), []
    home.prepare()
    home.first_turn.touch()
    supervisor = Supervisor(home)
    parts = [Service(name=name, command=["sleep", "60"], environment=environment.base(home)) for name in ("one", "two")]
    supervisor.configure(parts)
    supervisor.start_daemon()
    monkeypatch.setattr("ratchet.stack.up._start_and_turn", lambda *_: went_on.append(True))
    monkeypatch.setattr("ratchet.stack.up.table.show", lambda *_: None)
    try:
        for part in parts:
            assert not supervisor.has_started_all()
            supervisor.start(part.name)
        up(settings)
        assert (went_on, "runs already" in capsys.readouterr().out) == ([], True)
        supervisor.stop("two")
        up(settings)
        assert (went_on, "going on from where it was" in capsys.readouterr().out) == ([True], True)
    finally:
        supervisor.shut_down()


@pytest.mark.stack
@pytest.mark.parametrize(("script", "is_ready"), [("sleep 2.5; exec {serve}", True), ("sleep 0.2; exit 1", False)])
def test_a_service_is_waited_for_while_it_is_at_it_and_not_where_it_ends_again_and_again(
    settings, monkeypatch, script, is_ready
):
    """On a busy machine MLflow took longer than it was given, and all of the stack was stopped for it."""
    monkeypatch.setattr("ratchet.stack.up._READY_SECONDS", 1)
    home, port = Home(settings.home), free_port()
    home.prepare()
    serve = f"{sys.executable} -m http.server --bind 127.0.0.1 {port}"
    command = ["sh", "-c", script.format(serve=serve)]
    slow = Service(name="one", command=command, health=f"http://127.0.0.1:{port}/", environment=environment.base(home))
    supervisor = Supervisor(home)
    supervisor.configure([slow])
    supervisor.start_daemon()
    try:
        supervisor.start("one")
        with nullcontext() if is_ready else pytest.raises(NotReadyError, match="one was not ready"):
            _wait_for(slow, supervisor)
    finally:
        supervisor.shut_down()


def test_new_secrets_are_not_made_beside_old_databases(settings):
    home = Home(settings.home)
    home.prepare()
    (home.postgres / "data").mkdir()
    (home.postgres / "data" / "PG_VERSION").write_text("18\n")
    home.environment.write_text("PREDICTION_SECRET='the only trace'\n")
    with pytest.raises(RatchetError, match=r"secrets.json is gone.*put a copy of it back"):
        up(settings)
    assert "the only trace" in home.environment.read_text()
    assert not home.secrets.exists()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("policy", '{"mode": "spce"}', "POLICY"),
        ("workloads", "github_activity,gihub", "WORKLOADS=github_activity,gihub: no workload `gihub`"),
        ("events", "/nowhere/at/all", "EVENTS names /nowhere/at/all"),
        ("events", "github:flask", "owner/name"),
        ("events_from", "yesterday", "yesterday"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_before_anything_starts(make_stack, settings, name, value, says):
    odd = make_stack().settings.model_copy(update={"data_home": settings.data_home, name: value})
    with pytest.raises(RatchetError, match=re.escape(says)):
        up(odd)
    assert not settings.home.exists()


def test_clean_deletes_no_folder_that_holds_the_checkout_or_a_persons_home(monkeypatch, tmp_path):
    for name in ("run", "logs", "mine"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "mine"))
    with pytest.raises(RatchetError, match="holds your home too"):
        commands.clean(Settings(_env_file=None, data_home=tmp_path), yes=True)
    assert (tmp_path / "mine").is_dir()


def test_a_start_that_cannot_be_leaves_no_folder(settings, make_stack):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        blocked = make_stack().settings.model_copy(
            update={"data_home": settings.data_home, "router_port": listening.getsockname()[1]}
        )
        with pytest.raises(RatchetError, match="ROUTER_PORT"):
            up(blocked)
    assert not settings.home.exists()


def test_a_home_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RatchetError, match=f"DATA_HOME={tmp_path}/file/home cannot be used: Not a directory"):
        up(Settings(_env_file=None, data_home=tmp_path / "file" / "home"))


@pytest.fixture
def make_in_a_fresh_clone(tmp_path):
    """Runs a target where nothing has been installed, with a Python that has nothing but its own library."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src")
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    (bare / "python3").chmod(0o755)
    environment = {"PATH": f"{bare}:{os.environ['PATH']}"}
    return lambda target: subprocess.run(
        ["make", "--no-print-directory", target],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_host_of_containers_gets_its_secrets_with_nothing_installed(make_in_a_fresh_clone, tmp_path):
    done = make_in_a_fresh_clone("env")
    assert done.returncode == 0, done.stderr
    made = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines() if "=" in line)
    assert set(made) == {*(name.upper() for name in ContainerSettings.secrets()), "PREDICTION_SECRET"}
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("target", ["status", "down", "doctor", "traffic"])
def test_before_anything_is_installed_a_target_says_what_installs_it(make_in_a_fresh_clone, target):
    done = make_in_a_fresh_clone(target)
    assert done.returncode == 2
    assert "nothing is installed here yet: `make up` installs and starts all" in done.stderr
