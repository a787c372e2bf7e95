"""The forecast log's days: partitions made before the first forecast of a day needs one; dropped when old, with all that was said."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from psycopg2 import sql

from ratchet.database import clear_errors, connect

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor  # noqa: N812  # it is a class

DAYS_AHEAD: Final = 3
CONNECT_SECONDS: Final = 5
STATEMENT_SECONDS: Final = 120
DAY_OF: Final = re.compile(r"forecasts_(\d{8})")
# A partition is dropped under a lock on the whole log: better try again tomorrow than make the forwarder wait.
SESSION: Final = "-c timezone=UTC -c lock_timeout=5s -c client_min_messages=warning"

PARTITIONS: Final = """
SELECT child.relname FROM pg_inherits
JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = 'forecasts'::regclass ORDER BY child.relname
"""
TODAY: Final = "SELECT current_date"
ENSURE_DAY: Final = "SELECT ensure_forecast_day(%s)"
DROP: Final = "DROP TABLE IF EXISTS {}"
OLD_ANSWERS: Final = "DELETE FROM answers WHERE day < %s"
OLD_FEEDBACK: Final = "DELETE FROM feedback WHERE at < %s"
# Of an experiment that is over its looks hold what was counted: who met it, and the counts of each of its minutes, are of no use.
OLD_COUNTS: Final = tuple(
    f"DELETE FROM {table} USING experiments WHERE experiments.experiment_id = {table}.experiment_id AND ended_at < %s"  # noqa: S608  # our own names
    for table in ("experiment_clients", "experiment_raters", "experiment_spans")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """What a tidying did: days that the log now has ready, days that it dropped, and old feedback that went with them."""

    ready: tuple[date, ...]
    dropped: tuple[date, ...]
    feedback: int


def old_days(database_url: str, *, now: datetime, keep_days: int) -> tuple[date, ...]:
    """The days that `tidy_log` would drop."""
    with _cursor(database_url) as cursor:
        oldest = _oldest(cursor, now, keep_days)
        return tuple(day for day in _days(cursor) if day < oldest)


def tidy_log(database_url: str, *, now: datetime, keep_days: int) -> Tidied:
    """Have today and the next days ready, and drop what is older than `keep_days` whole days; again changes nothing.

    A machine whose clock is ahead of the database's drops no more than that one's would.
    """
    today = now.astimezone(UTC).date()
    with _cursor(database_url) as cursor:
        before, oldest = _days(cursor), _oldest(cursor, now, keep_days)
        for ahead in range(DAYS_AHEAD + 1):
            cursor.execute(ENSURE_DAY, (today + timedelta(days=ahead),))
        dropped = tuple(day for day in before if day < oldest)
        for day in dropped:
            cursor.execute(sql.SQL(DROP).format(sql.Identifier(f"forecasts_{day:%Y%m%d}")))
        begins = datetime(oldest.year, oldest.month, oldest.day, tzinfo=UTC)
        cursor.execute(OLD_ANSWERS, (oldest,))
        cursor.execute(OLD_FEEDBACK, (begins,))
        feedback = int(cursor.rowcount)
        for statement in OLD_COUNTS:
            cursor.execute(statement, (begins,))
        ready = tuple(day for day in _days(cursor) if day >= today)
    return Tidied(ready=ready, dropped=dropped, feedback=feedback)


def _oldest(cursor: "Cursor", now: datetime, keep_days: int) -> date:
    cursor.execute(TODAY)
    today: date = cursor.fetchall()[0][0]
    return min(now.astimezone(UTC).date(), today) - timedelta(days=keep_days)


def _days(cursor: "Cursor") -> tuple[date, ...]:
    cursor.execute(PARTITIONS)
    found = [DAY_OF.fullmatch(name) for (name,) in cursor.fetchall()]
    return tuple(datetime.strptime(each[1], "%Y%m%d").replace(tzinfo=UTC).date() for each in found if each)


@contextmanager
def _cursor(database_url: str) -> Iterator["Cursor"]:
    """A cursor whose every statement stands alone: what was dropped stays dropped if the next lock is not to be had."""
    with (
        clear_errors("the database of the forecast log"),
        closing(
            connect(database_url, connect_seconds=CONNECT_SECONDS, statement_seconds=STATEMENT_SECONDS, session=SESSION)
        ) as connection,
    ):
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor
