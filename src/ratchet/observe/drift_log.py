"""What the database knows of drift: recent forecasts and ratings, and every report and alarm there has been."""

from collections import defaultdict
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any, Final

from psycopg2.extensions import cursor
from psycopg2.extras import Json

from ratchet.contracts.drift import DriftAlarm, DriftReport, Ending, FeatureReference, Indicator, Observations
from ratchet.contracts.errors import JournalError, MetricsError
from ratchet.observe.database import transaction

# What was asked for, each once: a forecast that a thousand people read is one forecast.
ASKED: Final = """
SELECT unique_id, target, data_hour, (array_agg(weeks ORDER BY jsonb_array_length(weeks) DESC))[1] AS weeks
FROM forecast_log
WHERE workload = %(workload)s AND release_id = %(release_id)s AND at >= %(since)s AND at < %(until)s
  AND unique_id IS NOT NULL AND jsonb_typeof(weeks) = 'array'
GROUP BY unique_id, target, data_hour
ORDER BY unique_id, target, data_hour
LIMIT 100000
"""

# One client, one vote a day: its last one.
RATINGS: Final = """
SELECT DISTINCT ON (day, feedback.client) (feedback.at AT TIME ZONE 'UTC')::date AS day,
       (feedback.value #>> '{}')::double precision AS rating
FROM feedback
WHERE feedback.workload = %(workload)s AND feedback.kind = 'rating' AND jsonb_typeof(feedback.value) = 'number'
  AND feedback.at >= %(since)s AND feedback.at < %(until)s
  AND EXISTS (
      SELECT FROM forecasts
      WHERE forecasts.prediction_id = feedback.prediction_id AND forecasts.workload = %(workload)s
        AND forecasts.release_id = %(release_id)s AND forecasts.track = 'production'
  )
ORDER BY day, feedback.client, feedback.at DESC
"""

RECORD: Final = """
INSERT INTO drift_reports (workload, at, release_id, data, body)
VALUES (%(workload)s, %(at)s, %(release_id)s, %(data)s, %(body)s)
ON CONFLICT (workload, at) DO NOTHING
"""
ONE: Final = "SELECT body FROM drift_reports WHERE workload = %(workload)s AND at = %(at)s"
EARLIER: Final = """
SELECT body FROM drift_reports
WHERE workload = %(workload)s AND release_id = %(release_id)s AND at < %(at)s
  AND body -> 'digests' ->> %(feature)s <> %(digest)s
ORDER BY at DESC LIMIT 1
"""

ALARM: Final = """
SELECT workload, release_id, began_at, data_hour, features FROM drift_alarms
WHERE workload = %(workload)s AND ended_at IS NULL
"""
RAISE: Final = """
INSERT INTO drift_alarms (workload, began_at, release_id, data_hour, features)
VALUES (%(workload)s, %(began_at)s, %(release_id)s, %(data_hour)s, %(features)s)
ON CONFLICT DO NOTHING
"""
END: Final = """
UPDATE drift_alarms SET ended_at = %(at)s, ended_because = %(why)s, retrained = %(retrained)s
WHERE workload = %(workload)s AND ended_at IS NULL
"""

ANSWERED: Final = """
SELECT EXISTS (
    SELECT FROM drift_alarms WHERE workload = %(workload)s AND release_id = %(release_id)s AND retrained
)
"""

REFERENCE: Final = """
SELECT body FROM drift_references
WHERE workload = %(workload)s AND release_id = %(release_id)s AND feature = %(feature)s
"""
KEEP: Final = """
INSERT INTO drift_references (workload, release_id, feature, body)
VALUES (%(workload)s, %(release_id)s, %(feature)s, %(body)s) ON CONFLICT DO NOTHING
"""


class PostgresDrift:
    """Reads raise `MetricsError`, writes `JournalError`, where the database is away."""

    def __init__(self, database_url: str) -> None:
        self._read = partial(transaction, database_url, what="the database", error=MetricsError)
        self._write = partial(transaction, database_url, what="the log of drift", error=JournalError)

    def asked(
        self, workload: str, release_id: str, *, since: datetime, until: datetime
    ) -> list[tuple[str, str, datetime, list[dict[str, Any]]]]:
        """Every forecast of a release that somebody asked for: series, target, the data it was made from, its weeks."""
        with self._read() as opened:
            opened.execute(ASKED, {"workload": workload, "release_id": release_id, "since": since, "until": until})
            return [(unique_id, target, hour, weeks) for unique_id, target, hour, weeks in opened.fetchall()]

    def ratings(self, workload: str, release_id: str, *, since: datetime, until: datetime) -> Observations:
        """Ratings of a release in production by day, one a client and day."""
        by_day: dict[str, list[float]] = defaultdict(list)
        with self._read() as opened:
            opened.execute(RATINGS, {"workload": workload, "release_id": release_id, "since": since, "until": until})
            for day, rating in opened.fetchall():
                by_day[day.isoformat()].append(rating)
        return {day: tuple(values) for day, values in by_day.items()}

    def reference(self, workload: str, release_id: str, feature: str) -> FeatureReference | None:
        """What was kept of a feature that training could not know."""
        with self._read() as opened:
            opened.execute(REFERENCE, {"workload": workload, "release_id": release_id, "feature": feature})
            row = opened.fetchone()
        return FeatureReference.from_json(row[0]) if row else None

    def keep_reference(self, workload: str, release_id: str, feature: str, reference: FeatureReference) -> None:
        """Keep it, once; the first one stands."""
        values = {"workload": workload, "release_id": release_id, "feature": feature, "body": Json(asdict(reference))}
        with self._write() as opened:
            opened.execute(KEEP, values)

    def report(self, workload: str, *, at: datetime) -> DriftReport | None:
        """The report of a moment."""
        with self._read() as opened:
            return _one(opened, ONE, {"workload": workload, "at": at})

    def earlier(self, report: DriftReport) -> dict[str, DriftReport]:
        """For each feature that drifts, the newest report of this release before this one that saw other data of it."""
        asked = {"workload": report.workload, "release_id": report.release_id, "at": report.at}
        with self._read() as opened:
            found = {
                name: _one(opened, EARLIER, {**asked, "feature": name, "digest": report.digests[name]})
                for name in report.drifting
            }
        return {name: before for name, before in found.items() if before is not None}

    def alarm(self, workload: str) -> DriftAlarm | None:
        """The alarm that lasts, if there is one."""
        with self._read() as opened:
            opened.execute(ALARM, {"workload": workload})
            row = opened.fetchone()
        if row is None:
            return None
        name, release_id, began_at, data_hour, features = row
        return DriftAlarm(
            workload=name, release_id=release_id, began_at=began_at, data_hour=data_hour, features=tuple(features)
        )

    def was_answered(self, workload: str, release_id: str) -> bool:
        """Whether drift of this release has led to another training already."""
        with self._read() as opened:
            opened.execute(ANSWERED, {"workload": workload, "release_id": release_id})
            return bool((opened.fetchone() or (False,))[0])

    def record(self, report: DriftReport, *, ended: Ending | None, raised: DriftAlarm | None) -> None:
        """Keep a report, end the alarm, raise another, all of it or nothing; the same moment again changes nothing."""
        values = {
            "workload": report.workload,
            "at": report.at,
            "release_id": report.release_id,
            "data": report.data,
            "body": Json(write_report(report)),
        }
        with self._write() as opened:
            opened.execute(RECORD, values)
            if opened.rowcount == 0:
                return
            if ended is not None:
                opened.execute(END, {"workload": report.workload, "at": report.at, **asdict(ended)})
            if raised is not None:
                opened.execute(RAISE, {**asdict(raised), "features": list(raised.features)})


def write_report(report: DriftReport) -> dict[str, Any]:
    """Turn a report into what JSON can hold."""
    return {**asdict(report), "at": report.at.isoformat()}


def read_report(body: dict[str, Any]) -> DriftReport:
    """Read what `write_report` made."""
    indicators = {name: Indicator(**indicator) for name, indicator in body["indicators"].items()}
    return DriftReport(**{**body, "at": datetime.fromisoformat(body["at"]), "indicators": indicators})


def _one(opened: cursor, statement: str, values: dict[str, Any]) -> DriftReport | None:
    opened.execute(statement, values)
    row = opened.fetchone()
    return read_report(row[0]) if row else None
