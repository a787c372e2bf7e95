"""Looks from the forecast log and feedback, an hour at a time: each complete hour is counted once and kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from ratchet.contracts.errors import MetricsError
from ratchet.contracts.look import HourOfRatings, Look, TrackCounts
from ratchet.contracts.ports import Experiment, Track
from ratchet.observe.database import transaction

HOUR: Final = timedelta(hours=1)
UNKNOWN: Final = TrackCounts(requests=None, bad_requests=None, new_clients=None)

# Two runs at once must not both count an hour.
ALONE: Final = "SELECT pg_advisory_xact_lock(%(experiment_id)s, 7001)"

IS_COUNTED: Final = """
SELECT EXISTS (
    SELECT FROM experiment_hours
    WHERE experiment_id = %(experiment_id)s AND stage_at = %(stage_at)s AND hour = %(hour)s
)
"""

# By the track that a client was assigned to; the first one stands.
ADD_CLIENTS: Final = """
INSERT INTO experiment_clients (experiment_id, stage_at, client, track, first_hour)
SELECT DISTINCT ON (client) %(experiment_id)s, %(stage_at)s, client, assigned, %(hour)s
FROM forecasts
WHERE workload = %(workload)s AND release_id IN (%(production)s, %(candidate)s)
  AND at >= greatest(%(hour)s, %(stage_at)s) AND at < %(end)s
  AND client IS NOT NULL AND assigned IN ('production', 'candidate')
ORDER BY client, at
ON CONFLICT DO NOTHING
"""

# Bad is what another track had to answer, or what was slow; a client is at most one bad request a minute.
COUNT_HOUR: Final = """
INSERT INTO experiment_hours (experiment_id, stage_at, hour, track, requests, bad_requests, new_clients)
SELECT %(experiment_id)s, %(stage_at)s, %(hour)s, tracks.name, coalesce(seen.requests, 0), coalesce(seen.bad, 0),
       (SELECT count(*) FROM experiment_clients
        WHERE experiment_id = %(experiment_id)s AND stage_at = %(stage_at)s AND first_hour = %(hour)s
          AND track = tracks.name)
FROM (VALUES ('production'), ('candidate')) AS tracks (name)
LEFT JOIN (
    SELECT assigned, count(*) AS requests,
           count(DISTINCT (client, date_trunc('minute', at)))
               FILTER (WHERE track <> assigned OR latency_ms > %(slow_ms)s) AS bad
    FROM forecasts
    WHERE workload = %(workload)s AND release_id IN (%(production)s, %(candidate)s)
      AND at >= greatest(%(hour)s, %(stage_at)s) AND at < %(end)s
    GROUP BY assigned
) AS seen ON seen.assigned = tracks.name
"""

# Only what a client says of a forecast that it asked for itself, in this stage. Each rating is looked up by key: joined as tables,
# a planner that knows nothing of the young side tables yet would read the whole log.
ADD_RATERS: Final = """
WITH said AS MATERIALIZED (
    SELECT prediction_id, client, at, (value #>> '{}')::double precision AS rating
    FROM feedback
    WHERE workload = %(workload)s AND kind = 'rating' AND jsonb_typeof(value) = 'number'
      AND at >= greatest(%(hour)s, %(stage_at)s) AND at < %(end)s
)
INSERT INTO experiment_raters (experiment_id, stage_at, client, track, at, rating)
SELECT DISTINCT ON (said.client) %(experiment_id)s, %(stage_at)s, said.client, known.track, said.at, said.rating
FROM said
CROSS JOIN LATERAL (
    SELECT track FROM experiment_clients
    WHERE experiment_id = %(experiment_id)s AND stage_at = %(stage_at)s AND client = said.client
    LIMIT 1
) AS known
CROSS JOIN LATERAL (
    SELECT client, workload, release_id FROM forecasts
    WHERE prediction_id = said.prediction_id AND at >= %(stage_at)s AND at < %(end)s
    LIMIT 1
) AS asked
WHERE asked.client = said.client AND asked.workload = %(workload)s
  AND asked.release_id IN (%(production)s, %(candidate)s)
ORDER BY said.client, said.at, said.prediction_id
ON CONFLICT DO NOTHING
"""

COUNTS: Final = """
SELECT track, sum(requests), sum(bad_requests), sum(new_clients)
FROM experiment_hours
WHERE experiment_id = %(experiment_id)s AND stage_at = %(stage_at)s AND hour >= %(hour)s AND hour < %(end)s
GROUP BY track
"""

RATINGS: Final = """
SELECT date_trunc('hour', at), track, array_agg(rating ORDER BY at, client)
FROM experiment_raters
WHERE experiment_id = %(experiment_id)s AND stage_at = %(stage_at)s AND at >= %(hour)s AND at < %(end)s
GROUP BY 1, 2
ORDER BY 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The stage of an experiment whose clients and first ratings are counted."""

    experiment: Experiment
    began: datetime
    slow_ms: float
    """Slower than this is bad."""


class PostgresHours:
    """What the tables say of an experiment, hour by hour. `MetricsError` where the database is away."""

    def __init__(self, database_url: str) -> None:
        self._transaction = partial(transaction, database_url, what="the forecast log", error=MetricsError)

    def count(self, stage: Stage, hour: datetime) -> None:
        """Count one complete hour; a second time changes nothing. Earlier hours of the stage come first."""
        values = _values(stage, hour, hour + HOUR)
        with self._transaction() as cursor:
            cursor.execute(ALONE, values)
            cursor.execute(IS_COUNTED, values)
            if (cursor.fetchone() or (False,))[0]:
                return
            for statement in (ADD_CLIENTS, COUNT_HOUR, ADD_RATERS):
                cursor.execute(statement, values)

    def read(
        self, stage: Stage, *, since: datetime, until: datetime
    ) -> tuple[dict[Track, TrackCounts], tuple[HourOfRatings, ...]]:
        """Add up what was counted from one full hour to another, and list its ratings by hour."""
        values = _values(stage, since, until)
        with self._transaction() as cursor:
            cursor.execute(COUNTS, values)
            counts = {Track(track): _counts(figures) for track, *figures in cursor.fetchall()}
            cursor.execute(RATINGS, values)
            return counts, tuple(_ratings(cursor.fetchall(), since, until))


def fill_look(
    hours: PostgresHours,
    stage: Stage,
    *,
    after: datetime,
    at: datetime,
    failed: tuple[int | None, int | None] = (0, 0),
) -> Look:
    """Count the complete hours from `after` on and make them one look. A database that is away leaves gaps, never zeros.

    `failed` is what ended in a server error meanwhile and so is in no log: production's, the candidate's; None where unknown.
    """
    since, until = _floor(after), _floor(at)
    try:
        for hour in _hours(since, until):
            hours.count(stage, hour)
        counts, ratings = hours.read(stage, since=since, until=until)
    except MetricsError as error:
        return Look(at=at, production=UNKNOWN, candidate=UNKNOWN, hours=None, gaps=(str(error),))
    tracks = [_with_failures(counts.get(track, UNKNOWN), more) for track, more in zip(Track, failed, strict=True)]
    return Look(at=at, production=tracks[0], candidate=tracks[1], hours=ratings)


def _with_failures(counts: TrackCounts, failed: int | None) -> TrackCounts:
    if failed is None or counts.requests is None or counts.bad_requests is None:
        return TrackCounts(requests=None, bad_requests=None, new_clients=counts.new_clients)
    return TrackCounts(
        requests=counts.requests + failed, bad_requests=counts.bad_requests + failed, new_clients=counts.new_clients
    )


def _values(stage: Stage, hour: datetime, end: datetime) -> dict[str, Any]:
    return {
        "experiment_id": stage.experiment.experiment_id,
        "workload": stage.experiment.workload,
        "production": stage.experiment.production,
        "candidate": stage.experiment.candidate,
        "stage_at": stage.began,
        "slow_ms": stage.slow_ms,
        "hour": hour,
        "end": end,
    }


def _counts(figures: Sequence[Any]) -> TrackCounts:
    requests, bad, clients = (float(figure) for figure in figures)
    return TrackCounts(requests=requests, bad_requests=bad, new_clients=clients)


def _ratings(rows: Sequence[tuple[Any, ...]], since: datetime, until: datetime) -> Iterator[HourOfRatings]:
    """Every hour, also one without ratings: it lets time pass."""
    said = {(hour.astimezone(UTC), track): tuple(ratings) for hour, track, ratings in rows}
    for hour in _hours(since, until):
        old, new = (said.get((hour, track.value), ()) for track in Track)
        yield HourOfRatings(hour=hour, production=old, candidate=new)


def _hours(since: datetime, until: datetime) -> Iterator[datetime]:
    while since < until:
        yield since
        since += HOUR


def _floor(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
