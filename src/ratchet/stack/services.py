"""Every process of the embedded stack, as data: what it runs, with what, and how one knows that it is ready."""

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ratchet.contracts.errors import RatchetError
from ratchet.settings import Settings
from ratchet.stack import environment, templates
from ratchet.stack.paths import ROOT, Home
from ratchet.stack.postgres import Server
from ratchet.stack.secrets import Secrets
from ratchet.stack.unprivileged import wrap

_NO_LIMIT = 10_000_000
"""Requests a minute that no router can answer: nginx has no word for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One supervised process."""

    name: str
    command: list[str]
    port: int | None = None
    health: str | None = None
    """An address that answers 200 once the service can be used."""
    shows: str = ""
    """What a person finds there."""
    environment: dict[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The settings, secrets and folders that the services are made of."""

    settings: Settings
    secrets: Secrets
    home: Home

    @property
    def postgres(self) -> Server:
        """The embedded PostgreSQL."""
        return Server(
            home=self.home.postgres, port=self.settings.postgres_port, password=self.secrets.postgres_password
        )

    @property
    def shared_environment(self) -> dict[str, str]:
        """What every Ratchet process reads."""
        return {
            **environment.base(self.home),
            **environment.buckets(self.settings),
            **environment.shared(self.settings, self.secrets, self.postgres),
        }

    @property
    def airflow_environment(self) -> dict[str, str]:
        """What Airflow and the tasks that it runs read."""
        database = self.postgres.uri("airflow", driver="postgresql+psycopg2")
        return {
            **environment.sources(self.settings.workloads.split(",")),
            **self.shared_environment,
            **environment.airflow(self.settings, self.secrets, database, self.home),
        }

    def services(self) -> list[Service]:
        """All of them, in the order in which they are started."""
        return [
            self._postgres(),
            self._mlflow(),
            *self._inference(),
            self._router(),
            self._reports(),
            self._prometheus(),
            self._alertmanager(),
            self._exporter(),
            self._dashboard(),
            *self._airflow(),
            self._guard(),
        ]

    def _postgres(self) -> Service:
        return Service(
            name="postgres",
            command=self.postgres.command(bind=self.settings.bind),
            port=self.settings.postgres_port,
            shows="databases ratchet, airflow, mlflow",
            environment=environment.base(self.home),
            stop_signal="INT",
        )

    def _mlflow(self) -> Service:
        port = self.settings.mlflow_port
        command = [
            tool("mlflow"),
            "server",
            "--default-artifact-root",
            self.settings.artifact_root,
            "--no-serve-artifacts",
        ]
        command += ["--host", self.settings.bind, "--port", str(port), "--workers", "1"]
        own = {
            "MLFLOW_BACKEND_STORE_URI": self.postgres.uri("mlflow", driver="postgresql+psycopg2"),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight more processes, for features that nobody here uses
        }
        address = f"http://127.0.0.1:{port}"
        return Service(
            name="mlflow",
            command=command,
            port=port,
            health=f"{address}/health",
            shows="training runs, releases, aliases",
            environment={**environment.base(self.home), **environment.buckets(self.settings), **own},
        )

    def _inference(self) -> list[Service]:
        command = [tool("gunicorn"), "-c", str(ROOT / "inference" / "gunicorn_conf.py"), "inference.wsgi:application()"]
        services = []
        for track, port in (("production", self.settings.production_port), ("candidate", self.settings.candidate_port)):
            own = {
                "TRACK": track,
                "TRACK_SOCKET": str(self.home.track_socket(track)),
                "PROMETHEUS_MULTIPROC_DIR": str(self.home.run / f"metrics-{track}"),
            }
            services.append(
                Service(
                    name=f"inference-{track}",
                    command=command,
                    port=port,
                    health=f"http://127.0.0.1:{port}/api/health",
                    shows=f"the {track} track, /metrics",
                    environment={**self.shared_environment, **own},
                )
            )
        return services

    def _router(self) -> Service:
        run = self.home.run / "router"
        return Service(
            name="router",
            command=wrap([tool("nginx"), "-p", str(run), "-c", str(run / "nginx.conf"), "-g", "daemon off;"]),
            port=self.settings.router_port,
            health=f"http://127.0.0.1:{self.settings.router_port}/",
            shows="predict and feedback, for users",
            environment=environment.base(self.home),
            stop_signal="QUIT",
        )

    def _reports(self) -> Service:
        port = self.settings.reports_port
        return Service(
            name="reports",
            command=[sys.executable, "-m", "ratchet", "reports"],
            port=port,
            health=f"http://127.0.0.1:{port}/health",
            shows="ingest's metrics, quality reports",
            environment=self.shared_environment,
        )

    def _prometheus(self) -> Service:
        port = self.settings.prometheus_port
        command = [
            tool("prometheus"),
            f"--config.file={self.home.run / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.home.folder / 'prometheus'}",
        ]
        command += [
            f"--web.listen-address={self.settings.bind}:{port}",
            "--storage.tsdb.retention.time=15d",
            "--log.level=warn",
        ]
        return Service(
            name="prometheus",
            command=command,
            port=port,
            health=f"http://127.0.0.1:{port}/-/ready",
            shows="live metrics, alerts",
            environment=environment.base(self.home),
        )

    def _alertmanager(self) -> Service:
        port = self.settings.alertmanager_port
        command = [
            tool("prometheus-alertmanager", "alertmanager"),
            f"--config.file={ROOT / 'monitoring/alertmanager/alertmanager.yml'}",
        ]
        command += [
            f"--storage.path={self.home.folder / 'alertmanager'}",
            f"--web.listen-address={self.settings.bind}:{port}",
        ]
        command += ["--cluster.listen-address=", "--log.level=warn"]
        return Service(
            name="alertmanager",
            command=command,
            port=port,
            health=f"http://127.0.0.1:{port}/-/ready",
            shows="alerts that fired (amtool; Prometheus shows them too)",
            environment=environment.base(self.home),
        )

    def _guard(self) -> Service:
        return Service(
            name="guard",
            command=[sys.executable, "-m", "ratchet", "guard"],
            shows="guardrails every minute; moves warm-ups and promotions on",
            environment={**self.shared_environment, **environment.proxies()},  # it tells people of its verdicts
        )

    def _exporter(self) -> Service:
        port = self.settings.exporter_port
        return Service(
            name="exporter",
            command=[sys.executable, "-m", "monitoring.exporter"],
            port=port,
            health=f"http://127.0.0.1:{port}/metrics",
            shows="metrics of nginx, PostgreSQL, Airflow, the loop, this machine",
            environment=self.shared_environment,
        )

    def _dashboard(self) -> Service:
        port = self.settings.dashboard_port
        return Service(
            name="dashboard",
            command=[sys.executable, "-m", "monitoring.dashboard"],
            port=port,
            health=f"http://127.0.0.1:{port}/_stcore/health",
            shows="forecasts, the experiment, models, data, drift, for people",
            environment={**environment.base(self.home), **environment.dashboard(self.settings, self.home)},
        )

    def _airflow(self) -> list[Service]:
        port = self.settings.airflow_port
        health = f"http://127.0.0.1:{port}/api/v2/version"
        parts: dict[str, tuple[list[str], str]] = {
            "api-server": ([], "DAGs: trigger, watch, retry"),
            # The API server reads the logs of tasks from the same disk; their own server would listen on every address.
            "scheduler": (["--skip-serve-logs"], "runs the tasks"),
            "dag-processor": ([], "reads dags/"),
        }
        return [
            Service(
                name=f"airflow-{part}",
                command=[tool("airflow"), part, *options],
                port=port if part == "api-server" else None,
                health=health if part == "api-server" else None,
                shows=what,
                environment=self.airflow_environment,
            )
            for part, (options, what) in parts.items()
        ]

    def write_configuration(self) -> None:
        """Render what nginx, Prometheus and Airflow read."""
        settings, router = self.settings, self.home.run / "router"
        router.mkdir(parents=True, exist_ok=True)
        values = {
            "BIND": settings.bind,
            "ROUTER_PORT": str(settings.router_port),
            "PRODUCTION": f"127.0.0.1:{settings.production_port}",
            "CANDIDATE": f"127.0.0.1:{settings.candidate_port}",
            "REPORTS": f"127.0.0.1:{settings.reports_port}",
            "PROMETHEUS": f"127.0.0.1:{settings.prometheus_port}",
            "ALERTMANAGER": f"127.0.0.1:{settings.alertmanager_port}",
            "EXPORTER": f"127.0.0.1:{settings.exporter_port}",
            "RULES": str(ROOT / "monitoring/prometheus/rules.yml"),
            "SALT": self.secrets.split_salt,
            "PER_ADDRESS": str(min(settings.rate_limit_per_address or _NO_LIMIT, _NO_LIMIT)),
            "TRUSTED": " ".join(f"set_real_ip_from {one};" for one in settings.trusted_proxies.split(",") if one),
            "WEIGHTS": str(self.home.weights),
            "PAGES": str(ROOT / "router" / "pages"),
            "RUN": str(router),
        }
        by_socket = {track.upper(): f"unix:{self.home.track_socket(track)}" for track in ("production", "candidate")}
        nginx = ROOT / "router" / "nginx.conf.template"
        # Who knows the salt knows which track anybody meets.
        templates.render(nginx, values | by_socket, router / "nginx.conf", mode=0o600)
        templates.render(
            ROOT / "monitoring/prometheus/prometheus.yml.template", values, self.home.run / "prometheus.yml"
        )


def tool(*names: str) -> str:
    """The full path of a program: of this environment first, then of the system."""
    beside = Path(sys.executable).parent
    for name in names:
        found = (
            shutil.which(name, path=str(beside))
            or shutil.which(name)
            or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
        )
        if found:
            return found
    raise RatchetError(f"{names[0]} is not installed; `make up` installs it")
