"""The schema of database `ratchet`, and `migrate`, which brings any database up to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from ratchet.contracts.errors import RatchetError
from ratchet.database import clear_errors, connect

CONNECT_SECONDS: Final = 10
STATEMENT_SECONDS: Final = 3600
"""One statement may make an index of all that was ever logged, or wait for another process that migrates."""
_LOCK: Final = text("SELECT pg_advisory_xact_lock(7261746368657400)")


def migrate(database_url: str, *, to: str = "head") -> None:
    """Bring the database to the newest schema, or an older revision, in one transaction; safe twice and from two processes at once."""
    opened = partial(connect, database_url, connect_seconds=CONNECT_SECONDS, statement_seconds=STATEMENT_SECONDS)
    engine = create_engine("postgresql+psycopg2://", creator=opened, poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with clear_errors("database `ratchet`"), _as_the_driver_says(), engine.begin() as connection:
        connection.execute(_LOCK)
        config.attributes["connection"] = connection
        command.upgrade(config, to)


@contextmanager
def _as_the_driver_says() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise (error.orig or error) from None
    except CommandError as error:
        raise RatchetError(
            f"database `ratchet` is of no version that this one knows ({error}): it was made by a later one, which can go on with it"
        ) from error
