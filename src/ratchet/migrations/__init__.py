"""The schema of database `ratchet`, and `migrate`, which brings any database up to it."""

from pathlib import Path
from typing import Final

import psycopg2
from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine, text

_LOCK: Final = text("SELECT pg_advisory_xact_lock(7261746368657400)")


def migrate(database_url: str, *, to: str = "head") -> None:
    """Bring the database to the newest schema, or an older revision, in one transaction; safe twice and from two processes at once."""
    engine = create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(database_url), poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        connection.execute(_LOCK)
        config.attributes["connection"] = connection
        command.upgrade(config, to)
