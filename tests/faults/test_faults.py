"""Everything around serving fails in turn, under constant load: no forecast fails, and each one answered is in the log once.

Real PostgreSQL, gunicorn and nginx. `make faults` runs the same with longer faults (FAULT_SECONDS=60, FAULT_SWAPS=50).
"""

import http.client
import json
import os
import re
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.request import urlopen

import psutil
import psycopg2
import pytest

from rig import PREDICT, UNLIMITED, WORKLOAD, Rig

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = float(os.environ.get("FAULT_SECONDS", "3"))
KILLS = int(os.environ.get("FAULT_KILLS", "2"))
SWAPS = int(os.environ.get("FAULT_SWAPS", "8"))
SWAP_EVERY = float(os.environ.get("FAULT_SWAP_EVERY", "0.7"))
QUESTION = json.dumps({"depot": "north/a", "target": "sent", "horizon": 12})
LOGGED = "SELECT prediction_id FROM forecasts"


class Load:
    """People who ask over and over, each on a connection that stays; every answer and every failure is kept."""

    def __init__(self, port, key, *, people=4, pause=0.01):
        self.ids, self.failed, self.releases = [], [], Counter()
        self._port, self._key, self._pause, self._stop = port, key, pause, threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(f"user-{number}",)) for number in range(people)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_):
        time.sleep(0.5)
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def _run(self, user):
        client = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        headers = {"X-API-Key": self._key, "X-User-Id": user}
        while not self._stop.is_set():
            try:
                client.request("POST", PREDICT, QUESTION, headers)
                answer = client.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                client.close()
                continue
            if answer.status == 200:
                self.ids.append(json.loads(body)["prediction_id"])
                self.releases[answer.headers["X-Release"]] += 1
            else:
                self.failed.append((answer.status, body[:200]))
            time.sleep(self._pause)
        client.close()


@pytest.fixture(scope="module")
def rig(make_stack):
    rig = Rig(make_stack(workloads=WORKLOAD, poll_seconds=0.3, web_workers=2, **UNLIMITED))
    try:
        rig.prepare()
        rig.entries = [rig.add_release(), rig.add_release()]
        rig.registry.aliases.update(production=rig.entries[0], candidate=rig.entries[1])
        rig.share(50)
        for track in ("production", "candidate"):
            rig.start_track(track)
        rig.start_router()
        yield rig
    finally:
        rig.close()


@pytest.fixture
def load(rig):
    return Load(rig.stack.settings.router_port, rig.key)


def logged(rig):
    connection = psycopg2.connect(rig.database)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(LOGGED)
            return Counter(row[0] for row in cursor.fetchall())
    finally:
        connection.close()


def assert_nothing_is_missing(rig, load, *, timeout=30):
    """No forecast failed, and each that was answered is in the log exactly once."""
    assert load.failed == []
    assert len(load.ids) == len(set(load.ids)) > 50
    end = time.monotonic() + timeout
    while missing := set(load.ids) - logged(rig).keys():
        assert time.monotonic() < end, f"{len(missing)} of {len(load.ids)} forecasts are not in the log"
        time.sleep(0.3)
    assert max(logged(rig).values()) == 1


@pytest.mark.parametrize("track", ["production", "candidate"])
def test_a_killed_worker(rig, load, track):
    with load:
        for _ in range(KILLS):
            for worker in psutil.Process(rig.processes[f"inference-{track}"].pid).children()[:1]:
                worker.send_signal(signal.SIGKILL)
            time.sleep(1)
    assert_nothing_is_missing(rig, load)


@pytest.mark.parametrize("track", ["production", "candidate"])
def test_a_killed_master_with_all_its_workers(rig, load, track):
    master = psutil.Process(rig.processes[f"inference-{track}"].pid)
    with load:
        for process in [*master.children(recursive=True), master]:
            process.send_signal(signal.SIGKILL)
        rig.processes.pop(f"inference-{track}").wait(timeout=10)
        time.sleep(1.5)
        rig.start_track(track)  # as the supervisor does
    assert_nothing_is_missing(rig, load)


def test_the_database_away(rig, load):
    with load:
        rig.stop("postgres", signal.SIGINT)
        time.sleep(SECONDS)
        rig.start("postgres")
        rig.postgres.wait_until_ready(timeout=30)
    assert_nothing_is_missing(rig, load)


def test_the_registry_away(rig, load):
    with load:
        rig.registry.stop()
        time.sleep(SECONDS / 2)
        rig.registry.start()
    assert_nothing_is_missing(rig, load)


def test_a_hung_candidate(rig, load):
    workers = psutil.Process(rig.processes["inference-candidate"].pid).children()
    try:
        with load:
            for worker in workers:
                worker.suspend()
            time.sleep(4)
    finally:
        for worker in workers:
            worker.resume()
    assert_nothing_is_missing(rig, load)


def test_many_swaps_in_a_row(rig, load):
    with load:
        for swap in range(SWAPS):
            rig.registry.aliases["production"] = rig.entries[(swap + 1) % 2]
            time.sleep(SWAP_EVERY)
        rig.registry.aliases["production"] = rig.entries[0]
    assert_nothing_is_missing(rig, load)
    assert {"BO1", "BO2"} <= set(load.releases)


def test_an_operator_may_ask_for_a_track_and_nobody_else(rig):
    def tracks(key):
        client = http.client.HTTPConnection("127.0.0.1", rig.stack.settings.router_port, timeout=5)
        seen = set()
        for number in range(20):
            headers = {"X-API-Key": key, "X-User-Id": f"user-{number}", "X-Track": "candidate"}
            client.request("POST", PREDICT, QUESTION, headers)
            answer = client.getresponse()
            assert (answer.status, json.loads(answer.read())["track"]) == (200, answer.headers["X-Track"])
            seen.add(answer.headers["X-Track"])
        client.close()
        return seen

    end = time.monotonic() + 8  # the router leaves a track that has failed alone for a while
    while tracks(rig.operator_key) != {"candidate"}:
        assert time.monotonic() < end
        time.sleep(0.5)
    assert tracks(rig.key) == {"production", "candidate"}


def test_a_spool_without_room_answers_on_and_counts_every_record_it_lost(rig):
    rig.stop("inference-candidate")
    rig.stop("postgres", signal.SIGINT)
    rig.stop("inference-production")
    rig.start("inference-production", LOG_SPOOL_MAX_MB="1", WEB_WORKERS="1")
    port = rig.stack.settings.production_port
    rig.wait(f"http://127.0.0.1:{port}/api/{WORKLOAD}/release", key=rig.key)
    enough = 1000  # more than fits
    fast = Load(rig.stack.settings.router_port, rig.key, pause=0)
    with fast:
        while len(fast.ids) < enough:
            time.sleep(0.1)
    assert fast.failed == []
    time.sleep(0.6)
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lost = int(float(re.search(r"^ratchet_log_lost_total{.*} (\S+)$", answer.read().decode(), re.MULTILINE)[1]))
    rig.start("postgres")
    rig.postgres.wait_until_ready(timeout=30)
    end = time.monotonic() + 30
    while len(set(fast.ids) & logged(rig).keys()) < len(fast.ids) - lost and time.monotonic() < end:
        time.sleep(0.3)
    kept = len(set(fast.ids) & logged(rig).keys())
    assert (lost > 0, kept + lost) == (True, len(fast.ids))
    assert "records are lost" in Path(rig.stack.home.logs / "inference-production.log").read_text()
