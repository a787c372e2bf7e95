"""Faults that the running stack cannot be asked for, under constant load: a track that hangs, a clock that jumps, a spool that is full.

Real PostgreSQL, gunicorn and nginx; `tests/e2e/test_faults_of_the_stack.py` has all that fails in a whole stack.
"""

import http.client
import json
import os
import re
import signal
import time
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

import steady
from ratchet.stack.health import wait_for
from ratchet.stack.services import tool
from rig import PREDICT, UNLIMITED, WORKLOAD, Rig
from steady import Load

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = float(os.environ.get("FAULT_SECONDS", "3"))
KILLS = int(os.environ.get("FAULT_KILLS", "2"))
QUESTION = {"depot": "north/a", "target": "sent", "horizon": 12}


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
    return Load(rig.stack.settings.router_port, rig.key, PREDICT, QUESTION)


def assert_nothing_is_missing(rig, load):
    steady.assert_nothing_is_missing(rig.database, load)


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


def test_batches_while_workers_are_killed(rig):
    """Each is put together by the thread that watches all connections, and is small enough to leave in one piece."""
    items = [QUESTION | {"target": target, "horizon": weeks} for target in ("sent", "lost") for weeks in range(1, 13)]
    load = Load(rig.stack.settings.router_port, rig.key, f"{PREDICT}/batch", {"items": items})
    with load:
        for turn in range(2 * KILLS):
            track = ("production", "candidate")[turn % 2]
            psutil.Process(rig.processes[f"inference-{track}"].pid).children()[0].kill()
            time.sleep(min(SECONDS / 2, 2))
    assert len(load.ids) % len(items) == 0
    assert_nothing_is_missing(rig, load)


def test_the_only_worker_killed_again_and_again_where_no_candidate_serves(rig, load):
    rig.stop("inference-candidate")
    rig.stop("inference-production")
    rig.start("inference-production", WEB_WORKERS="1")
    rig.wait_track(rig.stack.settings.production_port)
    rig.share(0)
    try:
        with load:
            for _ in range(KILLS):
                for worker in psutil.Process(rig.processes["inference-production"].pid).children():
                    worker.kill()
                time.sleep(2)
    finally:
        rig.stop("inference-production")
        for track in ("production", "candidate"):
            rig.start_track(track)
        rig.share(50)
    assert_nothing_is_missing(rig, load)


def test_a_clock_that_jumps_a_day_ahead_and_back(rig, load):
    jumps = rig.stack.home.folder / "jumps"
    jumps.write_text("0")
    rig.stop("inference-production")
    command = [tool("gunicorn"), "-c", "inference/gunicorn_conf.py", "jumping:application()"]
    path = os.pathsep.join([str(Path(__file__).parent), "src", "."])
    rig.start("inference-production", command=command, JUMPS=str(jumps), PYTHONPATH=path)
    rig.wait_track(rig.stack.settings.production_port)
    rig.share(0)
    with load:
        for jump in (86_400, 0, -3600, 0):
            jumps.write_text(str(jump))
            time.sleep(SECONDS / 2)
    rig.share(50)
    rig.stop("inference-production")
    rig.start_track("production")
    assert_nothing_is_missing(rig, load)
    assert rig.hours_logged() >= 3


def test_an_operator_may_ask_for_a_track_and_nobody_else(rig):
    def tracks(key):
        client = http.client.HTTPConnection("127.0.0.1", rig.stack.settings.router_port, timeout=5)
        seen = set()
        for number in range(20):
            headers = {"X-API-Key": key, "X-User-Id": f"user-{number}", "X-Track": "candidate"}
            client.request("POST", PREDICT, json.dumps(QUESTION), headers)
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
    enough = 6000  # a row has 240 bytes: more than fits
    fast = Load(rig.stack.settings.router_port, rig.key, PREDICT, QUESTION, pause=0)
    with fast:
        while len(fast.ids) < enough:
            time.sleep(0.1)
    assert fast.failed == []
    time.sleep(0.6)
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lost = int(float(re.search(r"^ratchet_log_lost_total{.*} (\S+)$", answer.read().decode(), re.MULTILINE)[1]))
    rig.start("postgres")
    wait_for("PostgreSQL", rig.postgres.is_ready, timeout=30, look="its log")
    end = time.monotonic() + 30
    while len(set(fast.ids) & steady.logged(rig.database).keys()) < len(fast.ids) - lost and time.monotonic() < end:
        time.sleep(0.3)
    kept = len(set(fast.ids) & steady.logged(rig.database).keys())
    assert (lost > 0, kept + lost) == (True, len(fast.ids))
    assert "records are lost" in Path(rig.stack.home.logs / "inference-production.log").read_text()
