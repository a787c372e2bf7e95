"""The real thing: gunicorn, its configuration and its worker, with neither database nor registry."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import orjson
import pytest

from ratchet.contracts.ports import Track
from ratchet.serve.cache import ReleaseCache
from ratchet.serve.keys import PREFIX
from releases import make_release, registered

ROOT = Path(__file__).resolve().parents[3]
HEAVY = ["pandas", "mlflow", "sqlalchemy", "prophet", "sklearn", "statsmodels", "statsforecast", "alembic", "duckdb"]
KEY = f"{PREFIX}_0123456789ab_secret"


def environment(home, **more):
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "DATA_HOME": str(home),
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",
        "WORKLOADS": "parcels",
        "PREDICTION_SECRET": "of the tests",
        **more,
    }


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture
def home(tmp_path):
    """What a service that ran before has left: a cached release, its note and the list of keys."""
    make_release(tmp_path / "artifact")
    cache = ReleaseCache(tmp_path / "home" / "cache")
    cache.fetch(registered(tmp_path / "artifact"))
    cache.note_good("parcels", Track.PRODUCTION, registered(tmp_path / "artifact"))
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    row = {"key_id": "0123456789ab", "name": "a user", "scopes": ["predict"], "digest": digest}
    (tmp_path / "home" / "cache" / "keys.json").write_bytes(orjson.dumps([row]))
    return tmp_path / "home"


class Gunicorn:
    """A track served by gunicorn on a free port."""

    def __init__(self, home, **settings):
        self.port = free_port()
        self.started = time.monotonic()
        self.log = (home.parent / "gunicorn.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "inference/gunicorn_conf.py", "inference.wsgi:application()"],
            env=environment(home, PRODUCTION_PORT=str(self.port), **settings),
            cwd=ROOT,
            stdout=self.log,
            stderr=self.log,
        )

    def ask(self, path="/api/parcels/predict", body=None):
        data = json.dumps(body).encode() if body else None
        request = Request(f"http://127.0.0.1:{self.port}{path}", data=data, headers={"X-API-Key": KEY})
        with urlopen(request, timeout=5) as answer:
            return answer.read()

    def first_answer(self):
        """Seconds from the start of the process to its first forecast."""
        deadline = self.started + 20
        while True:
            try:
                self.ask(body={"depot": "north/a", "target": "sent"})
                return time.monotonic() - self.started
            except HTTPError:
                raise
            except OSError:
                assert time.monotonic() < deadline, "no answer"
                time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        self.log.close()


@pytest.fixture
def gunicorn(home):
    server = Gunicorn(home, WEB_WORKERS="2")
    yield server
    server.stop()


def test_serving_loads_nothing_heavy(home):
    code = f"import inference.wsgi, sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(home), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_first_answer_needs_only_the_cache_and_comes_soon(gunicorn):
    assert gunicorn.first_answer() < 5, "alone on two cores it takes about 0.7 s; this bound is for a busy machine"


def test_a_killed_worker_is_replaced_and_neither_counts_nor_log_are_lost(gunicorn, home):
    gunicorn.first_answer()
    for _ in range(30):
        gunicorn.ask(body={"depot": "north/a", "target": "sent"})
    before = figure(gunicorn.ask("/metrics").decode(), "ratchet_requests_total")
    assert before == 31
    for child in children(gunicorn.process.pid):
        os.kill(child, signal.SIGKILL)
    time.sleep(1.5)
    gunicorn.first_answer()
    text = gunicorn.ask("/metrics").decode()
    assert figure(text, "ratchet_requests_total") == before + 1
    assert figure(text, "ratchet_log_spool_records") == before + 1
    assert len(list((home / "run" / "counts-production").glob("counter_*.db"))) <= 3


def figure(text, name):
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(f"{name}{{"))


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_without_a_secret_it_does_not_start(home):
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "inference/gunicorn_conf.py", "inference.wsgi:application()"],
        env=environment(home, PREDICTION_SECRET="", PRODUCTION_PORT=str(free_port())),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode != 0
    assert "PREDICTION_SECRET is not set" in done.stderr
    assert "Traceback" not in done.stderr
