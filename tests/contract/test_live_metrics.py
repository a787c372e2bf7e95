import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from urllib.request import urlopen

import pytest

from fakes import FakeAnswer, FakeLiveMetrics
from ratchet.contracts.errors import MetricsError
from ratchet.contracts.ports import Track
from ratchet.observe import PrometheusMetrics
from web import wait_until_ready

CONFIG = """
global: {{scrape_interval: 500ms}}
scrape_configs:
  - job_name: serving
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
ODD = 'w"\\\n{}'  # a label value with everything that needs escaping


class Counters:
    """A process that serves counters as the serving tracks do; `restart` forgets them, as a restarted process would."""

    def __init__(self):
        self._values = {}
        self._lock = threading.Lock()

    def restart(self, workload):
        with self._lock:
            for name, labels in list(self._values):
                if dict(labels)["workload"] == workload:
                    del self._values[name, labels]

    def add(self, name, value, **labels):
        with self._lock:
            key = (name, tuple(labels.items()))
            self._values[key] = self._values.get(key, 0) + value

    def text(self):
        with self._lock:
            return "".join(f"{name}{{{self._labels(labels)}}} {v}\n" for (name, labels), v in self._values.items())

    @staticmethod
    def _labels(labels):
        escape = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
        return ",".join(f'{name}="{value.translate(escape)}"' for name, value in labels)


class FakeSide:
    """The fake, fed with answers."""

    def __init__(self):
        self.metrics = FakeLiveMetrics()

    def answer(self, workload, track, release, *, status=200, seconds=0.01, times=1):
        for _ in range(times):
            answer = FakeAnswer(
                workload=workload, track=track, release=release, at=datetime.now(UTC), status=status, seconds=seconds
            )
            self.metrics.answers.append(answer)

    def moment(self):
        time.sleep(0.002)
        return datetime.now(UTC)


class PrometheusSide:
    """A real Prometheus that scrapes our counters twice a second."""

    def __init__(self, counters, url):
        self.counters = counters
        self.url = url
        self.metrics = PrometheusMetrics(url)

    def answer(self, workload, track, release, *, status=200, seconds=0.01, times=1, endpoint="predict"):
        where = {"workload": workload, "track": track.value, "release": release, "endpoint": endpoint}
        self.counters.add("ratchet_requests_total", times, **where, status=str(status))
        self.counters.add("ratchet_request_seconds_sum", times * seconds, **where)
        self.counters.add("ratchet_request_seconds_count", times, **where)

    def moment(self):
        """Return a time by which everything answered so far has been scraped, and nothing that is answered from now on.

        A scrape counts from when it began: one that is under way now may still read what is answered next.
        """
        asked = time.time()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with urlopen(f"{self.url}/api/v1/query?query=timestamp(up)", timeout=5) as answer:
                result = json.load(answer)["data"]["result"]
            if result and (scraped := float(result[0]["value"][1])) > asked:
                return datetime.fromtimestamp(scraped + 0.001, UTC)
            time.sleep(0.05)
        pytest.fail("prometheus did not scrape within 20 s")


@pytest.fixture(scope="module")
def counters():
    return Counters()


@pytest.fixture(scope="module")
def exposition(counters):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(counters.text().encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def prometheus(exposition, tmp_path_factory):
    binary = shutil.which("prometheus")
    if not binary:
        pytest.skip("the program `prometheus` is not on PATH: the real adapter was not tried")
    home = tmp_path_factory.mktemp("prometheus")
    (home / "prometheus.yml").write_text(CONFIG.format(port=exposition))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [binary, f"--config.file={home}/prometheus.yml", f"--storage.tsdb.path={home}/data"]
    command.append(f"--web.listen-address={address}")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until_ready(f"http://{address}/-/ready", process, seconds=30)
    yield f"http://{address}"
    process.terminate()
    process.wait(timeout=20)


@pytest.fixture(params=["fake", "prometheus"])
def side(request):
    if request.param == "fake":
        return FakeSide()
    url = request.getfixturevalue("prometheus")
    return PrometheusSide(request.getfixturevalue("counters"), url)


@pytest.fixture
def workload(request):
    return f"{ODD} {request.node.name}"


def figures(side, workload, track, release, since, until):
    ask = (side.metrics.requests, side.metrics.errors, side.metrics.latency_ms)
    return [one(workload, track, release, since=since, until=until) for one in ask]


def test_what_was_never_seen_is_unknown_and_not_zero(side, workload):
    now = side.moment()
    assert figures(side, workload, Track.PRODUCTION, "BO1", now - timedelta(seconds=9), now) == [None, None, None]


def test_each_release_on_each_track_has_its_own_figures(side, workload):
    since = side.moment()
    side.answer(workload, Track.PRODUCTION, "BO1", times=60, seconds=0.02)
    side.answer(workload, Track.PRODUCTION, "BO1", times=20, seconds=0.06, status=503)
    side.answer(workload, Track.CANDIDATE, "CO2", times=7, seconds=0.5, status=422)
    until = side.moment()
    production = figures(side, workload, Track.PRODUCTION, "BO1", since, until)
    assert production == [80, 20, pytest.approx(30)]
    assert figures(side, workload, Track.CANDIDATE, "CO2", since, until) == [7, 0, pytest.approx(500)]
    assert figures(side, workload, Track.CANDIDATE, "BO1", since, until) == [None, None, None]


def test_only_the_window_counts(side, workload):
    side.answer(workload, Track.PRODUCTION, "BO1", times=1000, seconds=9, status=500)
    since = side.moment()
    side.answer(workload, Track.PRODUCTION, "BO1", times=3, seconds=0.1)
    until = side.moment()
    side.answer(workload, Track.PRODUCTION, "BO1", times=500, seconds=9, status=500)
    later = side.moment()
    assert figures(side, workload, Track.PRODUCTION, "BO1", since, until) == [3, 0, pytest.approx(100)]
    assert side.metrics.requests(workload, Track.PRODUCTION, "BO1", since=since, until=later) == 503


def test_a_window_without_traffic_has_no_requests_and_no_latency(side, workload):
    side.answer(workload, Track.PRODUCTION, "BO1", times=9)
    since = side.moment()
    until = side.moment()
    assert figures(side, workload, Track.PRODUCTION, "BO1", since, until) == [0, 0, None]


def test_metrics_that_are_away_are_no_zero():
    now = datetime.now(UTC)
    fake = FakeLiveMetrics()
    fake.away = True
    for metrics in (fake, PrometheusMetrics("http://127.0.0.1:1", timeout=1)):
        for ask in (metrics.requests, metrics.errors, metrics.latency_ms):
            with pytest.raises(MetricsError, match="away"):
                ask("w", Track.PRODUCTION, "BO1", since=now - timedelta(hours=1), until=now)


@pytest.fixture
def real(counters, prometheus):
    return PrometheusSide(counters, prometheus)


def test_other_endpoints_are_no_forecasts(real, workload):
    since = real.moment()
    real.answer(workload, Track.PRODUCTION, "BO1", endpoint="predict", times=2)
    real.answer(workload, Track.PRODUCTION, "BO1", endpoint="predict_batch", times=3)
    real.answer(workload, Track.PRODUCTION, "BO1", endpoint="feedback", times=50, status=500, seconds=7)
    until = real.moment()
    assert figures(real, workload, Track.PRODUCTION, "BO1", since, until) == [5, 0, pytest.approx(10)]


def test_a_restarted_process_loses_no_count(real, workload):
    real.answer(workload, Track.PRODUCTION, "BO1", times=100)
    since = real.moment()
    real.moment()
    real.answer(workload, Track.PRODUCTION, "BO1", times=40)
    real.moment()
    real.counters.restart(workload)
    real.answer(workload, Track.PRODUCTION, "BO1", times=30)
    for _ in range(5):  # what is added at the edges of a window is a scrape's share of it: of many scrapes it is little
        until = real.moment()
    real.answer(workload, Track.PRODUCTION, "BO1", times=30)
    counted = real.metrics.requests(workload, Track.PRODUCTION, "BO1", since=since, until=until)
    # `increase` extrapolates to the edges of a window of a few seconds; the counts themselves are 40 + 30.
    assert 70 <= counted <= 110


def test_something_that_is_not_prometheus_is_an_error(exposition):
    now = datetime.now(UTC)
    metrics = PrometheusMetrics(f"http://127.0.0.1:{exposition}")
    with pytest.raises(MetricsError, match="makes sense"):
        metrics.requests("w", Track.PRODUCTION, "BO1", since=now - timedelta(hours=1), until=now)


def test_an_address_without_a_server_is_refused():
    with pytest.raises(MetricsError, match="not the address"):
        PrometheusMetrics("prometheus:9090")
