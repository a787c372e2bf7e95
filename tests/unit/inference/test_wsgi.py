"""gunicorn serves the application as it is configured."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from gunicorns import ROOT, Gunicorn, environment, free_port, leave_home

HEAVY = ["pandas", "mlflow", "sqlalchemy", "prophet", "sklearn", "statsmodels", "statsforecast", "alembic", "duckdb"]


@pytest.fixture
def home(tmp_path):
    return leave_home(tmp_path)


@pytest.fixture
def gunicorn(home):
    server = Gunicorn(home, WEB_WORKERS="2")
    yield server
    server.stop()


def test_serving_loads_nothing_heavy(home):
    code = f"import inference.wsgi, sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(home), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_first_answer_needs_only_the_cache_and_comes_soon(gunicorn):
    assert gunicorn.first_answer() < 5, "alone on two cores it takes about 0.7 s; this bound is for a busy machine"


def test_a_killed_worker_is_replaced_and_neither_counts_nor_log_are_lost(gunicorn, home):
    gunicorn.first_answer()
    for _ in range(30):
        gunicorn.ask(body={"depot": "north/a", "target": "sent"})
    before = figure(gunicorn.ask("/metrics").decode(), "ratchet_requests_total")
    assert before == 31
    for child in children(gunicorn.process.pid):
        os.kill(child, signal.SIGKILL)
    time.sleep(1.5)
    gunicorn.first_answer()
    text = gunicorn.ask("/metrics").decode()
    assert figure(text, "ratchet_requests_total") == before + 1
    assert figure(text, "ratchet_log_spool_records") == before + 1
    assert len(list((home / "run" / "counts-production").glob("counter_*.db"))) <= 3


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 16 MiB for all that serving keeps."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", place]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a small disk")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(disk):
    """Take what room there is, also what was held back by a block that no longer fitted."""
    for size in (1 << 16, 1):
        with suppress(OSError), (disk / "other").open("ab", buffering=0) as stream:
            while stream.write(bytes(size)):
                pass


def test_a_full_disk_ends_no_worker_and_what_it_costs_is_counted(small_disk):
    gunicorn = Gunicorn(leave_home(small_disk), WEB_WORKERS="2")
    try:
        gunicorn.first_answer()
        master, workers = gunicorn.process.pid, children(gunicorn.process.pid)
        fill(small_disk)
        for _ in range(10):
            gunicorn.ask(body={"depot": "north/a", "target": "sent"})
        assert children(master) == workers
        os.kill(workers[0], signal.SIGKILL)
        time.sleep(1.5)
        for _ in range(10):
            gunicorn.ask(body={"depot": "north/a", "target": "sent"})
        assert (gunicorn.process.poll(), len(children(master))) == (None, 2)
        text = gunicorn.ask("/metrics").decode()
        assert figure(text, "ratchet_requests_total") == 21
        assert figure(text, "ratchet_log_lost_total") + figure(text, "ratchet_log_spool_records") == 21
        assert figure(text, "ratchet_log_lost_total") > 10
    finally:
        gunicorn.stop()


def figure(text, name):
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(f"{name}{{"))


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_without_a_secret_it_does_not_start(home):
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "inference/gunicorn_conf.py", "inference.wsgi:application()"],
        env=environment(home, PREDICTION_SECRET="", PRODUCTION_PORT=str(free_port())),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode != 0
    assert "PREDICTION_SECRET is not set" in done.stderr
    assert "Traceback" not in done.stderr
