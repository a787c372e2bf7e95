"""What each service runs and which settings it gets: the names are those of .env.example, and a test holds them to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ratchet_cloud import alerts
from ratchet_cloud.names import DOMAIN, PUBLIC_SUBNETS

_WEB_WORKERS: Final = "2"
"""Of each task that serves; the loop waits until as many serve what it has moved an alias to."""
_LOOP: Final = {
    "ARTIFACTS": "s3://{bucket}/releases",
    "ARTIFACTS_KMS_KEY": "{key}",
    "BRONZE": "s3://{bucket}/bronze",
    "GOLD": "s3://{bucket}/gold",
    "SILVER": "s3://{bucket}/silver",
    "EVENTS": "sample",
    "EVENTS_FROM": "",
    "EVENTS_TO": "",
    "LAND_AT_ONCE": "4",
    "GOLD_KEEP": "30",
    "RELEASES_KEEP": "12",
    "TRAIN_TASKS": "1",
    "TRAIN_TRIALS": "0",
    "TRAIN_SECONDS": "0",
    "POLICY": "",
    "PUBLIC_URL": f"http://airflow-api-server.{DOMAIN}:8080",
    "WORKLOADS": "github_activity",
    "LOG_RETENTION_DAYS": "90",
    "WEB_WORKERS": _WEB_WORKERS,
    "MLFLOW_TRACKING_URI": "http://mlflow:5000",
    "PROMETHEUS_URL": "http://prometheus:9090",
    "AIRFLOW_URL": "http://airflow-api-server:8080",
    "PRODUCTION_URL": "http://inference-production:6001",
    "CANDIDATE_URL": "http://inference-candidate:6002",
    "DASK_SCHEDULER_ADDRESS": "{dask}",
    "STATSD_HOST": f"exporter.{DOMAIN}",
}
_AIRFLOW_SECRETS: Final = (
    *("DATABASE_URL", "CELERY_BROKER_URL"),
    *("AIRFLOW_JWT_SECRET", "AIRFLOW_FERNET_KEY", "AIRFLOW_SECRET_KEY"),
)
_LOOP_SECRETS: Final = ("DATABASE_URL", "PREDICTION_SECRET", "NOTIFY_URLS", "GITHUB_TOKEN")
_SERVING: Final = {
    "MLFLOW_TRACKING_URI": "http://mlflow:5000",
    "WORKLOADS": "github_activity",
    "POLL_SECONDS": "2",
    "WEB_WORKERS": _WEB_WORKERS,
    "WEB_THREADS": "4",
    "RATE_LIMIT_PER_KEY": "30000",
    "RATE_LIMIT_PER_ADDRESS": "30000",
    "LOG_SPOOL_MAX_MB": "512",
    "LOG_FSYNC": "false",
}
CHOICES: Final = frozenset(
    {
        *("EVENTS", "EVENTS_FROM", "EVENTS_TO", "LAND_AT_ONCE", "GOLD_KEEP", "RELEASES_KEEP", "LOG_RETENTION_DAYS"),
        *("TRAIN_TASKS", "TRAIN_TRIALS", "TRAIN_SECONDS", "POLICY", "WORKLOADS", "PUBLIC_URL", "MLFLOW_PUBLIC_URL"),
        *("POLL_SECONDS", "WEB_WORKERS", "WEB_THREADS", "LOG_SPOOL_MAX_MB", "LOG_FSYNC"),
        *("RATE_LIMIT_PER_KEY", "RATE_LIMIT_PER_ADDRESS"),
    }
)
"""What a stack's configuration may set, as .env may in compose; every service that has the setting gets it."""
_READ: Final = ("s3:GetObject", "s3:ListBucket")
_WRITE: Final = (*_READ, "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One service: its image and command, its settings, its secrets, what it mounts, and what it may do in the bucket and beside it."""

    image: str
    entry: tuple[str, ...] = ()
    """Instead of the image's own."""
    command: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    own: Mapping[str, str] = field(default_factory=dict)
    """What a program that is not ours reads."""
    own_secrets: tuple[str, ...] = ()
    mounts: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    health: tuple[str, ...] = ()
    """What ends with 0 while it is well, as in compose; ECS reads none of an image's own."""
    store: tuple[str, ...] = ()
    alarms: bool = False
    """Whether it may tell whom the alarms tell."""
    scratch: str = ""
    """A folder on the task's own disk; the image declares it as a volume, or only root could write there."""
    first: str = ""
    """What has to be done in the same task before it starts."""


def _asks(port: int, path: str, *, seconds: int = 4) -> tuple[str, ...]:
    question = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{port}{path}', timeout={seconds})"
    return ("python", "-I", "-c", question)


def _loop(*command: str, entry: tuple[str, ...] = (), secrets: tuple[str, ...] = _LOOP_SECRETS) -> Part:
    return Part(
        image="loop",
        entry=entry,
        command=command,
        settings=_LOOP,
        secrets=secrets,
        own={"PGSSLMODE": "require"},
        mounts={"home": "/data", "weights": "/data/router/weights"},
        store=_WRITE,
    )


def _airflow(name: str, **how: Any) -> Part:  # noqa: ANN401  # other fields of Part
    """A part of Airflow, or who prepares or asks it, but runs no task: on workers tasks do what needs the bucket and the loop's secrets."""
    return replace(_loop(name), **{"secrets": _AIRFLOW_SECRETS, "store": (), **how})


def _inference(track: str, port: int) -> Part:
    return Part(
        image="inference",
        settings={**_SERVING, "TRACK": track, "LOOP_HOME": "/loop"},
        secrets=("DATABASE_URL", "PREDICTION_SECRET"),
        own={"PGSSLMODE": "require"},
        mounts={"home": "/loop"},
        port=port,
        health=_asks(port, "/api/health"),
        store=_READ,
        scratch="/data",
    )


CATALOGUE: Final[Mapping[str, Part]] = {
    "inference-production": _inference("production", 6001),
    "inference-candidate": _inference("candidate", 6002),
    "router": Part(
        image="router",
        settings={
            "ROUTER_PORT": "7000",
            "RATE_LIMIT_PER_ADDRESS": _SERVING["RATE_LIMIT_PER_ADDRESS"],
            "TRUSTED_PROXIES": ",".join(PUBLIC_SUBNETS),  # the balancer, which adds whom it heard
        },
        own={"PRODUCTION": f"inference-production.{DOMAIN}:6001", "CANDIDATE": f"inference-candidate.{DOMAIN}:6002"},
        secrets=("SPLIT_SALT",),
        mounts={"weights": "/weights"},
        port=7000,
        health=("curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:7000/"),
    ),
    "mlflow": Part(
        image="mlflow",
        own={
            "MLFLOW_DEFAULT_ARTIFACT_ROOT": "s3://{bucket}/releases",
            "MLFLOW_SERVER_ALLOWED_HOSTS": f"mlflow:5000,mlflow.{DOMAIN}:5000,localhost:*,127.0.0.1:*",
            "PGSSLMODE": "require",
        },
        own_secrets=("MLFLOW_BACKEND_STORE_URI",),
        port=5000,
        health=_asks(5000, "/health"),
        store=_READ,
    ),
    "airflow-api-server": _airflow(
        "airflow-api-server", port=8080, health=_asks(8080, "/api/v2/version"), first="init"
    ),
    "airflow-scheduler": _airflow("airflow-scheduler", health=_asks(8974, "/health")),
    "airflow-dag-processor": _airflow("airflow-dag-processor"),
    "airflow-worker": _loop("airflow-worker", secrets=tuple(dict.fromkeys((*_AIRFLOW_SECRETS, *_LOOP_SECRETS)))),
    "guard": _loop("guard"),
    "dashboard": Part(
        image="dashboard",
        settings={
            "PROMETHEUS_URL": "http://prometheus:9090",
            "MLFLOW_TRACKING_URI": "http://mlflow:5000",
            "WORKLOADS": "github_activity",
            "ROUTER_URL": "http://router:7000",
            "DASHBOARD_KEYS": "",
            "MLFLOW_PUBLIC_URL": f"http://mlflow.{DOMAIN}:5000",
        },
        port=8501,
        health=_asks(8501, "/_stcore/health"),
    ),
    "prometheus": Part(
        image="prometheus",
        command=(
            "--config.file=/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            "--storage.tsdb.retention.time=15d",
            f"--web.external-url=http://prometheus.{DOMAIN}:9090",
        ),
        mounts={"prometheus": "/prometheus"},
        port=9090,
        health=("promtool", "query", "instant", "http://127.0.0.1:9090", "vector(1)"),
        first="monitoring-config",
    ),
    "alertmanager": Part(
        image="alertmanager",
        entry=("/bin/sh", "-c"),
        command=(alerts.COMMAND,),
        own={"CONFIGURATION": alerts.configuration()},
        mounts={"alertmanager": "/alertmanager"},
        port=9093,
        health=("amtool", "--alertmanager.url=http://127.0.0.1:9093", "config", "show"),
        alarms=True,
    ),
    "exporter": Part(
        image="dashboard",
        command=("python", "-m", "monitoring.exporter"),
        settings={
            "MLFLOW_TRACKING_URI": "http://mlflow:5000",
            "AIRFLOW_URL": "http://airflow-api-server:8080",
            "WORKLOADS": "github_activity",
            "ROUTER_URL": "http://router:7000",
            "ROUTER_STATUS_URL": f"http://router.{DOMAIN}:7001/nginx_status",
        },
        secrets=("DATABASE_URL",),
        own={"PGSSLMODE": "require"},
        mounts={"home": "/data", "weights": "/data/router/weights"},
        port=9109,
        health=_asks(9109, "/metrics", seconds=9),
    ),
    "reports": Part(
        image="loop",
        command=("reports",),
        settings={"WORKLOADS": "github_activity"},
        mounts={"home": "/data"},
        port=9108,
        health=_asks(9108, "/health"),
    ),
    "dask-scheduler": Part(
        image="loop",
        command=("dask-scheduler",),
        port=8786,
        health=("python", "-I", "-c", "import socket; socket.create_connection(('127.0.0.1', 8786), 2).close()"),
    ),
    "dask-worker": Part(
        image="loop",
        command=("dask-worker",),
        settings={"DASK_SCHEDULER_ADDRESS": f"tcp://dask-scheduler.{DOMAIN}:8786"},
        store=_READ,
    ),
}
"""Everything that runs for ever."""

ONCE: Final[Mapping[str, Part]] = {
    "init": _airflow("init", secrets=(*_AIRFLOW_SECRETS, "AIRFLOW_PASSWORD")),
    "monitoring-config": Part(image="loop", command=("monitoring-config",), mounts={"prometheus": "/data"}),
    "first-turn": _airflow("first-turn", secrets=("AIRFLOW_PASSWORD",)),
    "ratchet": _loop("keys", "list", entry=("ratchet",)),
}
"""What runs to its end: two before what needs them, each time that starts; by hand `first-turn`, once, and any command of `ratchet`."""
