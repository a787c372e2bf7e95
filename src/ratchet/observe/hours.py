"""Looks from the forecast log and feedback: each span of time is counted once and kept, however old the experiment is.

What a spool brings after its span was counted (always the last moment's; hours of it after an outage) is counted by the look after.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from ratchet.contracts.errors import MetricsError
from ratchet.contracts.look import HourOfRatings, Segment, TrackCounts
from ratchet.contracts.ports import Experiment, Track
from ratchet.observe.database import transaction

HOUR: Final = timedelta(hours=1)
LATE: Final = timedelta(minutes=10)
"""After its end a span is still compared with the log for so long, and the newest one at any time: spools are empty by then."""
SHORTEST: Final = timedelta(seconds=1)
UNKNOWN: Final = TrackCounts(requests=None, bad_requests=None, new_clients=None)

# Two runs at once must not both count a span.
ALONE: Final = "SELECT pg_advisory_xact_lock(%(experiment_id)s, 7001)"

COUNTED: Final = """
SELECT max(until) FROM experiment_spans WHERE experiment_id = %(experiment_id)s AND stage_at = %(stage_at)s
"""

# Where the spans begin that may have grown since they were counted.
GROWING: Final = """
SELECT min(since) FROM (
    SELECT since FROM experiment_spans
    WHERE experiment_id = %(experiment_id)s AND stage_at = %(stage_at)s
    GROUP BY since HAVING min(until) > least(%(until)s - %(late)s, %(since)s - interval '1 microsecond')
) AS spans
"""

# A span is known by where it begins. What it has grown by is written beside it and belongs to the look that finds it: it ends
# microseconds before that one, in which no other span can end.
ADD_LATE: Final = """
WITH spans AS MATERIALIZED (
    SELECT since, min(until) AS until FROM experiment_spans
    WHERE experiment_id = %(experiment_id)s AND stage_at = %(stage_at)s AND since >= %(growing)s
    GROUP BY since
), told AS (
    SELECT since, track, sum(requests) AS requests, sum(bad_requests) AS bad, sum(fallbacks) AS fallbacks
    FROM experiment_spans
    WHERE experiment_id = %(experiment_id)s AND stage_at = %(stage_at)s AND since >= %(growing)s
    GROUP BY since, track
), seen AS (
    SELECT spans.since, logged.* FROM spans CROSS JOIN LATERAL (
        SELECT assigned, count(*) AS requests, count(*) FILTER (WHERE track <> assigned) AS fallbacks,
               count(DISTINCT (client, date_trunc('minute', at)))
                   FILTER (WHERE track <> assigned OR latency_ms > %(slow_ms)s) AS bad
        FROM forecasts
        WHERE workload = %(workload)s AND release_id IN (%(production)s, %(candidate)s)
          AND at >= spans.since AND at < spans.until
        GROUP BY assigned
    ) AS logged
)
INSERT INTO experiment_spans
    (experiment_id, stage_at, until, track, since, requests, bad_requests, fallbacks, new_clients)
SELECT %(experiment_id)s, %(stage_at)s, %(until)s - row_number() OVER () * interval '1 microsecond', told.track, told.since,
       seen.requests - told.requests, greatest(seen.bad - told.bad, 0), greatest(seen.fallbacks - told.fallbacks, 0), 0
FROM told
JOIN (VALUES ('production', 'candidate'), ('candidate', 'production')) AS sides (name, other) ON sides.name = told.track
JOIN seen ON seen.since = told.since AND seen.assigned = CASE WHEN %(swapped)s THEN sides.other ELSE sides.name END
WHERE seen.requests > told.requests
"""

# Clients count by the track that they were assigned to; the first one stands. In a watch the tracks are swapped: `other` says so, and
# what is written down is the release's side of the experiment, not where it is served. Bad is what another track had to answer, or
# what was slow; a client is at most one bad request a minute.
COUNT_SPAN: Final = """
WITH added AS (
    INSERT INTO experiment_clients (experiment_id, stage_at, client, track, first_at)
    SELECT DISTINCT ON (client) %(experiment_id)s, %(stage_at)s, client,
           CASE WHEN %(swapped)s THEN CASE assigned WHEN 'production' THEN 'candidate' ELSE 'production' END ELSE assigned END,
           at
    FROM forecasts
    WHERE workload = %(workload)s AND release_id IN (%(production)s, %(candidate)s)
      AND at >= %(growing)s AND at < %(until)s
      AND client IS NOT NULL AND assigned IN ('production', 'candidate')
    ORDER BY client, at
    ON CONFLICT DO NOTHING
    RETURNING track
)
INSERT INTO experiment_spans
    (experiment_id, stage_at, until, track, since, requests, bad_requests, fallbacks, new_clients)
SELECT %(experiment_id)s, %(stage_at)s, %(until)s, sides.name, %(since)s, coalesce(seen.requests, 0),
       coalesce(seen.bad, 0), coalesce(seen.fallbacks, 0),
       (SELECT count(*) FROM added WHERE added.track = sides.name)
FROM (VALUES ('production', 'candidate'), ('candidate', 'production')) AS sides (name, other)
LEFT JOIN (
    SELECT assigned, count(*) AS requests, count(*) FILTER (WHERE track <> assigned) AS fallbacks,
           count(DISTINCT (client, date_trunc('minute', at)))
               FILTER (WHERE track <> assigned OR latency_ms > %(slow_ms)s) AS bad
    FROM forecasts
    WHERE workload = %(workload)s AND release_id IN (%(production)s, %(candidate)s)
      AND at >= %(since)s AND at < %(until)s
    GROUP BY assigned
) AS seen ON seen.assigned = CASE WHEN %(swapped)s THEN sides.other ELSE sides.name END
"""

# Only what a client says of a forecast that it asked for itself, in this stage. Each rating is looked up by key: joined as tables,
# a planner that knows nothing of the young side tables yet would read the whole log.
ADD_RATERS: Final = """
WITH said AS MATERIALIZED (
    SELECT prediction_id, client, at, (value #>> '{}')::double precision AS rating
    FROM feedback
    WHERE workload = %(workload)s AND kind = 'rating' AND jsonb_typeof(value) = 'number'
      AND at >= %(growing)s AND at < %(until)s
)
INSERT INTO experiment_raters (experiment_id, stage_at, client, track, at, rating)
SELECT DISTINCT ON (said.client) %(experiment_id)s, %(stage_at)s, said.client, known.track, greatest(said.at, %(since)s),
       said.rating
FROM said
CROSS JOIN LATERAL (
    SELECT track FROM experiment_clients
    WHERE experiment_id = %(experiment_id)s AND stage_at = %(stage_at)s AND client = said.client
    LIMIT 1
) AS known
CROSS JOIN LATERAL (
    SELECT client, workload, release_id FROM forecasts
    WHERE prediction_id = said.prediction_id AND at >= %(stage_at)s AND at < %(until)s
    LIMIT 1
) AS asked
WHERE asked.client = said.client AND asked.workload = %(workload)s
  AND asked.release_id IN (%(production)s, %(candidate)s)
ORDER BY said.client, said.at, said.prediction_id
ON CONFLICT DO NOTHING
"""

COUNTS: Final = """
SELECT track, sum(requests), sum(bad_requests), sum(new_clients), sum(fallbacks)
FROM experiment_spans
WHERE experiment_id = %(experiment_id)s AND stage_at = %(stage_at)s AND until > %(since)s AND until <= %(until)s
GROUP BY track
"""

RATINGS: Final = """
SELECT date_trunc('hour', at), track, array_agg(rating ORDER BY at, client)
FROM experiment_raters
WHERE experiment_id = %(experiment_id)s AND stage_at = %(stage_at)s AND at >= %(since)s AND at < %(until)s
GROUP BY 1, 2
ORDER BY 1
"""

SEGMENTS: Final = """
SELECT target, count(*) FILTER (WHERE assigned = %(first)s), count(*) FILTER (WHERE assigned = %(second)s)
FROM forecasts
WHERE workload = %(workload)s AND release_id IN (%(production)s, %(candidate)s) AND at >= %(since)s AND at < %(until)s
GROUP BY target
ORDER BY target
"""

CLOCK: Final = "SELECT clock_timestamp()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The stage of an experiment whose clients and first ratings are counted."""

    experiment: Experiment
    began: datetime
    slow_ms: float
    """Slower than this is bad."""
    is_swapped: bool = False
    """After a promotion: the experiment's candidate is served on the production track, and the other way round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One side of an experiment within a window."""

    counts: TrackCounts
    fallbacks: int
    """Requests that the other track had to answer."""


class PostgresHours:
    """What the tables say of an experiment. `MetricsError` where the database is away."""

    def __init__(self, database_url: str) -> None:
        self._transaction = partial(transaction, database_url, what="the forecast log", error=MetricsError)

    def count(self, stage: Comparison, until: datetime) -> None:
        """Count what came since the last count of this stage, and what its last spans have grown by; what was counted stays as it is."""
        with self._transaction() as cursor:
            values = _values(stage, stage.began, until)
            cursor.execute(ALONE, values)
            cursor.execute(COUNTED, values)
            since = (cursor.fetchone() or (None,))[0] or stage.began
            if until <= since:
                return
            values |= {"since": since, "growing": since}
            if until - since >= SHORTEST:
                cursor.execute(GROWING, values)
                values["growing"] = (cursor.fetchone() or (None,))[0] or since
                cursor.execute(ADD_LATE, values)
            for statement in (COUNT_SPAN, ADD_RATERS):
                cursor.execute(statement, values)

    def counts(self, stage: Comparison, *, since: datetime, until: datetime) -> dict[Track, Counted]:
        """Add up the spans that ended after `since`, up to `until`, by the side of the experiment."""
        with self._transaction() as cursor:
            cursor.execute(COUNTS, _values(stage, since, until))
            found = {Track(track): _counted(figures) for track, *figures in cursor.fetchall()}
        return {track: found.get(track, Counted(counts=UNKNOWN, fallbacks=0)) for track in Track}

    def ratings(self, stage: Comparison, *, since: datetime, until: datetime) -> tuple[HourOfRatings, ...]:
        """List the first ratings of every complete hour from one full hour to another, also of hours without any."""
        since, until = floor(since), floor(until)
        with self._transaction() as cursor:
            cursor.execute(RATINGS, _values(stage, since, until))
            return tuple(_ratings(cursor.fetchall(), since, until))

    def segments(self, stage: Comparison, *, since: datetime, until: datetime) -> tuple[Segment, ...]:
        """How often users of each side asked for which target."""
        sides = (Track.PRODUCTION.value, Track.CANDIDATE.value)
        first, second = reversed(sides) if stage.is_swapped else sides
        with self._transaction() as cursor:
            cursor.execute(SEGMENTS, {**_values(stage, since, until), "first": first, "second": second})
            return tuple(Segment(target=name, production=old, candidate=new) for name, old, new in cursor.fetchall())

    def clock(self) -> datetime:
        """Return the database's own time."""
        with self._transaction() as cursor:
            cursor.execute(CLOCK)
            (now,) = cursor.fetchone() or (None,)
        if not isinstance(now, datetime):
            raise MetricsError("the database does not know the time")
        return now


def floor(at: datetime) -> datetime:
    """Return the beginning of the hour."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _values(stage: Comparison, since: datetime, until: datetime) -> dict[str, Any]:
    return {
        "experiment_id": stage.experiment.experiment_id,
        "workload": stage.experiment.workload,
        "production": stage.experiment.production,
        "candidate": stage.experiment.candidate,
        "stage_at": stage.began,
        "slow_ms": stage.slow_ms,
        "swapped": stage.is_swapped,
        "since": since,
        "until": until,
        "late": LATE,
    }


def _counted(figures: Sequence[Any]) -> Counted:
    requests, bad, clients, fallbacks = (float(figure) for figure in figures)
    return Counted(
        counts=TrackCounts(requests=requests, bad_requests=bad, new_clients=clients), fallbacks=int(fallbacks)
    )


def _ratings(rows: Sequence[tuple[Any, ...]], since: datetime, until: datetime) -> Iterator[HourOfRatings]:
    """Every hour, also one without ratings: it lets time pass."""
    said = {(hour.astimezone(UTC), track): tuple(ratings) for hour, track, ratings in rows}
    hour = since
    while hour < until:
        old, new = (said.get((hour, track.value), ()) for track in Track)
        yield HourOfRatings(hour=hour, production=old, candidate=new)
        hour += HOUR
