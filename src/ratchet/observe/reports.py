"""What operators ask of the database: bounded, paged by key, and given up soon, for it shares a machine with forecasts."""

from datetime import datetime
from functools import partial
from typing import Any, Final

import orjson
from psycopg2.extensions import cursor

from ratchet.contracts.drift import DriftReport
from ratchet.contracts.errors import MetricsError
from ratchet.observe.database import transaction
from ratchet.observe.drift_log import read_report

CONNECT_SECONDS: Final = 2
STATEMENT_SECONDS: Final = 3
TRACK_OF: Final = {"p": "production", "c": "candidate"}

FORECASTS: Final = """
SELECT track, release, count(*) AS forecasts, count(DISTINCT client) AS clients,
       count(*) FILTER (WHERE assigned <> track) AS fallbacks, min(at) AS first_at, max(at) AS last_at,
       avg(latency_ms) AS latency_ms_mean,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms) AS latency_ms_p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms) AS latency_ms_p95,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_ms) AS latency_ms_p99
FROM forecasts
WHERE workload = %(workload)s AND at >= %(since)s AND at < %(until)s
GROUP BY track, release
ORDER BY track, release
"""

# A prediction id names the track and the release that made it, so feedback needs no join.
FEEDBACK: Final = """
SELECT split_part(prediction_id, '.', 2) AS track, split_part(prediction_id, '.', 3) AS release,
       count(*) FILTER (WHERE kind = 'rating') AS ratings,
       avg(CASE WHEN kind = 'rating' AND jsonb_typeof(value) = 'number' THEN (value #>> '{}')::double precision END)
           AS rating_mean,
       count(*) FILTER (WHERE kind = 'accurate') AS accurate_said,
       count(*) FILTER (WHERE kind = 'accurate' AND value = 'true') AS accurate_yes,
       count(*) FILTER (WHERE kind = 'actual') AS actuals,
       count(*) FILTER (WHERE kind = 'comment') AS comments
FROM feedback
WHERE workload = %(workload)s AND at >= %(since)s AND at < %(until)s
GROUP BY 1, 2
"""

FORECAST_LOG: Final = """
SELECT prediction_id, at, unique_id, target, horizon, track, assigned, release, release_id, client, request_id,
       data_hour, weeks, latency_ms
FROM forecast_log
WHERE workload = %(workload)s AND at >= %(since)s AND at <= %(until)s
  AND (%(unique_id)s::text IS NULL OR unique_id = %(unique_id)s)
  AND (%(target)s::text IS NULL OR target = %(target)s)
  AND (%(track)s::text IS NULL OR track = %(track)s)
  AND (%(release)s::text IS NULL OR release = %(release)s)
  AND (%(client)s::text IS NULL OR client = %(client)s)
  AND (%(after_id)s::text IS NULL OR (at, prediction_id) < (%(until)s, %(after_id)s))
ORDER BY at DESC, prediction_id DESC
LIMIT %(limit)s
"""

FEEDBACK_LOG: Final = """
SELECT prediction_id, at, kind, client, value::text AS value,
       split_part(prediction_id, '.', 2) AS track, split_part(prediction_id, '.', 3) AS release
FROM feedback
WHERE workload = %(workload)s AND at >= %(since)s AND at <= %(until)s
  AND (%(track)s::text IS NULL OR split_part(prediction_id, '.', 2) = left(%(track)s, 1))
  AND (%(release)s::text IS NULL OR split_part(prediction_id, '.', 3) = %(release)s)
  AND (%(client)s::text IS NULL OR client = %(client)s)
  AND (%(unique_id)s::text IS NULL AND %(target)s::text IS NULL OR EXISTS (
      SELECT FROM forecasts
      WHERE forecasts.prediction_id = feedback.prediction_id
        AND (%(unique_id)s::text IS NULL OR unique_id = %(unique_id)s)
        AND (%(target)s::text IS NULL OR target = %(target)s)
  ))
  AND (%(after_id)s::text IS NULL
       OR (at, prediction_id, kind, client) < (%(until)s, %(after_id)s, %(after_kind)s, %(after_client)s))
ORDER BY at DESC, prediction_id DESC, kind DESC, client DESC
LIMIT %(limit)s
"""
LOGS: Final = {"forecasts": FORECAST_LOG, "feedback": FEEDBACK_LOG}

# What is waited for is what the newest look said; its record holds the share that was in force. What moved production may be older
# than the newest verdicts that go out with it. Levels are looked at until a candidate has warmed up: no later look is read for them.
EXPERIMENTS: Final = """
SELECT experiment_id, production, candidate, started_at, ended_at, experiments.verdict, newest.stage,
       (newest.body::jsonb #>> '{state,since}')::timestamptz AS stage_since,
       (newest.body::jsonb #>> '{look,share}')::double precision AS share,
       CASE WHEN ended_at IS NULL THEN newest.reason END AS waits_for,
       (SELECT evidence FROM looks
        WHERE looks.experiment_id = experiments.experiment_id AND evidence IS NOT NULL
        ORDER BY at DESC LIMIT 1) AS evidence,
       (SELECT looks.body::jsonb #> '{look,levels}' FROM looks
        WHERE looks.experiment_id = experiments.experiment_id AND looks.stage <> 'queued' AND looks.at <= warm.until
          AND looks.body::jsonb #> '{look,levels,0}' IS NOT NULL
        ORDER BY at DESC LIMIT 1) AS levels,
       (SELECT jsonb_build_object('at', looks.at, 'verdict', looks.verdict, 'reason', looks.reason) FROM looks
        WHERE looks.experiment_id = experiments.experiment_id AND looks.verdict IN ('promote', 'revert')
        ORDER BY at DESC LIMIT 1) AS moved
FROM experiments
LEFT JOIN LATERAL (
    SELECT stage, reason, body FROM looks WHERE looks.experiment_id = experiments.experiment_id ORDER BY at DESC LIMIT 1
) AS newest ON true
CROSS JOIN LATERAL (
    SELECT coalesce(min(at), 'infinity') AS until FROM looks
    WHERE looks.experiment_id = experiments.experiment_id AND stage NOT IN ('queued', 'warmup')
) AS warm
WHERE workload = %(workload)s AND (%(before)s::bigint IS NULL OR experiment_id < %(before)s)
ORDER BY experiment_id DESC
LIMIT %(limit)s
"""

VERDICTS: Final = """
SELECT wanted.experiment_id, said.at, said.verdict, said.reason, said.stage, said.actor, said.policy, said.scores,
       said.decided_at, said.acted_at
FROM unnest(%(experiments)s::bigint[]) AS wanted (experiment_id), LATERAL (
    SELECT looks.at, verdict, reason, stage, actor, policy, scores, decided_at, acts.at AS acted_at
    FROM looks LEFT JOIN acts ON acts.look_id = looks.look_id AND acts.what = 'carried_out'
    WHERE looks.experiment_id = wanted.experiment_id
    ORDER BY looks.at DESC
    LIMIT 100
) AS said
ORDER BY said.at DESC
"""

DRIFT: Final = "SELECT body FROM drift_reports WHERE workload = %(workload)s ORDER BY at DESC LIMIT 1"

Row = dict[str, Any]


class PostgresReports:
    """Reads the database `ratchet` for people. `MetricsError` where it is away or takes longer than they would wait."""

    def __init__(self, database_url: str) -> None:
        limits = {"connect_seconds": CONNECT_SECONDS, "statement_seconds": STATEMENT_SECONDS}
        self._transaction = partial(transaction, database_url, what="the database", error=MetricsError, **limits)

    def summary(self, workload: str, *, since: datetime, until: datetime) -> list[Row]:
        """Return one row per track and release that answered or was spoken of within the window."""
        values = {"workload": workload, "since": since, "until": until}
        with self._transaction() as opened:
            forecasts, said = _rows(opened, FORECASTS, values), _rows(opened, FEEDBACK, values)
        feedback = {(TRACK_OF.get(row.pop("track")), row.pop("release")): row for row in said}
        unspoken = {
            "ratings": 0,
            "rating_mean": None,
            "accurate_said": 0,
            "accurate_yes": 0,
            "actuals": 0,
            "comments": 0,
        }
        answered = [row | feedback.pop((row["track"], row["release"]), unspoken) for row in forecasts]
        return answered + [
            {"track": track, "release": release, "forecasts": 0} | row for (track, release), row in feedback.items()
        ]

    def log(self, kind: str, workload: str, wanted: Row) -> list[Row]:
        """Return forecasts or feedback, newest first; `wanted` filters, bounds and continues them."""
        with self._transaction() as opened:
            rows = _rows(opened, LOGS[kind], {"workload": workload, **wanted})
        return [row | _read_value(row) | {"track": TRACK_OF.get(row["track"], row["track"])} for row in rows]

    def experiments(self, workload: str, *, before: int | None, limit: int) -> list[Row]:
        """Return experiments, newest first, each with its newest evidence and its newest 100 verdicts."""
        with self._transaction() as opened:
            found = _rows(opened, EXPERIMENTS, {"workload": workload, "before": before, "limit": limit})
            verdicts = _rows(opened, VERDICTS, {"experiments": [row["experiment_id"] for row in found]})
        of_experiment: dict[int, list[Row]] = {row["experiment_id"]: [] for row in found}
        for verdict in verdicts:
            of_experiment[verdict.pop("experiment_id")].append(verdict)
        return [row | {"verdicts": of_experiment[row["experiment_id"]]} for row in found]

    def drift(self, workload: str) -> DriftReport | None:
        """Return the newest drift report; None if nobody has looked yet."""
        with self._transaction() as opened:
            rows = _rows(opened, DRIFT, {"workload": workload})
        return read_report(rows[0]["body"]) if rows else None


def _read_value(row: Row) -> Row:
    """Return what feedback says.

    jsonb writes 1e20 out as an integer: orjson reads a float again, where psycopg2 would make one that no answer can hold.
    """
    return {"value": orjson.loads(row["value"])} if "value" in row else {}


def _rows(opened: cursor, statement: str, values: Row) -> list[Row]:
    opened.execute(statement, values)
    names = [column.name for column in opened.description or ()]
    return [dict(zip(names, row, strict=True)) for row in opened.fetchall()]
