"""How a worker takes in requests: gunicorn's threads, and a short way for plain questions that have arrived whole.

With threads a forecast that takes 0.2 ms is handed from thread to thread three times, and gunicorn's reading of its head costs as much
again. So the thread that watches the connections reads what has come. If that is one whole `POST` whose head is beyond doubt and which
`shortcut` answers, it is answered there and then; if it is the beginning of one, the rest is waited for. Everything else is given back
unread: to gunicorn it is as if nobody had looked.
"""

import socket
import time
from concurrent.futures import Future
from functools import partial
from selectors import EVENT_READ
from typing import Any, Final
from weakref import WeakSet

from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from inference.arrivals import Arrivals
from inference.entering import EnteringWorker
from inference.plain import read_plain, send_rest, write_plain
from inference.round import LARGE, Round
from inference.shortcut import Shortcut

NOTHING_YET: Final = b""


class Worker(EnteringWorker):
    """gunicorn's `gthread`, which looks at each request first; an application without a `Shortcut` is served as ever."""

    _shortcut: Shortcut | None = None
    _round: Round[TConn]
    _arrivals: Arrivals
    _askers_of_batches: WeakSet[TConn]
    _had_batch = False  # since the connections were last looked at

    def load_wsgi(self) -> None:
        """Load the application, and find its short way."""
        super().load_wsgi()
        way = getattr(self.wsgi, "wsgi_app", None)
        if isinstance(way, Shortcut) and not self.cfg.is_ssl:
            self._shortcut, self._round = way, Round(way.log)
            self._arrivals, self._askers_of_batches = Arrivals(), WeakSet()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Do what is there to do, then send what has been answered meanwhile."""
        try:
            super().wait_for_and_dispatch_events(timeout)
        finally:
            self._end_round()
            self._had_batch = False

    def on_pending_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Answer the first request of a connection here, or pass it on."""
        reply = self._answer(conn)
        if reply is None:
            super().on_pending_socket_readable(conn, client)
        if not reply:
            return
        self.pending_conns.remove(conn)
        self.keepalived_conns.append(conn)
        self.poller.modify(client, EVENT_READ, partial(self.on_client_socket_readable, conn))
        self._reply(conn, reply)

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Answer another request of a connection here, or pass it on."""
        if self._had_batch and conn in self._askers_of_batches:
            return  # one batch at a time, so that nobody waits for many; it is still readable when all have been looked at
        reply = self._answer(conn)
        if reply is None:
            super().on_client_socket_readable(conn, client)
        elif reply:
            self._reply(conn, reply)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Go on with what a client sent without waiting, which has been read with the request before it."""
        if self.alive and _is_kept(fs) and conn.parser and conn.parser.unreader.buf.tell():
            self.enqueue_req(conn)
        else:
            super().finish_request(conn, fs)

    def _answer(self, conn: TConn) -> bytes | None:
        """Answer what a connection says, with nothing if it has more to say; None leaves every byte of it to who reads it next."""
        if self._shortcut is None or (conn.parser and conn.parser.unreader.buf.tell()):
            return None
        started = time.perf_counter()
        said, is_new = self._arrivals.take(conn)
        question = read_plain(said) if self.alive else None
        if question is not None:
            environ, body = question
            # Who comes by the socket has no address; the router says whom it speaks for.
            environ["REMOTE_ADDR"] = conn.client[0] if conn.client else ""
            answered = self._shortcut.answer(environ, body, started, self._round)
            if answered is not None:
                return write_plain(*answered)
        elif self.alive and is_new and self._arrivals.wait(conn, said):
            return NOTHING_YET
        if said:
            conn.init()
            conn.parser.unreader.unread(said)
        return None

    def _reply(self, conn: TConn, reply: bytes) -> None:
        """Answer as soon as the log has it, which others may share a write with."""
        if self._round.add(conn, reply):
            self._end_round()
        if len(reply) >= LARGE:
            self._had_batch = True
            self._askers_of_batches.add(conn)

    def _end_round(self) -> None:
        if self._shortcut is not None:
            for conn, reply in self._round.end():
                self._send(conn, reply)

    def _send(self, conn: TConn, reply: bytes) -> None:
        """Send without waiting; what does not fit into the client's window is a thread's to wait for."""
        try:
            sent = conn.sock.send(reply)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.let_go(conn)
            self.nr_conns -= 1
            conn.close()
            return
        if sent == len(reply):
            conn.set_timeout()
            if len(reply) >= LARGE:
                self.look_last(conn)
            return
        self.let_go(conn)
        sending = self.tpool.submit(send_rest, conn.sock, reply[sent:])
        sending.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))


def _is_kept(done: Future[Any]) -> bool:
    return not done.cancelled() and done.exception() is None and done.result() is True
