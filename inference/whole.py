"""Answers that leave a worker in one piece: a worker that is killed has sent all of an answer or nothing of it.

gunicorn writes the headers and the body apart. A kill between the two leaves the router with half an answer, which it has begun to
pass on and can no longer ask the other track for. What gunicorn itself refuses, because it is not HTTP, is told as a problem too.
"""

import socket

import orjson
from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http import wsgi  # type: ignore[import-untyped]


class WholeResponse(wsgi.Response):  # type: ignore[misc]  # gunicorn has no annotations
    """Holds the headers back until there is a body to send them with."""

    headers_sent: bool
    _head = b""

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        """Believe the application where it says that nothing more can be read from this client: gunicorn would not."""
        if ("Connection", "close") in headers:
            self.force_close()
        super().process_headers(headers)

    def send_headers(self) -> None:
        """Prepare the headers; they leave with the first part of the body or, without one, at the end."""
        if not self.headers_sent:
            lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
            self._head = "".join(lines).encode("latin-1")
            self.headers_sent = True

    def can_sendfile(self) -> bool:
        """Files would go out past the headers; nothing here is a file."""
        return False

    def close(self) -> None:
        """End the answer; one without a body is its headers alone."""
        self.send_headers()
        if self._head:
            head, self._head = self._head, b""
            self.sock.sendall(head)
        super().close()

    def _emit_body(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if head and not self.chunked:
            self.sock.sendall(head + data)
            return
        if head:
            self.sock.sendall(head)
        super()._emit_body(data)


def write_problem(client: socket.socket, status: int, reason: str, _message: str) -> None:
    """Refuse a request that is not HTTP: what was wrong with it is in the log, and is not repeated to whoever sent it."""
    slug = reason.lower().replace(" ", "-")
    body = orjson.dumps({"type": f"/problems/{slug}", "title": reason, "status": status})
    head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
    util.write_nonblock(client, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def install() -> None:
    """Have this process answer that way: gunicorn's own place for it is closed to plain HTTP/1."""
    wsgi.Response = WholeResponse
    util.write_error = write_problem
