"""The schema of database `ratchet`, and `migrate`, which brings any database up to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg2
from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from ratchet.database import clear_errors

_LOCK: Final = text("SELECT pg_advisory_xact_lock(7261746368657400)")


def migrate(database_url: str, *, to: str = "head") -> None:
    """Bring the database to the newest schema, or an older revision, in one transaction; safe twice and from two processes at once."""
    engine = create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(database_url), poolclass=NullPool)
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
