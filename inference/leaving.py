"""How a worker lets go of connections: of one that is silent for long, and of all when it ends. What it has begun it finishes.

gunicorn waits for every connection that is kept alive until `graceful_timeout`, and takes no new one meanwhile. A router keeps idle ones
all the time, so each stop and restart took all of those ten seconds, in which new questions waited in vain.
"""

import time
from functools import partial
from selectors import EVENT_READ
from typing import Final

from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

SWEEP_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 0.5
"""A connection under traffic has been asked by then, and told with the answer that it closes."""


class LeavingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no annotations
    """gunicorn's `gthread`, which lets go of idle connections soon after it was told to end."""

    _leaves_at: float | None = None
    _sweep_at = 0.0

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
        """Close what has been silent for too long: they do not stand in the order of their age."""
        now = time.monotonic()
        if now < self._sweep_at:
            return
        self._sweep_at = now + SWEEP_SECONDS
        for conn in [conn for conn in self.keepalived_conns if conn.timeout <= now]:
            self.let_go(conn)
            self.nr_conns -= 1
            conn.close()

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

    def _close(self, conn: TConn) -> None:
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()
