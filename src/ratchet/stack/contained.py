"""One part of the stack in a container: `python -m ratchet.stack.contained SERVICE` becomes it.

It finds in its environment what `make up` would give it on a laptop, made by the same functions; compose files and the cloud name only
settings. A setting that is missing or still `changeme` ends the start with one line that names it.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from ratchet.contracts.errors import RatchetError
from ratchet.settings import Settings, complaint
from ratchet.stack import environment, templates
from ratchet.stack.container_settings import AIRFLOW_SECRETS, ContainerSettings, database_uri
from ratchet.stack.paths import ROOT, Home
from ratchet.stack.secrets import Secrets, write_closed

COMMANDS: Final[Mapping[str, Sequence[str]]] = {
    "airflow-api-server": ["airflow", "api-server"],
    "airflow-scheduler": ["airflow", "scheduler"],
    "airflow-dag-processor": ["airflow", "dag-processor"],
    "airflow-worker": ["airflow", "celery", "worker"],
    "guard": ["ratchet", "guard"],
    "reports": ["ratchet", "reports"],
    "dask-scheduler": ["dask", "scheduler", "--host", "0.0.0.0", "--port", "8786", "--no-dashboard"],  # noqa: S104  # in a container
    "dask-worker": ["dask", "worker", "--nthreads", "1", "--no-dashboard", "--local-directory", "/tmp"],  # noqa: S108  # a tmpfs of its own
}
"""What each long-running service becomes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Become the service, or do a one-shot job and end with 0; 1 with one clear line if it cannot be."""
    once: dict[str, Callable[[Settings, ContainerSettings], None]] = {
        "check": check,
        "init": initialise,
        "first-turn": first_turn,
        "monitoring-config": configure_monitoring,
    }
    parser = argparse.ArgumentParser(prog="contained", description=__doc__)
    parser.add_argument("service", choices=[*once, *COMMANDS])
    service = parser.parse_args(arguments).service
    try:
        settings, more = Settings.load(), ContainerSettings.load()
        if service in once:
            once[service](settings, more)
            return 0
        become(service, settings, more)
    except ValidationError as problem:
        print(f"ratchet: {service} does not start: {complaint(problem)}", file=sys.stderr)
    except RatchetError as problem:
        print(f"ratchet: {service} does not start: {problem}", file=sys.stderr)
    return 1


def check(settings: Settings, more: ContainerSettings) -> None:
    """Return if settings make sense, and every secret that any container needs is one's own and can stand where it has to."""
    from ratchet.stack import sense  # noqa: PLC0415  # pulls in workloads, which no other service here needs

    more.require(*more.secrets())
    more.require_plain("postgres_password", "redis_password", "split_salt")
    if not settings.prediction_secret.get_secret_value() or not settings.database:
        raise RatchetError(
            "PREDICTION_SECRET and DATABASE_URL must be set: `make env` writes a .env with secrets of its own"
        )
    if problems := list(sense.problems(settings, sense.ELSEWHERE)):
        raise RatchetError("; ".join(problems))


def initialise(settings: Settings, more: ContainerSettings) -> None:
    """Make what is missing of the databases and bring all of them to this version; twice equals once."""
    import subprocess  # noqa: PLC0415  # only this job runs other programs and comes back

    from ratchet.migrations import migrate  # noqa: PLC0415  # Alembic takes a second, and only this job needs it
    from ratchet.stack import api_keys  # noqa: PLC0415
    from ratchet.stack.postgres import DATABASES, create_database  # noqa: PLC0415

    more.require("airflow_password", *AIRFLOW_SECRETS)
    home = Home(settings.home)
    home.prepare()
    for name in DATABASES:
        create_database(database_uri(settings.database, "postgres"), name)
    migrate(settings.database)
    passwords = home.airflow / "passwords.json"
    write_closed(passwords, json.dumps({"admin": more.airflow_password.get_secret_value()}))
    done = subprocess.run(["airflow", "db", "migrate"], env=_environment("init", settings, more), check=False)
    if done.returncode:
        raise RatchetError("`airflow db migrate` failed; its own words are above")
    api_keys.of_home(home, os.environ)  # the exporter asks the operators' API
    print("the databases ratchet, airflow and mlflow are there and up to date")


def first_turn(settings: Settings, more: ContainerSettings) -> None:
    """Have Airflow make what is missing of: a release in production and, where a candidate container is, one on trial."""
    from ratchet.stack import contained_turn  # noqa: PLC0415  # pulls in workloads, which no other service here needs

    more.require("airflow_password")
    contained_turn.run(settings, more)


def configure_monitoring(settings: Settings, _: ContainerSettings) -> None:
    """Leave what Prometheus reads in the data folder: the laptop's template with the containers' addresses, and the rules."""
    values = {
        "PRODUCTION": "inference-production:6001",
        "CANDIDATE": "inference-candidate:6002",
        "PROMETHEUS": "prometheus:9090",
        "ALERTMANAGER": "alertmanager:9093",
        "REPORTS": "reports:9108",
        "EXPORTER": "exporter:9109",
        "RULES": "rules.yml",
    }
    source = ROOT / "monitoring" / "prometheus"
    shutil.copyfile(source / "rules.yml", settings.home / "rules.yml")
    templates.render(source / "prometheus.yml.template", values, settings.home / "prometheus.yml")
    find_by_name(settings.home / "prometheus.yml")


def find_by_name(path: Path) -> None:
    """Have Prometheus ask the names of the tracks again and again, and scrape every container that answers to one."""
    import yaml  # noqa: PLC0415  # comes with Airflow, in whose image this runs

    configuration = yaml.safe_load(path.read_text())
    (inference,) = [job for job in configuration["scrape_configs"] if job["job_name"] == "inference"]
    named = []
    for static in inference.pop("static_configs"):
        (target,), part = static["targets"], static["labels"]["part"]
        name, _, port = target.partition(":")
        labels = [{"target_label": key, "replacement": value} for key, value in (("job", "inference"), ("part", part))]
        found = {"dns_sd_configs": [{"names": [name], "type": "A", "port": int(port), "refresh_interval": "5s"}]}
        named.append({**inference, "job_name": part, **found, "relabel_configs": labels})
    others = [job for job in configuration["scrape_configs"] if job["job_name"] != "inference"]
    path.write_text(yaml.safe_dump({**configuration, "scrape_configs": [*named, *others]}, sort_keys=False))


def become(service: str, settings: Settings, more: ContainerSettings) -> None:
    """Replace this process by the service."""
    if service.startswith("airflow"):
        more.require(*AIRFLOW_SECRETS)
    command = COMMANDS[service]
    if service == "dask-worker":
        command = [*command, settings.dask_scheduler_address]
    os.execvpe(command[0], list(command), _environment(service, settings, more))  # noqa: S606  # becomes the service


def _environment(service: str, settings: Settings, more: ContainerSettings) -> dict[str, str]:
    """This container's own environment and, for Airflow, what `make up` gives it, with neighbours where compose puts them."""
    if not service.startswith(("airflow", "init")):
        return dict(os.environ)
    home = Home(settings.home)
    made = environment.airflow(
        settings,
        _secrets(settings, more),
        database_uri(settings.database, "airflow", driver="postgresql+psycopg2"),
        home,
        address=settings.airflow,
    )
    extra = {
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "True",
        "AIRFLOW__METRICS__STATSD_ON": str(bool(more.statsd_host)),
    }
    extra |= {"AIRFLOW__METRICS__STATSD_HOST": more.statsd_host}
    if broker := more.celery_broker_url.get_secret_value():
        result = database_uri(settings.database, "airflow", driver="db+postgresql+psycopg2")
        extra |= {"AIRFLOW__CORE__EXECUTOR": "CeleryExecutor", "AIRFLOW__CELERY__BROKER_URL": broker}
        extra |= {"AIRFLOW__CELERY__RESULT_BACKEND": result, "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2"}
    return {**os.environ, **made, **extra}


def _secrets(settings: Settings, more: ContainerSettings) -> Secrets:
    return Secrets(
        postgres_password=more.postgres_password.get_secret_value(),
        prediction_secret=settings.prediction_secret.get_secret_value(),
        airflow_password=more.airflow_password.get_secret_value(),
        airflow_jwt_secret=more.airflow_jwt_secret.get_secret_value(),
        airflow_fernet_key=more.airflow_fernet_key.get_secret_value(),
        airflow_secret_key=more.airflow_secret_key.get_secret_value(),
        split_salt=more.split_salt.get_secret_value(),
    )


if __name__ == "__main__":
    sys.exit(main())
