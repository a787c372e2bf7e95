"""How a worker ends: what it has begun it finishes, and nobody's silence keeps it.

gunicorn waits for every connection that is kept alive until `graceful_timeout`, and takes no new one meanwhile. A router keeps idle ones
all the time, so each stop and restart took all of those ten seconds, in which new questions waited in vain.
"""

import time
from typing import Final

from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

IDLE_SECONDS: Final = 0.5
"""A connection under traffic has been asked by then, and told with the answer that it closes."""


class LeavingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no annotations
    """gunicorn's `gthread`, which lets go of idle connections soon after it was told to end."""

    _leaves_at: float | None = None

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

    def _close(self, conn: TConn) -> None:
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()
