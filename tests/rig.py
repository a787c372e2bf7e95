"""The serving half of the stack, for fault tests and benchmarks: real PostgreSQL, gunicorn and nginx; a registry that can be told.

The stack's own definitions start every process, so what is tested here is what `make up` runs.
"""

import http.server
import json
import os
import signal
import subprocess
import threading
import time
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import psycopg2

from ratchet.migrations import migrate
from ratchet.register.live import ALIAS_PATH
from ratchet.serve.keys import add_key
from ratchet.serve.split import FlagFileSplit
from ratchet.stack.health import wait_for
from ratchet.stack.paths import ROOT
from ratchet.stack.ports import is_taken
from ratchet.stack.unprivileged import hand_over
from releases import DATA_HOUR, make_release

WORKLOAD = "parcels"
UNLIMITED = {"rate_limit_per_key": 10**9, "rate_limit_per_address": 10**9}
"""Counted, as always, but never refused: for loads that are beyond what one key may ask."""
PREDICT = f"/api/{WORKLOAD}/predict"


class ToldRegistry:
    """Answers MLflow's alias endpoint with what it was told; `aliases` may be changed at any time."""

    def __init__(self, port):
        self.aliases, self.port = {}, port
        self._server = None

    def start(self):
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = registry.answer(self.path)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, path):
        alias = parse_qs(urlsplit(path).query)["alias"][0]
        found = self.aliases.get(alias)
        if not path.startswith(ALIAS_PATH) or found is None:
            return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "Registered model alias not found"}
        return 200, {"model_version": {**found, "aliases": [alias]}}


class Rig:
    """PostgreSQL, a registry, both tracks and the router of one `Stack`, each started when asked for."""

    def __init__(self, stack, *, cores=None):
        self.stack, self.cores = stack, cores or {}
        self.processes, self.logs = {}, []
        self.registry = ToldRegistry(stack.settings.mlflow_port)
        self.postgres = stack.postgres
        self.services = {service.name: service for service in stack.services()}
        self.releases = 0

    @property
    def database(self):
        return self.postgres.uri("ratchet")

    def prepare(self):
        """A migrated database, a key, the rendered configuration and the registry."""
        self.postgres.initialise()
        self.start("postgres")
        wait_for("PostgreSQL", self.postgres.is_ready, timeout=30, look="its log")
        self.postgres.create_database("ratchet")
        migrate(self.database)
        self.key = add_key(self.database, "rig", ["predict"])
        self.operator_key = add_key(self.database, "operator", ["predict", "operate"])
        self.write_configuration()
        self.registry.start()

    def write_configuration(self):
        self.stack.write_configuration()
        hand_over(self.stack.home.run / "router")

    def add_release(self, *, ids=("north/a", "north/b"), **card):
        """Write a release and return its registry entry."""
        self.releases += 1
        release_id = f"r{self.releases}"
        folder = self.stack.home.folder / "artifacts" / release_id
        make_release(folder, release_id=release_id, workload=WORKLOAD, ids=ids, level=10.0 * self.releases, **card)
        tags = {
            "release_id": release_id,
            "location": folder.as_uri(),
            "data_hour": DATA_HOUR.isoformat(),
            "best_of": f"BO{self.releases}",
            "candidate_of": f"CO{self.releases}",
        }
        listed = [{"key": key, "value": value} for key, value in tags.items()]
        return {"name": WORKLOAD, "version": str(self.releases), "tags": listed}

    def share(self, percent):
        FlagFileSplit(self.stack.home.weights).set_share(percent)

    def start(self, name, *, command=None, port=None, **environment):
        """Start a service of the stack; another command or port makes a variant of it."""
        service = self.services[name.split("+")[0]]
        own = {**os.environ, **service.environment, **environment}
        if port:
            own[{"inference-production": "PRODUCTION_PORT", "inference-candidate": "CANDIDATE_PORT"}[service.name]] = (
                str(port)
            )
            own["PROMETHEUS_MULTIPROC_DIR"] = str(self.stack.home.run / f"counts-{name}")
            del own["TRACK_SOCKET"]
        core = self.cores.get(name, self.cores.get(service.name))
        pinned = ["taskset", "-c", str(core)] if core is not None else []
        log = (self.stack.home.logs / f"{name}.log").open("ab")
        self.logs.append(log)
        self.processes[name] = subprocess.Popen(
            [*pinned, *(command or service.command)], env=own, cwd=ROOT, stdout=log, stderr=log
        )
        return self.processes[name]

    def wait(self, address, *, timeout=20, key=None):
        """Return when the address answers 200."""
        end = time.monotonic() + timeout
        while True:
            try:
                with urlopen(Request(address, headers={"X-API-Key": key} if key else {}), timeout=2):
                    return
            except OSError:
                if time.monotonic() > end:
                    raise TimeoutError(address) from None
                time.sleep(0.05)

    def wait_port(self, port, *, timeout=20):
        """Return when somebody listens."""
        end = time.monotonic() + timeout
        while not is_taken(port):
            if time.monotonic() > end:
                raise TimeoutError(port)
            time.sleep(0.05)
        time.sleep(0.5)  # gunicorn listens before its worker is there

    def start_track(self, track, **environment):
        """Start a track and return once it has a release and knows the key."""
        self.start(f"inference-{track}", **environment)
        self.wait_track(getattr(self.stack.settings, f"{track}_port"))

    def wait_track(self, port):
        self.wait(f"http://127.0.0.1:{port}/api/ready")
        self.wait(f"http://127.0.0.1:{port}/api/{WORKLOAD}/release", key=self.key)

    def start_router(self):
        self.start("router")
        self.wait(f"http://127.0.0.1:{self.stack.settings.router_port}/")

    def stop(self, name, how=signal.SIGTERM, *, timeout=20):
        process = self.processes.pop(name)
        if process.poll() is None:
            process.send_signal(how)
        process.wait(timeout=timeout)

    def logged(self):
        """Rows and different prediction ids in the forecast log; nothing while the database is away."""
        connection = psycopg2.connect(self.database, connect_timeout=2)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("SELECT count(*), count(DISTINCT prediction_id) FROM forecasts")
                return cursor.fetchone()
        finally:
            connection.close()

    def hours_logged(self):
        """How many different hours the forecasts of the log are from."""
        connection = psycopg2.connect(self.database, connect_timeout=2)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("SELECT count(DISTINCT date_trunc('hour', at)) FROM forecasts")
                return cursor.fetchone()[0]
        finally:
            connection.close()

    def close(self):
        """Stop everything, users first, the database last."""
        self.registry.stop()
        if "router" in self.processes:  # first: a track waits for the connections that a router holds open
            self.stop("router", signal.SIGQUIT)
        for name in [name for name in self.processes if name != "postgres"]:
            self.stop(name)
        if "postgres" in self.processes:
            self.stop("postgres", signal.SIGINT)
        for log in self.logs:
            log.close()
