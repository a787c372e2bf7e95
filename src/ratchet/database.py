"""Connections that end where the server says nothing, and what errors become for whoever asked: a line without SQL or passwords."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Final

import psycopg2
from psycopg2.errors import UndefinedTable
from psycopg2.extensions import connection as Connection  # noqa: N812, it is a class
from psycopg2.extensions import cursor as Cursor  # noqa: N812, it is a class

from ratchet.contracts.errors import RatchetError

GRACE_SECONDS: Final = 5.0
"""A server ends a statement at its time limit by itself; who says nothing for so long after it hangs."""
HANGS: Final = "the server hangs"
REASONS: Final = (
    HANGS,
    "Connection refused",
    "timeout expired",
    "could not translate host name",
    "authentication failed",
    "does not exist",
    "starting up",
    "shutting down",
    "too many clients",
    "server closed the connection unexpectedly",
)
"""What is said of a server that cannot be reached, by libpq and here, as far as it is safe to repeat."""


class _Limited(Connection):
    """Each question to the server has a deadline; between them the connection may rest for as long as it likes."""

    silent_seconds: float

    def in_time(self) -> AbstractContextManager[object]:
        """Hang up where the server says nothing to what is asked in this block."""
        return hanging_up(self, after=self.silent_seconds)

    def commit(self) -> None:
        with self.in_time():
            super().commit()

    def rollback(self) -> None:
        if not self.closed:
            with self.in_time():
                super().rollback()


class _Asking(Cursor):
    connection: _Limited

    def execute(self, *asked: Any) -> None:  # noqa: ANN401, as psycopg2 takes it
        with self.connection.in_time():
            super().execute(*asked)

    def fetchmany(self, *asked: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """Rows of a named cursor come from the server."""
        with self.connection.in_time():
            return super().fetchmany(*asked)


def connect(database_url: str, *, connect_seconds: int, statement_seconds: int, session: str = "") -> Connection:
    """A connection that no server can hold for ever: a statement has its seconds, and one that hangs without a word little more."""
    connection = psycopg2.connect(
        database_url,
        connection_factory=_Limited,
        cursor_factory=_Asking,
        connect_timeout=connect_seconds,
        options=f"{session} -c statement_timeout={statement_seconds}s",
    )
    connection.silent_seconds = statement_seconds + GRACE_SECONDS
    return connection


@contextmanager
def hanging_up(connection: Connection, *, after: float) -> Iterator[Callable[[], None]]:
    """Hang up once nothing was heard for so many seconds, and say so in an `OperationalError`. What it gives is to be called on hearing.

    Where a backend hangs its kernel still acknowledges all that is sent: no line ever times out.
    """
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
            raise psycopg2.OperationalError(f"{HANGS}: nothing was heard of it for {after:g} s") from error
        raise
    finally:
        is_over.set()
        heard.set()
        listener.join()
        line.close()


@contextmanager
def clear_errors(what: str) -> Iterator[None]:
    """Have whatever goes wrong with the database in this block said in one line that `what` begins."""
    try:
        yield
    except UndefinedTable as cause:
        raise RatchetError(f"{what} lacks a table: run `ratchet migrate`") from cause
    except psycopg2.Error as cause:
        if cause.pgcode:
            raise RatchetError(f"{what} failed: {summary(cause)}") from cause
        # Not chained: libpq quotes what it cannot read of an address, a password among it.
        raise RatchetError(f"{what} is away: {reason(cause)}") from None


def outline(cause: psycopg2.Error) -> str:
    """Say what went wrong, for a log: of an address that cannot be read libpq repeats all, a password among it."""
    return summary(cause) if cause.pgcode else reason(cause)


def reason(cause: psycopg2.Error) -> str:
    """Why a server cannot be reached."""
    text = str(cause)
    return next(
        (known for known in REASONS if known in text),
        "the server that DATABASE_URL names cannot be used; `ratchet doctor` looks at it",
    )


def summary(cause: psycopg2.Error) -> str:
    """Name the kind of error and PostgreSQL's code for it: its own text may quote the statement."""
    return f"{type(cause).__name__} {cause.pgcode}" if cause.pgcode else type(cause).__name__
