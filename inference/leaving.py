"""How a worker lets go of connections: of one that is silent or slow for long, and of all when it ends. What it has begun it finishes.

gunicorn waits for every connection that is kept alive until `graceful_timeout`, and takes no new one meanwhile. A router keeps idle ones
all the time, so each stop and restart took all of those ten seconds, in which new questions waited in vain. Two seconds it waits for
each client that does not hang up, in the thread that answers forecasts, and for ever, in one of a few, for each that stops speaking.
"""

import math
import socket
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any, Final

from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

SWEEP_SECONDS: Final = 1.0
PIECE: Final = 1 << 16
IDLE_SECONDS: Final = 0.5
"""A connection under traffic has been asked by then, and told with the answer that it closes."""
FAREWELL_SECONDS: Final = 2.0
"""What a client still sends is read for so long: a connection that is closed with words unread is reset, and the answer with it."""


class LeavingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no annotations
    """gunicorn's `gthread`, which lets go of connections without waiting for anybody."""

    _leaves_at: float | None = None
    _sweep_at = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401, whatever gunicorn takes
        """Begin with no request in a thread's hands."""
        super().__init__(*args, **kwargs)
        self._in_hand: dict[TConn, float] = {}

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Do what is there to do; at the end wait for the silent no longer than for a moment."""
        if self.alive:
            super().wait_for_and_dispatch_events(timeout)
            return
        if self._leaves_at is None:
            self._leaves_at = time.monotonic() + IDLE_SECONDS
        super().wait_for_and_dispatch_events(min(timeout, IDLE_SECONDS))
        if time.monotonic() >= self._leaves_at:
            for waiting in (self.keepalived_conns, self.pending_conns):
                while waiting:
                    self._close(waiting.popleft())

    def murder_keepalived(self) -> None:
        """Close what has been silent for too long, and wake up the threads that wait for it: nothing stands in the order of its age."""
        now = time.monotonic()
        if now < self._sweep_at:
            return
        self._sweep_at = now + SWEEP_SECONDS
        for conn in [conn for conn in self.keepalived_conns if conn.timeout <= now]:
            self.let_go(conn)
            self.nr_conns -= 1
            conn.close()
        for conn, since in self._in_hand.copy().items():
            if since + (self.cfg.timeout or math.inf) <= now:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)

    def handle(self, conn: TConn) -> object:
        """Work on a request in a thread: who has not said all of it within `timeout`, or not read the answer, is let go of."""
        self._in_hand[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            del self._in_hand[conn]

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Keep a connection, or have its client hang up."""
        if fs.cancelled() or fs.exception() or (self.alive and fs.result()):
            super().finish_request(conn, fs)
        else:
            self._see_off(conn)

    def let_go(self, conn: TConn) -> None:
        """Watch a connection no more: it is closed, or a thread's."""
        self.poller.unregister(conn.sock)
        self.keepalived_conns.remove(conn)

    def look_last(self, conn: TConn) -> None:
        """Look at a connection after all others: the system names those that are readable in the order in which it met them."""
        self.poller.unregister(conn.sock)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_client_socket_readable, conn))

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:  # noqa: FBT001, gunicorn's
        """Whether to keep a connection: not one whose body nobody has read and nobody can. Its client has been answered already."""
        try:
            return bool(super()._keepalive_after(conn, keepalive))
        except (OSError, ParseException):
            return False

    def _see_off(self, conn: TConn) -> None:
        """Say that nothing more comes, and wait for the client's end among those that are watched."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:  # it is gone
            self.nr_conns -= 1
            conn.close()
            return
        conn.sock.settimeout(0)
        conn.timeout = time.monotonic() + FAREWELL_SECONDS
        self.keepalived_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self._overhear, conn))

    def _overhear(self, conn: TConn, client: socket.socket) -> None:
        with suppress(OSError):
            if client.recv(PIECE):
                return
        self.let_go(conn)
        self.nr_conns -= 1
        conn.close()

    def _close(self, conn: TConn) -> None:
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()
