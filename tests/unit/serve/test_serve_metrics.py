import os
import time
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from ratchet.contracts.ports import Track
from ratchet.serve.answer import Answerer
from ratchet.serve.log_lines import seal
from ratchet.serve.metrics import ServeMetrics, StateCollector
from ratchet.serve.release import open_release
from ratchet.serve.spool import Spool
from ratchet.serve.swap import ReleaseSlot, Serving
from releases import DATA_HOUR, make_release, registered

OF = {"workload": "parcels", "track": "production", "release": "BO1"}


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def metrics(registry):
    return ServeMetrics(registry, track=Track.PRODUCTION)


@pytest.fixture
def serving(tmp_path):
    make_release(tmp_path / "r1")
    return Serving(release=registered(tmp_path / "r1"), name="BO1", opened=open_release(tmp_path / "r1", verify=True))


def test_everything_is_there_at_zero_before_the_first_request(registry, metrics, serving):
    metrics.loaded(serving, Track.PRODUCTION)
    for status in ("200", "404", "422", "500"):
        assert registry.get_sample_value("ratchet_requests_total", {**OF, "status": status}) == 0
    for target in ("sent", "lost"):
        assert registry.get_sample_value("ratchet_forecasts_total", {**OF, "target": target}) == 0
    for name in ("ratchet_request_seconds_count", "ratchet_request_seconds_sum", "ratchet_feedback_ratings_count"):
        assert registry.get_sample_value(name, OF) == 0
    assert registry.get_sample_value("ratchet_feedback_ratings_sum_squares_total", OF) == 0
    assert (
        registry.get_sample_value("ratchet_release_refused_total", {"workload": "parcels", "track": "production"}) == 0
    )
    assert registry.get_sample_value("ratchet_log_lost_total", {"track": "production"}) == 0


def test_only_answered_forecasts_have_a_latency(registry, metrics):
    meters = metrics.of("parcels", "production", "BO1")
    meters.count(200, 0.004)
    meters.count(404, 0.001)
    meters.count(503, 0.001)
    assert registry.get_sample_value("ratchet_requests_total", {**OF, "status": "503"}) == 1
    assert registry.get_sample_value("ratchet_request_seconds_count", OF) == 1
    assert registry.get_sample_value("ratchet_request_seconds_sum", OF) == 0.004
    assert registry.get_sample_value("ratchet_request_seconds_bucket", {**OF, "le": "0.0005"}) == 0


def test_ratings_are_sufficient_statistics(registry, metrics):
    for rating in (2, 5):
        metrics.of("parcels", "production", "BO1").rate(rating)
    assert registry.get_sample_value("ratchet_feedback_ratings_count", OF) == 2
    assert registry.get_sample_value("ratchet_feedback_ratings_sum", OF) == 7
    assert registry.get_sample_value("ratchet_feedback_ratings_sum_squares_total", OF) == 29


def test_meters_made_by_feedback_count_forecasts_later(registry, metrics, serving):
    metrics.of("parcels", "production", "BO1").rate(3)
    metrics.loaded(serving, Track.PRODUCTION)
    metrics.of("parcels", "production", "BO1").answered("sent")
    assert registry.get_sample_value("ratchet_forecasts_total", {**OF, "target": "sent"}) == 1


def test_the_state_is_looked_up_when_it_is_asked_for(tmp_path, serving):
    slot = ReleaseSlot("parcels", Track.PRODUCTION)
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20, fsync=False, on_lost=lambda _: None)
    registry = CollectorRegistry()
    registry.register(
        StateCollector(
            answerer=Answerer([slot]), spool=spool, track=Track.PRODUCTION, clock=lambda: DATA_HOUR + timedelta(hours=2)
        )
    )
    assert b"ratchet_release_info{" not in generate_latest(registry)
    slot.current = serving
    spool.append({"n": 1})
    assert registry.get_sample_value("ratchet_release_info", {**OF, "release_id": "r1"}) == 1
    assert registry.get_sample_value("ratchet_data_age_seconds", OF) == 7200
    assert registry.get_sample_value("ratchet_log_spool_records", {"track": "production"}) == 1
    assert registry.get_sample_value("ratchet_log_spool_bytes", {"track": "production"}) == len(seal(b'{"n":1}\n'))
    [segment] = spool.folder.glob("*.open")
    os.utime(segment, (time.time() - 700, time.time() - 700))
    assert registry.get_sample_value("ratchet_log_spool_oldest_seconds", {"track": "production"}) == pytest.approx(
        700, abs=5
    )
    spool.close()


def test_a_worker_says_which_release_it_serves_and_when_it_serves_none(registry, metrics, serving):
    labels = {"workload": "parcels", "track": "production", "release_id": serving.release.release_id}
    metrics.loaded(serving, Track.PRODUCTION)
    assert registry.get_sample_value("ratchet_worker_release", labels) == 1
    metrics.emptied("parcels", Track.PRODUCTION)
    assert registry.get_sample_value("ratchet_worker_release", labels) == 0
