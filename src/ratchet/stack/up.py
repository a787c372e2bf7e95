"""`make up`: from nothing to a first forecast, each step shown; nothing half-started stays behind."""

import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from ratchet.contracts.errors import RatchetError
from ratchet.settings import Settings
from ratchet.stack import airflow_database, api_keys, environment, first_turn, preflight, secrets, sense, table, turn
from ratchet.stack.health import NotReadyError, wait_for, wait_for_service
from ratchet.stack.paths import ROOT, Home
from ratchet.stack.postgres import DATABASES
from ratchet.stack.progress import Progress
from ratchet.stack.services import Service, Stack, tool
from ratchet.stack.supervised import Supervisor

_READY_SECONDS = 120
_BUSY_SECONDS = 600


def up(settings: Settings) -> None:
    """Start the whole loop, or say that it runs; on any failure stop what was started and say why."""
    home = Home(settings.home)
    fresh = not home.folder.exists()
    try:
        home.prepare()
    except OSError as error:
        raise RatchetError(
            f"DATA_HOME={home.folder} cannot be used: {error.strerror}; set another one in .env"
        ) from error
    supervisor = Supervisor(home)
    with turn.alone(home), turn.told_to_end():
        if supervisor.is_running() and home.first_turn.exists() and supervisor.has_started_all():
            print("Ratchet runs already; nothing was changed. `make status` shows it, `make down` stops it.")
            return
        stack = Stack(settings=settings, secrets=_secrets(home), home=home)
        if supervisor.is_running():
            print("An earlier `make up` was interrupted; going on from where it was.")
        else:
            _check(stack, supervisor, fresh=fresh)
        keys = _start_and_turn(stack, supervisor)
    table.show(stack, keys)


def _secrets(home: Home) -> secrets.Secrets:
    """The home's own, made with it: new ones beside databases that open with the old would lose the old ones' traces too."""
    if not home.secrets.exists() and (home.postgres / "data" / "PG_VERSION").exists():
        raise RatchetError(
            f"{home.secrets} is gone, and the databases beside it open with what it held: {secrets.MEND}"
        )
    return secrets.load(home.secrets)


def _start_and_turn(stack: Stack, supervisor: Supervisor) -> api_keys.Keys:
    progress = Progress()
    try:
        start(stack, supervisor, progress)
        keys = api_keys.of_home(stack.home, stack.shared_environment)
        if stack.home.first_turn.exists():
            first_turn.wait_for_forecast(stack, progress)
        else:
            first_turn.run(stack, progress, still=supervisor.states)
            stack.home.first_turn.touch()
    except BaseException:
        progress.note("stopping what was started …")
        supervisor.shut_down()
        raise
    return keys


def _check(stack: Stack, supervisor: Supervisor, *, fresh: bool) -> None:
    """Nothing stands in the way, or a `RatchetError` with all that does; a home made for a start that cannot be is taken back."""
    stopped = supervisor.stop_leftovers()
    if stopped:
        print(f"stopped {stopped} processes that a killed supervisor had left behind")
    found = [
        *sense.problems(stack.settings, sense.HERE),
        *preflight.moved(stack.home, stack.settings.artifact_root),
        *preflight.problems(stack.home, stack.services(), bind=stack.settings.bind),
    ]
    if found:
        if fresh:
            shutil.rmtree(stack.home.folder)
        raise RatchetError("\n".join(found))


def start(stack: Stack, supervisor: Supervisor, progress: Progress) -> None:
    """Start every service and return when all of them can be used."""
    stack.write_configuration()
    environment.write(stack.home, environment.shared(stack.settings, stack.secrets, stack.postgres))
    passwords = stack.home.airflow / "passwords.json"
    secrets.write_closed(passwords, json.dumps({"admin": stack.secrets.airflow_password}))
    for track in ("production", "candidate"):
        (stack.home.run / f"metrics-{track}").mkdir(exist_ok=True)
    with progress.step("PostgreSQL"):
        stack.postgres.initialise()
        stack.postgres.unlock()
        supervisor.configure(stack.services())
        if not supervisor.is_running():
            supervisor.start_daemon()
        supervisor.start("postgres")
        wait_for(
            "PostgreSQL",
            stack.postgres.is_ready,
            timeout=_READY_SECONDS,
            look="`make logs S=postgres`",
            still=supervisor.states,
        )
        for name in DATABASES:
            stack.postgres.create_database(name)
    rest = [service for service in stack.services() if service.name != "postgres"]
    early = [service for service in rest if not service.name.startswith("airflow")]
    with progress.step("migrate the databases"), ThreadPoolExecutor() as pool:
        supervisor.start("mlflow")
        at_work = (
            pool.submit(_run, [sys.executable, "-m", "ratchet", "migrate"], stack),
            pool.submit(_migrate_airflow, stack),
        )
        for one in at_work:
            one.result()
    parts = ", ".join(dict.fromkeys(service.name.partition("-")[0] for service in rest))
    with progress.step(f"start {parts}"):
        for service in (*early, *(service for service in rest if service not in early)):
            supervisor.start(service.name)
        for service in rest:
            _wait_for(service, supervisor)


def _wait_for(service: Service, supervisor: Supervisor) -> None:
    """Return once it can be used: as long as one and the same process is at it, a busy machine may take longer than any other."""
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        pid = supervisor.pid(service.name)
        try:
            return wait_for_service(service, timeout=_READY_SECONDS, still=supervisor.states)
        except NotReadyError:
            if time.monotonic() > end or not pid or supervisor.pid(service.name) != pid:
                raise


def _migrate_airflow(stack: Stack) -> None:
    database, mark = stack.postgres.uri("airflow"), stack.home.airflow / "migrated.json"
    if not airflow_database.is_migrated(database, mark):
        _run([tool("airflow"), "db", "migrate"], stack)
        airflow_database.remember_migrated(database, mark)


def _run(command: list[str], stack: Stack) -> None:
    """Run a command of the stack's to its end; its last line is the error, its whole output is in the logs."""
    log = stack.home.logs / "migrate.log"
    done = subprocess.run(command, cwd=ROOT, env=stack.airflow_environment, capture_output=True, text=True, check=False)
    with log.open("a") as stream:
        stream.write(done.stdout + done.stderr)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise RatchetError(f"{' '.join(command[-2:])} failed: {last[-1]} (all of it: {log})")
