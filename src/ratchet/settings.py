"""Environment to one frozen `Settings`. Built in `loop`, `inference/wsgi.py`, the dashboard and the stack; nothing happens on import."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ratchet.contracts.errors import RatchetError
from ratchet.contracts.folders import on_this_machine

SECRETS_FOLDER: Final = "/run/secrets"
"""Where Docker and ECS put secrets as files, each named like its setting."""
UNCHANGED: Final = "changeme"
"""What an example may show in a secret's place, and no start accepts."""


Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseSettings):
    """Every setting, its default and what it is for: `.env.example` lists the same ones."""

    model_config = SettingsConfigDict(env_file=".env", frozen=True, extra="ignore", env_ignore_empty=True)

    # Where things are
    data_home: Path = Field(default=Path(".ratchet"), description="all local state")
    loop_home: str = Field(
        default="",
        description="where serving reads what the loop writes (gold, drift reports, notifications); empty: DATA_HOME",
    )
    artifacts: str = Field(
        default="", description="where releases are kept: a folder or s3://…; empty: DATA_HOME/artifacts"
    )
    bronze: str = Field(
        default="", description="where raw files are kept: a folder or s3://bucket/prefix; empty: DATA_HOME/bronze"
    )
    gold: str = Field(
        default="",
        description="where gold is put as well, for other machines: a folder or s3://bucket/prefix; empty: DATA_HOME/gold only",
    )
    silver: str = Field(
        default="",
        description="where silver's tables are kept as Parquet, for other engines: a folder or s3://…; empty: nowhere",
    )
    artifacts_kms_key: str = Field(
        default="",
        description="what goes to S3 (ARTIFACTS, BRONZE, GOLD, SILVER): the KMS key that encrypts it; empty: S3's own key (AES256)",
    )
    bind: str = Field(default="127.0.0.1", description="address that services listen on: 127.0.0.1, or 0.0.0.0 for all")

    # Ports
    router_port: Port = Field(default=7000, description="nginx: predict and feedback go here")
    production_port: Port = Field(default=6001, description="inference, production track")
    candidate_port: Port = Field(default=6002, description="inference, candidate track")
    airflow_port: Port = Field(default=8080, description="Airflow UI and REST API")
    mlflow_port: Port = Field(default=5000, description="MLflow UI and API")
    prometheus_port: Port = Field(default=9090, description="Prometheus")
    alertmanager_port: Port = Field(default=9093, description="Alertmanager")
    reports_port: Port = Field(default=9108, description="ingest's metrics and quality reports")
    exporter_port: Port = Field(default=9109, description="metrics of neighbours (TCP) and Airflow's StatsD (UDP)")
    dashboard_port: Port = Field(default=8501, description="dashboard")
    postgres_port: Port = Field(default=5433, description="embedded PostgreSQL")

    # Neighbours; empty: the embedded ones
    database_url: SecretStr = Field(
        default=SecretStr(""), description="database `ratchet`: postgresql://user:password@host:port/ratchet"
    )
    mlflow_tracking_uri: str = Field(default="", description="MLflow server")
    prometheus_url: str = Field(default="", description="Prometheus")
    candidate_url: str = Field(default="", description="inference of the candidate's track, which the loop warms up")
    router_url: str = Field(default="", description="the router, as the dashboard reaches it")
    router_status_url: str = Field(default="", description="nginx's own figures, as the exporter reaches them")
    airflow_url: str = Field(default="", description="Airflow's API, as the other parts reach it")
    dashboard_keys: str = Field(
        default="",
        description="file with the API keys that the dashboard reads with, as JSON {predict, operate}; empty: people bring their own",
    )

    # The loop
    events: str = Field(
        default="sample",
        description="where raw events come from: `sample`, a folder, an address, or several sources, separated by `;`",
    )
    events_from: str = Field(
        default="", description="first hour to land: 2026-01-31 or 2026-01-31T05, UTC; empty: what the source offers"
    )
    events_to: str = Field(default="", description="last hour to land; empty: the last one that is over")
    land_at_once: int = Field(default=4, ge=1, le=32, description="hours landed at the same time, at most")
    gold_keep: int = Field(
        default=30,
        ge=1,
        description="gold partitions that are kept, besides those that a release here was trained on",
    )
    releases_keep: int = Field(
        default=12,
        ge=1,
        description="releases whose files are kept, the newest of each workload, besides those that are live, compared or may come back",
    )
    train_trials: int = Field(
        default=0, ge=0, description="other settings of its families that a training tries at most; 0: none"
    )
    train_seconds: float = Field(default=0.0, ge=0, description="seconds after which it begins no more; 0: no limit")
    train_tasks: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Airflow tasks that share out a training's validation and trials, each on all cores; 1: training does it itself",
    )
    dask_scheduler_address: str = Field(
        default="", description="the Dask cluster that validates families while training; empty: training's own process"
    )
    policy: str = Field(
        default="",
        description='parameters of the policy that differ here, as JSON: {"mode": "spec"}, or by workload; see docs/deciding.md',
    )

    notify_urls: SecretStr = Field(
        default=SecretStr(""),
        description="who is told of every verdict but hold and extend: addresses as apprise knows them, separated by spaces",
    )
    public_url: str = Field(
        default="", description="Airflow's address as people reach it, for links; empty: this machine's"
    )

    mlflow_public_url: str = Field(
        default="",
        description="MLflow's address as people reach it, for the dashboard's links; empty: MLFLOW_TRACKING_URI",
    )

    # Serving
    workloads: str = Field(default="github_activity", description="workloads to serve, separated by commas")
    track: Literal["production", "candidate"] = Field(default="production", description="the track this process serves")
    prediction_secret: SecretStr = Field(
        default=SecretStr(""), description="signs prediction ids; the same on both tracks; `make up` makes one"
    )
    poll_seconds: float = Field(
        default=2.0, gt=0, le=10, description="how often serving looks for a moved alias and changed keys"
    )
    web_workers: int = Field(default=1, ge=1, le=256, description="gunicorn workers per track")
    web_threads: int = Field(default=4, ge=1, le=1024, description="threads per worker")
    rate_limit_per_key: int = Field(
        default=30_000,
        ge=0,
        le=10**9,
        description="requests a minute for one API key, both tracks together; 0: no limit",
    )
    rate_limit_per_address: int = Field(
        default=30_000,
        ge=0,
        le=10**9,
        description="requests a minute from one address, both tracks together; 0: no limit",
    )
    trusted_proxies: str = Field(
        default="",
        description="who speaks for its clients in X-Forwarded-For: addresses and networks, separated by commas; empty: nobody",
    )
    log_spool_max_mb: int = Field(
        default=512,
        ge=1,
        description="forecasts kept on disk while the database is away; beyond it they are counted as lost",
    )
    log_fsync: bool = Field(
        default=False, description="fsync the spool: survives a power cut too, at the price of latency"
    )
    log_retention_days: int = Field(
        default=90,
        ge=1,
        le=36_500,
        description="whole days that the forecast log, feedback, runs of DAGs and the logs of tasks are kept",
    )

    def __init__(self, **given: Any) -> None:  # noqa: ANN401  # as pydantic has it
        """Read them; a `RatchetError` if a file of them is no text."""
        try:
            super().__init__(**given)
        except UnicodeDecodeError as error:
            raise RatchetError(
                f".env cannot be read: it is not UTF-8 (byte {error.start + 1}); save it as UTF-8"
            ) from error

    @classmethod
    def load(cls) -> Self:
        """Environment first, then `.env`, what a running stack left for shells in its home, and files in /run/secrets."""
        folder = SECRETS_FOLDER if Path(SECRETS_FOLDER).is_dir() else None
        home = cls(_secrets_dir=folder).home
        return cls(_env_file=(home / "stack.env", ".env"), _secrets_dir=folder)

    @field_validator("database_url", "prediction_secret")
    @classmethod
    def _is_of_its_own(cls, value: SecretStr) -> SecretStr:
        """An example's password opens nothing."""
        if UNCHANGED in value.get_secret_value():
            raise ValueError(f"is still `{UNCHANGED}`: `make env` makes secrets of your own")
        return value

    @field_validator("bronze", "gold", "silver")
    @classmethod
    def _is_the_same_everywhere(cls, value: str) -> str:
        """A folder means the same to every service, each of which runs in a folder of its own."""
        return str(on_this_machine(value).resolve()) if value and "://" not in value else value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, value: str) -> str:
        """Each as nginx reads it; who trusts everybody lets each client choose its address."""
        try:
            named = [ip_network(one.strip(), strict=False) for one in value.split(",") if one.strip()]
        except ValueError as error:
            raise ValueError(f"{error}: addresses of proxies, or networks such as 10.0.0.0/8, by commas") from None
        if any(network.prefixlen == 0 for network in named):
            raise ValueError("a network of all addresses would let every client choose its own: name the proxies")
        return ",".join(map(str, named))

    @property
    def home(self) -> Path:
        """`data_home`, absolute."""
        return on_this_machine(self.data_home).resolve()

    @property
    def loop(self) -> Path:
        """`loop_home`, absolute."""
        return on_this_machine(self.loop_home).resolve() if self.loop_home else self.home

    @property
    def artifact_root(self) -> str:
        """Where releases are kept, as MLflow and the serving cache understand it."""
        place = self.artifacts or str(self.home / "artifacts")
        return place if "://" in place else on_this_machine(place).resolve().as_uri()

    @property
    def bronze_root(self) -> str:
        """Where raw files are kept."""
        return self.bronze or str(self.home / "bronze")

    @property
    def database(self) -> str:
        """The connection string of database `ratchet`."""
        return self.database_url.get_secret_value()

    @property
    def tracking_uri(self) -> str:
        """MLflow's address."""
        return self.mlflow_tracking_uri or f"http://127.0.0.1:{self.mlflow_port}"

    @property
    def router(self) -> str:
        """The router's address."""
        return self.router_url or f"http://127.0.0.1:{self.router_port}"

    @property
    def router_status(self) -> str:
        """Where nginx tells its own figures; on this machine the router does."""
        return self.router_status_url or f"{self.router}/nginx_status"

    @property
    def airflow(self) -> str:
        """The address of Airflow's API."""
        return self.airflow_url or f"http://127.0.0.1:{self.airflow_port}"

    @property
    def prometheus(self) -> str:
        """Prometheus' address."""
        return self.prometheus_url or f"http://127.0.0.1:{self.prometheus_port}"

    @property
    def candidate(self) -> str:
        """The address of the candidate's track."""
        return self.candidate_url or f"http://127.0.0.1:{self.candidate_port}"


def complaint(problem: ValidationError) -> str:
    """What is wrong with which settings, in one line and without their values, which may be secrets."""
    found = [(str(one["loc"][0]).upper(), one["msg"]) for one in problem.errors(include_input=False)]
    return "; ".join(f"{name}: {said.removeprefix('Value error, ')}" for name, said in found)
