"""A connection to PostgreSQL that this end gives up. Where a backend hangs its kernel still acknowledges all: no line ever times out."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812, it is a class


@contextmanager
def hanging_up(connection: Connection, *, after: float) -> Iterator[Callable[[], None]]:
    """Hang up once nothing was heard for so many seconds, and say so in an `OperationalError`. What it gives is to be called on hearing."""
    line = socket.socket(fileno=os.dup(connection.fileno()))
    heard, is_over, has_hung_up = threading.Event(), threading.Event(), threading.Event()

    def listen() -> None:
        while heard.wait(after):
            heard.clear()
            if is_over.is_set():
                return
        has_hung_up.set()
        with suppress(OSError):  # the other end was faster
            line.shutdown(socket.SHUT_RDWR)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield heard.set
    except psycopg2.Error as error:
        if has_hung_up.is_set():
            raise psycopg2.OperationalError(f"timeout expired: nothing was heard for {after:g} s") from error
        raise
    finally:
        is_over.set()
        heard.set()
        listener.join()
        line.close()
