"""What each process of the stack finds in its environment."""

import os
from collections.abc import Iterable, Mapping

from ratchet import workloads
from ratchet.settings import Settings
from ratchet.stack.marks import HOME_MARK
from ratchet.stack.paths import ROOT, Home
from ratchet.stack.postgres import Server
from ratchet.stack.secrets import Secrets, write_closed

_KEPT = (
    *("PATH", "PYTHONPATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy")
_METRICS = (
    "dagrun.duration,dagrun.schedule_delay,task.duration,ti.finish,scheduler_heartbeat,dag_processor_heartbeat,"
    "dag_processing.import_errors,executor"
)
"""Of all that Airflow would send, what `monitoring.exporter.airflow` reads."""


def shared(settings: Settings, secrets: Secrets, postgres: Server) -> dict[str, str]:
    """The settings every Ratchet process reads, with the embedded neighbours filled in."""
    given = settings.model_dump(exclude={"database_url", "notify_urls", "prediction_secret", "track"})
    return {
        **{name.upper(): str(value) for name, value in given.items()},
        "DATA_HOME": str(settings.home),
        "ARTIFACTS": settings.artifact_root,
        "BRONZE": settings.bronze_root,
        "DATABASE_URL": postgres.uri("ratchet"),
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{settings.mlflow_port}",
        "PROMETHEUS_URL": f"http://127.0.0.1:{settings.prometheus_port}",
        "NOTIFY_URLS": settings.notify_urls.get_secret_value(),
        "PREDICTION_SECRET": secrets.prediction_secret,
    }


def airflow(settings: Settings, secrets: Secrets, database: str, home: Home, *, address: str = "") -> dict[str, str]:
    """Airflow's own settings: tasks on this machine, database `airflow`, one user, no examples, nothing sent home."""
    address = address or f"http://127.0.0.1:{settings.airflow_port}"
    return {
        "AIRFLOW_DATABASE_URL": database,  # Airflow hides its own setting from tasks; one of them forgets old runs
        "AIRFLOW_HOME": str(home.airflow),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.airflow_jwt_secret,
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__HOST": settings.bind,
        "AIRFLOW__API__PORT": str(settings.airflow_port),
        "AIRFLOW__API__SECRET_KEY": secrets.airflow_secret_key,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "ratchet.stack.executor.LocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": secrets.airflow_fernet_key,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home.airflow / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home.airflow / "passwords.json"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home.airflow / "logs"),
        # Named, not left to airflow.cfg, which keeps the path that a home had when it was made. `tidy_log` ends what is in it.
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home.airflow / "logs" / "dag_processor"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_LOG_TARGET": "stdout",  # there too
        "AIRFLOW__METRICS__LEGACY_NAMES_ON": "False",
        "AIRFLOW__METRICS__METRICS_ALLOW_LIST": _METRICS,
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_PORT": str(settings.exporter_port),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def dashboard(settings: Settings, home: Home) -> dict[str, str]:
    """Addresses and no secret: browsers talk to it. It reads with this home's keys while only this machine can reach it."""
    mine = settings.bind in ("127.0.0.1", "localhost", "::1")
    return {
        "DATA_HOME": str(settings.home),
        "BIND": settings.bind,
        "DASHBOARD_PORT": str(settings.dashboard_port),
        "DASHBOARD_KEYS": settings.dashboard_keys or (str(home.api_keys) if mine else ""),
        "ROUTER_URL": settings.router,
        "PROMETHEUS_URL": settings.prometheus,
        "MLFLOW_TRACKING_URI": settings.tracking_uri,
        "MLFLOW_PUBLIC_URL": settings.mlflow_public_url,
        "WORKLOADS": settings.workloads,
    }


def base(home: Home) -> dict[str, str]:
    """What any program needs, and the mark that says whose it is. Nothing else of the caller's environment gets in."""
    quiet = {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONUNBUFFERED": "1"}
    return {**_of_the_caller(*_KEPT), **quiet, HOME_MARK: str(home.folder)}


def proxies() -> dict[str, str]:
    """How others on the network are reached, which may hold a password: for who lands data, opens buckets or tells people."""
    return _of_the_caller(*_PROXIES)


def sources(names: Iterable[str]) -> dict[str, str]:
    """What landing raw data may need of the caller's environment: credentials, addresses, proxies."""
    known = set(workloads.names())
    kinds = [kind for name in names if name in known for kind in workloads.find(name).source_kinds]
    return _of_the_caller(*(name for kind in kinds for name in kind.environment)) | proxies() | _aws()


def buckets(settings: Settings) -> dict[str, str]:
    """What boto3 may need of the caller's environment, where anything is kept in S3."""
    places = (settings.artifact_root, settings.bronze_root, settings.gold, settings.silver)
    return _aws() | proxies() if any(place.startswith("s3://") for place in places) else {}


def write(home: Home, values: Mapping[str, str]) -> None:
    """Leave the environment where `ratchet …` in a shell and `Settings` find it."""
    lines = [f"{name}='{_escaped(value)}'" for name, value in sorted(values.items())]
    write_closed(home.environment, "\n".join(["# Written by `make up`. Yours go into .env.", *lines, ""]))


def _of_the_caller(*names: str) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}


def _aws() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
