"""How a worker takes connections in. Where there is no room for another one, whoever has been silent for longest makes room.

gunicorn would take in nobody until a silent connection has been there for long enough, and where the system gives a worker no more files
it would end, with all that it had in hand.
"""

import socket
import time
from functools import partial
from operator import attrgetter
from selectors import EVENT_READ
from typing import Final

from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from inference.leaving import LeavingWorker
from inference.logs import Seldom

AGAIN_SECONDS: Final = 1.0
"""Until a worker that was given no more files asks for more than it had then."""


class EnteringWorker(LeavingWorker):
    """gunicorn's `gthread`, whose door nobody shuts by being silent."""

    _trouble = Seldom(__name__, "a connection was not taken in")
    _as_many_as_ever_at = 0.0

    def accept(self, listener: socket.socket) -> None:
        """Take a connection in and watch it: a thread is only for one that has said something."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # another worker has it, or it is gone again
            return
        except OSError as error:
            self._trouble.tell(error)
            self.worker_connections, self._as_many_as_ever_at = self.nr_conns, time.monotonic() + AGAIN_SECONDS
            return
        self.nr_conns += 1
        conn = TConn(self.cfg, client, address, listener.getsockname())
        conn.set_timeout()
        self.pending_conns.append(conn)
        self.poller.register(client, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def murder_keepalived(self) -> None:
        """Close what has been silent for too long and, where there is no room, what has been for longest."""
        super().murder_keepalived()
        if self.nr_conns < self.worker_connections:
            return
        if time.monotonic() >= self._as_many_as_ever_at:
            self.worker_connections = self.cfg.worker_connections
        if self.nr_conns >= self.worker_connections:
            self._make_room()

    def _make_room(self) -> None:
        """Between two rounds of events: nobody has a question or an answer of such a connection in hand."""
        silent = [*self.pending_conns, *self.keepalived_conns]
        if silent:
            longest = min(silent, key=attrgetter("timeout"))
            (self.pending_conns if longest in self.pending_conns else self.keepalived_conns).remove(longest)
            self._close(longest)
