"""A small web server for tests that answers what a function says, and remembers what it was asked; and a wait for a real one."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from urllib.request import urlopen

import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """By lower-case name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer; with `broken_after` the connection ends after so many bytes of a body whose whole length was announced."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    broken_after: int | None = None


@dataclass(slots=True)
class Web:
    """A running server."""

    address: str
    asked: list[Asked]


@contextmanager
def serve(answer: Callable[[Asked], Reply]) -> Iterator[Web]:
    """Serve on a free port of this machine until the block ends."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Asked(path=parts.path, query=dict(parse_qsl(parts.query)), headers=headers)
            asked.append(request)
            reply = answer(request)
            self.send_response_only(reply.status)  # without the date, which is not that of a test's clock
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body[: reply.broken_after])
            if reply.broken_after is not None:
                self.close_connection = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Web(address=f"http://127.0.0.1:{server.server_address[1]}", asked=asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def wait_until_ready(url: str, process: subprocess.Popen[bytes], *, seconds: float) -> None:
    """Return once a server that was just started answers; the test fails if its process ends or it takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server of {url} ended at once"
        try:
            with urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"{url} was not ready within {seconds} s")
