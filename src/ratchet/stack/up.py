"""`make up`: from nothing to a first forecast, each step shown; nothing half-started stays behind."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from ratchet.contracts.errors import RatchetError
from ratchet.settings import Settings
from ratchet.stack import environment, first_turn, preflight, secrets, table
from ratchet.stack.health import wait_for_service
from ratchet.stack.paths import ROOT, Home
from ratchet.stack.postgres import DATABASES
from ratchet.stack.progress import Progress
from ratchet.stack.services import Stack, tool
from ratchet.stack.supervised import Supervisor

_READY_SECONDS = 120


def up(settings: Settings) -> None:
    """Start the whole loop, or say that it runs; on any failure stop what was started and say why."""
    home = Home(settings.home)
    supervisor = Supervisor(home)
    if supervisor.is_running():
        print("Ratchet runs already; nothing was changed. `make status` shows it, `make down` stops it.")
        return
    stack = _prepare(settings, home, supervisor)
    progress = Progress()
    try:
        start(stack, supervisor, progress)
        keys = first_turn.keys(stack)
        if not home.first_turn.exists():
            first_turn.run(stack, progress)
            home.first_turn.touch()
        else:
            first_turn.wait_for_forecast(stack, progress)
    except BaseException:
        progress.note("stopping what was started …")
        supervisor.shut_down()
        raise
    table.show(stack, keys)


def _prepare(settings: Settings, home: Home, supervisor: Supervisor) -> Stack:
    """The stack, once nothing stands in its way; a home that was made for a start that cannot be is taken back."""
    fresh = not home.folder.exists()
    home.prepare()
    stopped = supervisor.stop_leftovers()
    if stopped:
        print(f"stopped {stopped} processes that a killed supervisor had left behind")
    stack = Stack(settings=settings, secrets=secrets.load(home.secrets), home=home)
    found = preflight.problems(home, stack.services(), bind=settings.bind)
    if found:
        if fresh:
            shutil.rmtree(home.folder)
        raise RatchetError("\n".join(found))
    return stack


def start(stack: Stack, supervisor: Supervisor, progress: Progress) -> None:
    """Start every service and return when all of them can be used."""
    stack.write_configuration()
    environment.write(stack.home, environment.shared(stack.settings, stack.secrets, stack.postgres))
    (stack.home.airflow / "passwords.json").write_text(json.dumps({"admin": stack.secrets.airflow_password}))
    (stack.home.airflow / "passwords.json").chmod(0o600)
    for track in ("production", "candidate"):
        (stack.home.run / f"metrics-{track}").mkdir(exist_ok=True)
    with progress.step("PostgreSQL"):
        stack.postgres.initialise()
        supervisor.configure(stack.services())
        supervisor.start_daemon()
        supervisor.start("postgres")
        stack.postgres.wait_until_ready(timeout=30)
        for name in DATABASES:
            stack.postgres.create_database(name)
    rest = [service for service in stack.services() if service.name != "postgres"]
    early = [service for service in rest if not service.name.startswith("airflow")]
    with progress.step("migrate the databases"), ThreadPoolExecutor() as pool:
        supervisor.start("mlflow")
        list(
            pool.map(
                lambda command: _run(command, stack),
                ([sys.executable, "-m", "ratchet", "migrate"], [tool("airflow"), "db", "migrate"]),
            )
        )
    with progress.step(f"start {', '.join(service.name for service in rest)}"), ThreadPoolExecutor(len(rest)) as pool:
        for service in (*early, *(service for service in rest if service not in early)):
            supervisor.start(service.name)
        list(pool.map(lambda service: wait_for_service(service, timeout=_READY_SECONDS), rest))


def _run(command: list[str], stack: Stack) -> None:
    """Run a command of the stack's to its end; its last line is the error, its whole output is in the logs."""
    log = stack.home.logs / "migrate.log"
    done = subprocess.run(command, cwd=ROOT, env=stack.airflow_environment, capture_output=True, text=True, check=False)
    with log.open("a") as stream:
        stream.write(done.stdout + done.stderr)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise RatchetError(f"{' '.join(command[-2:])} failed: {last[-1]} (all of it: {log})")
