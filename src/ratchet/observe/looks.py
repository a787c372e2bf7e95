"""One look at an experiment, filled from the forecast log, feedback and the live metrics. What is missing is said, never made up."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from ratchet.contracts.errors import MetricsError
from ratchet.contracts.look import Cadence, HourOfRatings, Look, TrackCounts
from ratchet.contracts.ports import LiveMetrics, Track
from ratchet.observe.hours import HOUR, UNKNOWN, Comparison, Counted, PostgresHours

SHORTEST: Final = timedelta(seconds=15)
"""No scrape may have fallen into less than this."""
APART: Final = timedelta(seconds=30)
"""Clocks that differ by more cannot say which hour a rating belongs to."""


class Clocked(LiveMetrics, Protocol):
    """Live metrics that know what time it is for them."""

    def clock(self) -> datetime:
        """Their own time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a look covers: everything since the one before it."""

    after: datetime
    at: datetime
    ratings_after: datetime | None
    """The newest hour of ratings that a look has held."""
    cadence: Cadence


def fill_look(hours: PostgresHours, metrics: Clocked, comparison: Comparison, window: Window) -> Look:
    """Count what is new and make it one look. What is away leaves gaps, never zeros.

    Between the hourly looks only guardrails judge: they take what the log knows for certain, also while metrics are away.
    """
    is_hourly = window.cadence is Cadence.HOURLY
    try:
        hours.count(comparison, window.at)
        sides = hours.counts(comparison, since=window.after, until=window.at)
        ratings = _ratings(hours, comparison, window) if is_hourly else ()
        gaps = _clocks_apart({"the database": hours.clock()}) if is_hourly else []
    except MetricsError as error:
        gaps = [str(error)]
        return Look(
            at=window.at,
            production=UNKNOWN,
            candidate=UNKNOWN,
            hours=None,
            gaps=tuple(gaps),
            cadence=window.cadence,
        )
    if is_hourly:
        gaps += _gaps_of_metrics(metrics, comparison, window)
    lost = _lost(sides, {side: _failures(metrics, comparison, side, window) for side in Track})
    counts = {side: _with_lost(sides[side].counts, lost[side]) for side in Track}
    return Look(
        at=window.at,
        production=counts[Track.PRODUCTION],
        candidate=counts[Track.CANDIDATE],
        hours=ratings,
        gaps=tuple(gaps),
        cadence=window.cadence,
    )


def track_of(side: Track, *, is_swapped: bool) -> Track:
    """Where a side of the experiment is served: after a promotion each is on the other's track."""
    if not is_swapped:
        return side
    return Track.CANDIDATE if side is Track.PRODUCTION else Track.PRODUCTION


def _ratings(hours: PostgresHours, comparison: Comparison, window: Window) -> tuple[HourOfRatings, ...]:
    since = window.ratings_after + HOUR if window.ratings_after else comparison.began
    return hours.ratings(comparison, since=since, until=window.at)


def _clocks_apart(clocks: dict[str, datetime]) -> list[str]:
    now = datetime.now(UTC)
    return [
        f"clocks apart: {whose} is at {clock:%H:%M:%S}, the loop at {now:%H:%M:%S}"
        for whose, clock in clocks.items()
        if abs(clock - now) > APART
    ]


def _gaps_of_metrics(metrics: Clocked, comparison: Comparison, window: Window) -> list[str]:
    since = max(window.after, comparison.began)
    if window.at - since < SHORTEST:
        return []
    workload, gaps = comparison.experiment.workload, list[str]()
    try:
        for track in Track:
            gaps += metrics.gaps(workload, track, since=since, until=window.at)
        return gaps + _clocks_apart({"Prometheus": metrics.clock()})
    except MetricsError as error:
        return [str(error)]


def _failures(metrics: Clocked, comparison: Comparison, side: Track, window: Window) -> int | None:
    """Server errors that are in no log; None where the hourly look needs them and nobody knows."""
    since, track = max(window.after, comparison.began), track_of(side, is_swapped=comparison.is_swapped)
    if window.at - since < SHORTEST:
        return 0
    try:
        found = metrics.failures(comparison.experiment.workload, track, since=since, until=window.at)
    except MetricsError:
        found = None
    return 0 if found is None and window.cadence is Cadence.MINUTE else found


def _lost(sides: dict[Track, Counted], failed: dict[Track, int | None]) -> dict[Track, int | None]:
    """What each track failed to answer, without what the other one answered instead: that is logged as a fallback.

    The router asks both before it gives up. What neither could answer is a failure of each, whoever it was meant for, so
    that the track with the smaller share would look like the worse one: it says nothing about either.
    """
    lost = {side: max(count - sides[side].fallbacks, 0) for side, count in failed.items() if count is not None}
    neither = min(lost.values()) if len(lost) == len(failed) else 0
    return {side: lost[side] - neither if side in lost else None for side in failed}


def _with_lost(counts: TrackCounts, lost: int | None) -> TrackCounts:
    if lost is None or counts.requests is None or counts.bad_requests is None:
        return TrackCounts(requests=None, bad_requests=None, new_clients=counts.new_clients)
    return TrackCounts(
        requests=counts.requests + lost, bad_requests=counts.bad_requests + lost, new_clients=counts.new_clients
    )
