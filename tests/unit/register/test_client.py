"""What is said of an MLflow that cannot be asked: who, and why, in a line."""

import http.server
import socket
import threading
import time

import pytest

from ratchet.contracts.errors import RegistryError
from ratchet.observe.database import STATEMENT_SECONDS
from ratchet.register.client import QUIET
from ratchet.register.mlflow_registry import MlflowRegistry


class Ill(http.server.BaseHTTPRequestHandler):
    """Answers 503, or nothing for a while."""

    def do_GET(self):
        if self.path.startswith("/slow"):
            time.sleep(1.5)
            return
        self.send_response(503)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def ill():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ill)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "why"), [("/busy", "too many 503 error responses"), ("/slow", "Read timed out. (read timeout=1)")]
)
def test_who_is_away_is_named_with_the_reason(ill, path, why, monkeypatch):
    for name, value in (("MAX_RETRIES", "0"), ("BACKOFF_FACTOR", "0"), ("TIMEOUT", "1")):
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", value)
    with pytest.raises(RegistryError) as told:
        MlflowRegistry(f"{ill}{path}").aliased("w")
    assert str(told.value) == f"reading the aliases of w: MLflow at {ill.removeprefix('http://')} is away: {why}"


def test_one_that_never_answers_is_found_in_seconds_and_no_call_of_it_outlasts_those_who_wait_for_the_lock():
    """A look asks for releases again and again, and holds the workload's lock meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        registry, begin = MlflowRegistry(f"http://127.0.0.1:{silent.getsockname()[1]}"), time.monotonic()
        with pytest.raises(RegistryError, match="is away: timed out"):
            registry.releases("w")
    assert time.monotonic() - begin < 8
    tries = 1 + int(QUIET["MLFLOW_HTTP_REQUEST_MAX_RETRIES"])
    assert tries * int(QUIET["MLFLOW_HTTP_REQUEST_TIMEOUT"]) < STATEMENT_SECONDS
