"""One short-lived connection per call, and errors that name neither SQL nor passwords."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

import psycopg2
from psycopg2.extensions import cursor

from ratchet.contracts.errors import RatchetError
from ratchet.database import connect, reason, summary

CONNECT_SECONDS: Final = 5
STATEMENT_SECONDS: Final = 30
SESSION: Final = "-c timezone=UTC -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
"""Times come back in UTC whatever the server is set to. Who is gone without a word lets go of a lock in a minute, not in two hours."""


@contextmanager
def transaction(
    database_url: str,
    *,
    what: str,
    error: type[RatchetError],
    connect_seconds: int = CONNECT_SECONDS,
    statement_seconds: int = STATEMENT_SECONDS,
) -> Iterator[cursor]:
    """Open a cursor; its work is committed if the block ends well, else undone. `what` starts each error's message."""
    try:
        connection = connect(
            database_url, connect_seconds=connect_seconds, statement_seconds=statement_seconds, session=SESSION
        )
    except psycopg2.Error as cause:
        # Not chained: libpq quotes what it cannot read of an address, a password among it.
        raise error(f"{what} is away: {reason(cause)}") from None
    with closing(connection), _translated(what, error), connection, connection.cursor() as opened:
        yield opened


@contextmanager
def _translated(what: str, error: type[RatchetError]) -> Iterator[None]:
    try:
        yield
    except psycopg2.Error as cause:
        if isinstance(cause, psycopg2.OperationalError) and not cause.pgcode:  # the connection is lost
            raise error(f"{what} is away: {reason(cause)}") from cause
        raise error(f"{what} failed: {summary(cause)}") from cause
