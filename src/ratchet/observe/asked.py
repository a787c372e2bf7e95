"""What users ask for: how often, to weigh realised errors by; and which questions, to warm a track up with."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from ratchet.contracts.errors import MetricsError
from ratchet.observe.database import transaction

# Answers from a posted history are no forecasts that a release issued.
TIMES_ASKED: Final = """
SELECT unique_id, target, count(*) FROM forecasts
WHERE workload = %(workload)s AND at >= %(since)s AND at < %(until)s AND family IS DISTINCT FROM %(posted)s
  AND unique_id IS NOT NULL AND target IS NOT NULL
GROUP BY unique_id, target
"""

QUESTIONS: Final = """
SELECT unique_id, target, horizon FROM forecasts
WHERE workload = %(workload)s AND at >= %(since)s AND family IS DISTINCT FROM %(posted)s
  AND unique_id IS NOT NULL AND target IS NOT NULL AND horizon IS NOT NULL
ORDER BY at DESC, prediction_id DESC
LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody asked."""

    unique_id: str
    target: str
    horizon: int


class PostgresAsked:
    """The forecast log, read for what is asked in it. `MetricsError` where the database is away."""

    def __init__(self, database_url: str, *, posted: str) -> None:
        self._transaction = partial(transaction, database_url, what="the forecast log", error=MetricsError)
        self._posted = posted

    def times(self, workload: str, *, since: datetime, until: datetime) -> dict[tuple[str, str], int]:
        """How often each series was asked for."""
        values = {"workload": workload, "since": since, "until": until, "posted": self._posted}
        with self._transaction() as cursor:
            cursor.execute(TIMES_ASKED, values)
            return {(unique_id, target): count for unique_id, target, count in cursor.fetchall()}

    def questions(self, workload: str, *, since: datetime, limit: int) -> list[Question]:
        """The newest questions, as they were asked."""
        values = {"workload": workload, "since": since, "limit": limit, "posted": self._posted}
        with self._transaction() as cursor:
            cursor.execute(QUESTIONS, values)
            return [
                Question(unique_id=unique_id, target=target, horizon=horizon)
                for unique_id, target, horizon in cursor.fetchall()
            ]
