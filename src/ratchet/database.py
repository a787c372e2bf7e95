"""What a database's errors become for whoever asked: a line without SQL or passwords."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg2
from psycopg2.errors import UndefinedTable

from ratchet.contracts.errors import RatchetError

REASONS: Final = (
    "Connection refused",
    "timeout expired",
    "could not translate host name",
    "authentication failed",
    "does not exist",
    "starting up",
    "shutting down",
    "too many clients",
)
"""What libpq says of a server that cannot be reached, as far as it is safe to repeat."""


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
