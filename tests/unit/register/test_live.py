import http.server
import json
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from ratchet.contracts.errors import RegistryError
from ratchet.contracts.ports import Track
from ratchet.register.live import MlflowLive

TAGS = [
    {"key": "release_id", "value": "abc"},
    {"key": "location", "value": "s3://bucket/abc"},
    {"key": "data_hour", "value": "2026-03-02T05:00:00+00:00"},
]
HOURLESS = {"key": "data_hour", "value": "yesterday"}
VERSION = {"name": "w", "version": "3", "aliases": ["production"], "tags": TAGS}
ABSENT = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Registered Model with name=w not found"}


@pytest.fixture
def answer():
    """Start a server that gives the one answer it was told to give."""
    told = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            told["asked"] = self.path
            self.send_response(told["status"])
            self.end_headers()
            self.wfile.write(told["body"])

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    def tell(status, body):
        told.update(status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode())
        return MlflowLive(f"http://127.0.0.1:{server.server_address[1]}/behind/a/path/"), told

    yield tell
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_release_behind_the_alias(answer):
    live, told = answer(200, {"model_version": VERSION})
    release = live.live("w", Track.PRODUCTION)
    assert (release.version, release.release_id, release.location) == (3, "abc", "s3://bucket/abc")
    assert release.data_hour == datetime(2026, 3, 2, 5, tzinfo=UTC)
    assert told["asked"].startswith("/behind/a/path/api/2.0/mlflow/registered-models/alias?")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(404, ABSENT, id="no such model"),
        pytest.param(
            400,
            {"error_code": "INVALID_PARAMETER_VALUE", "message": "Registered model alias x not found."},
            id="no such alias",
        ),
    ],
)
def test_none_where_mlflow_says_that_there_is_none(answer, status, body):
    live, _ = answer(status, body)
    assert live.live("w", Track.PRODUCTION) is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(404, b"<html>not found</html>", id="404 of a web server"),
        pytest.param(404, {"detail": "Not Found"}, id="404 of another API"),
        pytest.param(404, {**ABSENT, "message": "Model Version (name=w) not found"}, id="404 of something else"),
        pytest.param(404, {"error_code": "ENDPOINT_NOT_FOUND", "message": "no"}, id="404 of another path"),
        pytest.param(404, {**ABSENT, "error_code": "ENDPOINT_NOT_FOUND"}, id="404 with another code"),
        pytest.param(200, ABSENT, id="absence with status 200"),
        pytest.param(503, ABSENT, id="absence with status 503"),
        pytest.param(400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "Invalid name"}, id="bad request"),
        pytest.param(500, {"error_code": "INTERNAL_ERROR", "message": "oh"}, id="its own failure"),
        pytest.param(302, b"", id="redirect"),
        pytest.param(200, b"", id="nothing"),
        pytest.param(200, [], id="a list"),
        pytest.param(200, {}, id="no version"),
        pytest.param(200, {"model_version": {**VERSION, "tags": [1]}}, id="tags that are none"),
        pytest.param(200, {"model_version": {**VERSION, "tags": []}}, id="a model that is no release"),
        pytest.param(200, {"model_version": {**VERSION, "version": "x"}}, id="no number"),
        pytest.param(200, {"model_version": {**VERSION, "tags": [*TAGS, HOURLESS]}}, id="no hour"),
        pytest.param(200, {"model_version": {**VERSION, "name": "v"}}, id="another model"),
        pytest.param(200, {"model_version": {**VERSION, "aliases": ["candidate"]}}, id="another alias"),
    ],
)
def test_anything_else_is_an_error_and_not_absence(answer, status, body):
    live, _ = answer(status, body)
    with pytest.raises(RegistryError):
        live.live("w", Track.PRODUCTION)


def test_a_registry_that_is_away_is_an_error():
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1:1 is away"):
        MlflowLive("http://127.0.0.1:1", timeout=1).live("w", Track.PRODUCTION)


@pytest.mark.parametrize("uri", ["", "mlruns", "127.0.0.1:5000", "sqlite:///x.db"])
def test_an_address_that_is_no_server_is_refused(uri):
    with pytest.raises(RegistryError, match="not the address"):
        MlflowLive(uri)


def test_serving_pays_for_no_client_library():
    code = "import sys, ratchet.register.live; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"mlflow", "pandas", "requests"} & set(loaded)
