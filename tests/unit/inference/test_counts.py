"""Counters of several real worker processes, through the death of some."""

import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry

from inference import counts

WORKER = """
import os, sys
from prometheus_client import CollectorRegistry
from ratchet.contracts.ports import Track
from ratchet.serve.metrics import ServeMetrics
meters = ServeMetrics(CollectorRegistry(), track=Track.PRODUCTION).of("parcels", "production", "BO1")
for _ in range(int(sys.argv[1])):
    meters.count(200, 0.004)
meters.rate(3)
print(os.getpid())
"""

SAYS = 'release="BO1",status="200",track="production",workload="parcels"'


@pytest.fixture
def folder(tmp_path):
    counts.start_afresh(tmp_path / "counts")
    return tmp_path / "counts"


def work(folder, requests):
    """Count in a process of its own, which has ended when this returns; its id."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(requests)],
        env={"PROMETHEUS_MULTIPROC_DIR": str(folder), "PYTHONPATH": "src:."},
        capture_output=True,
        check=True,
        text=True,
    )
    return int(done.stdout)


def render(folder):
    text = counts.render(folder, CollectorRegistry()).decode()
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_the_counts_of_all_workers_are_one(folder):
    work(folder, 3)
    work(folder, 4)
    assert render(folder)[f"ratchet_requests_total{{{SAYS}}}"] == "7.0"


def test_a_dead_workers_counts_stay_and_its_files_go(folder):
    first, second = work(folder, 3), work(folder, 4)
    before = render(folder)
    counts.bury(folder, first)
    assert render(folder) == before
    counts.bury(folder, second)
    counts.bury(folder, second)
    assert render(folder) == before
    assert {path.name for path in folder.glob("*.db")} == {"counter_0.db", "histogram_0.db", "summary_0.db"}


def test_a_new_service_counts_from_zero(folder):
    work(folder, 3)
    counts.start_afresh(folder)
    assert render(folder) == {}


def test_what_a_dead_worker_served_is_not_counted(tmp_path):
    (tmp_path / "gauge_liveall_77.db").touch()
    (tmp_path / "gauge_liveall_78.db").touch()
    counts.bury(tmp_path, 77)
    assert [path.name for path in tmp_path.glob("gauge*")] == ["gauge_liveall_78.db"]
