"""Everything the plain rule reads of an experiment up to a moment. A source that is away leaves a gap, not a guess."""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from ratchet.contracts.errors import MetricsError
from ratchet.contracts.policy import Evidence, TrackEvidence
from ratchet.contracts.ports import Feedback, LiveMetrics, Release, Track
from ratchet.observe.hours import Comparison
from ratchet.observe.looks import track_of

_log = logging.getLogger(__name__)
Figure = TypeVar("Figure")


def gather(
    comparison: Comparison,
    *,
    production: Release,
    candidate: Release,
    metrics: LiveMetrics,
    feedback: Feedback,
    at: datetime,
) -> Evidence:
    """Measure both sides from the comparison's start to `at`; what cannot be measured is None, and logged."""
    look = partial(_look, metrics=metrics, feedback=feedback, since=comparison.began, until=at)
    tracks = {side: track_of(side, is_swapped=comparison.is_swapped) for side in Track}
    return Evidence(
        experiment_id=comparison.experiment.experiment_id,
        at=at,
        since=comparison.began,
        production=look(production, tracks[Track.PRODUCTION]),
        candidate=look(candidate, tracks[Track.CANDIDATE]),
    )


def _look(
    release: Release, track: Track, *, metrics: LiveMetrics, feedback: Feedback, since: datetime, until: datetime
) -> TrackEvidence:
    name = release.name_on(track)
    window = {"since": since, "until": until}
    said = _measure(partial(feedback.ratings, release.workload, release.release_id, **window), name)
    return TrackEvidence(
        release=name,
        requests=_measure(partial(metrics.requests, release.workload, track, name, **window), name),
        errors=_measure(partial(metrics.errors, release.workload, track, name, **window), name),
        latency_ms=_measure(partial(metrics.latency_ms, release.workload, track, name, **window), name),
        ratings=said.count if said else None,
        rating=said.mean if said else None,
    )


def _measure(ask: Callable[[], Figure | None], release: str) -> Figure | None:
    try:
        return ask()
    except MetricsError as error:
        _log.warning("no figure for %s: %s", release, error)
        return None
