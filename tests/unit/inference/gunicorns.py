"""The real thing: gunicorn, its configuration and its worker, with neither database nor registry."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import orjson

from ratchet.contracts.ports import Track
from ratchet.serve.cache import ReleaseCache
from ratchet.serve.keys import PREFIX
from releases import make_release, registered

ROOT = Path(__file__).resolve().parents[3]
KEY = f"{PREFIX}_0123456789ab_secret"

PATH = "/api/parcels/predict"
BODY = b'{"depot": "north/a", "target": "sent"}'
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: here\r\nX-API-Key: {KEY}\r\n".encode()
PLAIN = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


def with_lines(*lines, body=BODY, head=HEAD):
    return head + b"".join(line + b"\r\n" for line in lines) + b"Content-Length: %d\r\n\r\n" % len(body) + body


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


def leave_home(folder):
    """What a service that ran before has left: a cached release, its note and the list of keys."""
    make_release(folder / "artifact")
    cache = ReleaseCache(folder / "home" / "cache")
    cache.fetch(registered(folder / "artifact"))
    cache.note_good("parcels", Track.PRODUCTION, registered(folder / "artifact"))
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    row = {"key_id": "0123456789ab", "name": "a user", "scopes": ["predict"], "digest": digest}
    (folder / "home" / "cache" / "keys.json").write_bytes(orjson.dumps([row]))
    return folder / "home"


class Gunicorn:
    """A track served by gunicorn on a free port."""

    def __init__(self, home, most_files=None, **settings):
        self.port = free_port()
        self.started = time.monotonic()
        limited = ["/bin/sh", "-c", f'ulimit -Sn {most_files}; exec "$0" "$@"'] if most_files else []
        self.log = (home.parent / "gunicorn.log").open("wb")
        self.process = subprocess.Popen(
            [
                *limited,
                sys.executable,
                "-m",
                "gunicorn",
                "-c",
                "inference/gunicorn_conf.py",
                "inference.wsgi:application()",
            ],
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


def connect(track):
    return socket.create_connection(("127.0.0.1", track.port), timeout=5)


def read_answer(client, buffer=b""):
    """Return one answer's status, headers and body, and what came after it."""
    while b"\r\n\r\n" not in buffer:
        more = client.recv(1 << 16)
        assert more, f"hung up after {buffer!r}"
        buffer += more
    head, _, body = buffer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += client.recv(1 << 16)
    length = int(headers["content-length"])
    return int(first.split()[1]), headers, body[:length], body[length:]
