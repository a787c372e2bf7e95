"""Every metric of serving, by name, in one place. The registry is passed in; several workers share one count."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ratchet.contracts.ports import Release, Track
from ratchet.serve.answer import Answerer
from ratchet.serve.segments import count_records, measure
from ratchet.serve.spool import Spool
from ratchet.serve.swap import Serving

RELEASE: Final = ("workload", "track", "release")
STATUSES_FROM_START: Final = ("200", "404", "422", "500")
SECONDS: Final = (
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
)  # fmt: skip


class ReleaseMeters:
    """What is counted about one release on one track. Its series exist at 0 from the moment it is loaded."""

    def __init__(self, metrics: "ServeMetrics", labels: tuple[str, str, str], targets: tuple[str, ...]) -> None:
        self._requests = metrics.requests
        self._forecasts = metrics.forecasts
        self._labels = labels
        self.by_status = {status: metrics.requests.labels(*labels, status) for status in STATUSES_FROM_START}
        self.by_target = {target: metrics.forecasts.labels(*labels, target) for target in targets}
        self.seconds = metrics.seconds.labels(*labels)
        self.ratings = metrics.ratings.labels(*labels)
        self.rating_squares = metrics.rating_squares.labels(*labels)

    def count(self, status: int, seconds: float | None) -> None:
        """Count a request; only answered ones for one forecast have a latency that says anything about forecasts."""
        name = str(status)
        child = self.by_status.get(name)
        if child is None:
            child = self.by_status.setdefault(name, self._requests.labels(*self._labels, name))
        child.inc()
        if status < 400 and seconds is not None:
            self.seconds.observe(seconds)

    def answered(self, target: str, count: int = 1) -> None:
        """Count answered forecasts."""
        child = self.by_target.get(target)
        if child is None:  # the meters were made by feedback, before the release was loaded here
            child = self.by_target.setdefault(target, self._forecasts.labels(*self._labels, target))
        child.inc(count)

    def rate(self, rating: float) -> None:
        """Add a rating to count, sum and sum of squares."""
        self.ratings.observe(rating)
        self.rating_squares.inc(rating * rating)


class ServeMetrics:
    """The counters of a serving process."""

    def __init__(self, registry: CollectorRegistry, *, track: Track) -> None:
        self._track = track
        self._lock = threading.Lock()
        self._meters: dict[tuple[str, str, str], ReleaseMeters] = {}
        self.requests = Counter(
            "ratchet_requests",
            "Requests for one forecast or a batch of them, by HTTP status",
            (*RELEASE, "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "ratchet_request_seconds", "Time to answer a forecast", RELEASE, buckets=SECONDS, registry=registry
        )
        self.forecasts = Counter("ratchet_forecasts", "Forecasts answered", (*RELEASE, "target"), registry=registry)
        self.ratings = Summary(
            "ratchet_feedback_ratings", "Ratings of the release that made the forecast", RELEASE, registry=registry
        )
        self.rating_squares = Counter(
            "ratchet_feedback_ratings_sum_squares", "Sum of the squares of ratings", RELEASE, registry=registry
        )
        self._refused = Counter(
            "ratchet_release_refused", "Releases that failed their check", ("workload", "track"), registry=registry
        )
        # One series per worker, which the library names by its process: a promotion is done when every worker serves the winner.
        self._worker = Gauge(
            "ratchet_worker_release",
            "1 for the release that a worker serves now",
            ("workload", "track", "release_id"),
            registry=registry,
            multiprocess_mode="liveall",
        )
        self._served: dict[str, str] = {}
        lost = Counter("ratchet_log_lost", "Records that the spool could not take", ("track",), registry=registry)
        rejected = Counter("ratchet_log_rejected", "Records that the database refused", ("track",), registry=registry)
        self._lost, self._rejected = lost.labels(track), rejected.labels(track)

    def of(self, workload: str, track: str, release: str, targets: tuple[str, ...] = ()) -> ReleaseMeters:
        """Return the meters of a release, made at 0 the first time."""
        labels = (workload, track, release)
        meters = self._meters.get(labels)
        if meters is None:
            with self._lock:
                meters = self._meters.setdefault(labels, ReleaseMeters(self, labels, targets))
        return meters

    def loaded(self, serving: Serving, track: Track) -> None:
        """Begin counting a release at 0, before its first request."""
        workload = serving.release.workload
        self._refused.labels(workload, track)
        self.of(workload, track, serving.name, serving.opened.card.targets)
        self._serve(workload, track, serving.release.release_id)

    def emptied(self, workload: str, track: Track) -> None:
        """Say that this worker serves nothing of a workload any more."""
        self._serve(workload, track, None)

    def _serve(self, workload: str, track: Track, release_id: str | None) -> None:
        before = self._served.pop(workload, None)
        if before is not None:
            self._worker.labels(workload, track, before).set(0)
        if release_id is not None:
            self._worker.labels(workload, track, release_id).set(1)
            self._served[workload] = release_id

    def refused(self, release: Release, track: Track) -> None:
        """Count a release that could not go live."""
        self._refused.labels(release.workload, track).inc()

    def lost(self, records: int) -> None:
        """Count records that are in no log."""
        self._lost.inc(records)

    def rejected(self) -> None:
        """Count a record that was set aside."""
        self._rejected.inc()


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCollector(Collector):
    """What is true when Prometheus asks: the loaded releases, their age, and how much log waits on disk."""

    answerer: Answerer
    spool: Spool
    track: Track
    clock: Callable[[], datetime]

    def collect(self) -> Iterator[Metric]:
        """Look now; nothing is remembered between two scrapes."""
        info = GaugeMetricFamily("ratchet_release_info", "Loaded release: 1", labels=(*RELEASE, "release_id"))
        age = GaugeMetricFamily("ratchet_release_age_seconds", "Since it was trained", labels=RELEASE)
        data_age = GaugeMetricFamily("ratchet_data_age_seconds", "Since its newest data", labels=RELEASE)
        now = self.clock()
        for serving in self.answerer.loaded():
            labels = (serving.release.workload, str(self.track), serving.name)
            info.add_metric((*labels, serving.release.release_id), 1)
            age.add_metric(labels, (now - serving.opened.made_at).total_seconds())
            data_age.add_metric(labels, (now - serving.opened.data_hour).total_seconds())
        yield from (info, age, data_age, *self._spool())

    def _spool(self) -> Iterator[Metric]:
        depth = measure(self.spool.folder)
        waits = max(time.time() - depth.oldest, 0.0) if depth.oldest is not None else 0.0
        for name, help_text, figure in (
            ("ratchet_log_spool_bytes", "Log on disk that the database lacks", depth.size),
            ("ratchet_log_spool_records", "The same in records", count_records(self.spool.folder)),
            ("ratchet_log_spool_oldest_seconds", "How long the oldest of it has waited", waits),
        ):
            gauge = GaugeMetricFamily(name, help_text, labels=("track",))
            gauge.add_metric((str(self.track),), figure)
            yield gauge
