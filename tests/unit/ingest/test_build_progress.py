"""A build says how far it has come, file by file to who listens, now and then to the log; and which files were of no use."""

import gzip
import itertools
import json
import logging
import sys
from datetime import UTC, datetime, timedelta

import pytest

from fakes.source import FakeSource
from ratchet import ingest, workloads
from ratchet.ingest.bronze import FolderBronze
from ratchet.ingest.warehouse.build import build
from ratchet.ingest.warehouse.progress import Building, ToLog

pytestmark = pytest.mark.usefixtures("warm_dbt")

WORKLOAD = workloads.find("github_activity")
MONDAY = datetime(2026, 2, 9, tzinfo=UTC)


def hour_file(hour: datetime, *stars: tuple[int, str]) -> bytes:
    about = {"created_at": f"{hour:%Y-%m-%dT%H:%M:%SZ}", "actor": {"login": "ada"}, "payload": {"action": "started"}}
    starred = [{"id": repo_id, "name": name} for repo_id, name in stars or [(1, "a/b")]]
    events = [{"id": f"{hour:%d%H}", "type": "WatchEvent", "repo": repo, **about} for repo in starred]
    return gzip.compress("\n".join(map(json.dumps, events)).encode())


@pytest.fixture
def home(tmp_path):
    """Twenty hours that have landed."""
    hours = [MONDAY + timedelta(hours=at) for at in range(20)]
    ingest.land(
        FakeSource({hour: [hour_file(hour)] for hour in hours}, name="github_archive"), bronze=tmp_path / "bronze"
    )
    return tmp_path


@pytest.mark.parametrize("alone_bytes", [1 << 30, 0], ids=["read here", "read by several processes"])
def test_each_file_that_was_read_is_told_and_then_that_dbt_takes_them_in(home, monkeypatch, alone_bytes):
    monkeypatch.setattr("ratchet.ingest.warehouse.read._ALONE_BYTES", alone_bytes)
    monkeypatch.setattr(sys.modules[build.__module__], "_BATCH_FILES", 15)
    told: list[Building] = []
    bronze = FolderBronze(home / "bronze")
    build(WORKLOAD, home=home, bronze=bronze, sources=["github_archive"], progress=told.append)
    assert [(at.files, at.is_modelled) for at in told] == [
        *((at, False) for at in range(1, 16)),
        (15, True),
        *((at, False) for at in range(16, 21)),
        (20, True),
    ]
    assert {(at.of_files, at.of_bytes) for at in told} == {(20, told[-1].bytes)}
    assert [at.bytes for at in told] == sorted(at.bytes for at in told)


def test_the_log_of_a_build_that_nobody_listens_to_says_how_far_it_is(home, caplog):
    caplog.set_level(logging.INFO)
    build(WORKLOAD, home=home, bronze=FolderBronze(home / "bronze"), sources=["github_archive"])
    assert "github_activity: 20 of 20 files read, 0.0 of 0.0 MB; dbt takes in what is new" in caplog.text


def test_the_log_says_it_twice_a_minute_while_much_is_read(caplog):
    caplog.set_level(logging.INFO)
    seconds = itertools.count(0, 4)
    say = ToLog(clock=lambda: float(next(seconds)))
    for files in range(1, 31):
        say(
            Building(
                workload="w",
                files=files,
                of_files=1000,
                bytes=files * 10**8,
                of_bytes=10**11,
                is_modelled=False,
            )
        )
    assert [record.message.split(" read")[0] for record in caplog.records] == [
        f"w: {files} of 1,000 files" for files in (8, 16, 24)
    ]
    assert caplog.records[0].message == "w: 8 of 1,000 files read, 800.0 of 100,000.0 MB"


def test_files_of_which_nothing_can_be_read_are_named_with_what_is_wrong(home, caplog):
    pages = {MONDAY + timedelta(hours=at): [gzip.compress(b"<html>\nlog in")] for at in range(30, 42)}
    ingest.land(FakeSource(pages, name="github_archive"), bronze=home / "bronze")
    build(WORKLOAD, home=home, bronze=FolderBronze(home / "bronze"), sources=["github_archive"])
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 11
    assert (
        told[0] == "github_activity: github_archive 2026-02-10/6.json.gz: none of its 2 records can be read: not JSON"
    )
    assert told[-1] == "github_activity: and 2 files more of which nothing can be read"


def test_the_log_tells_of_whom_the_archive_counts_no_more_the_ten_largest(home, caplog):
    """Twelve names that another repository has two hours later; the last of the twelve had two stars before."""
    former, later = [(100 + at, f"x/{at}") for at in range(12)], [(200 + at, f"x/{at}") for at in range(12)]
    stars = {30: former, 31: former[-1:], 32: later}
    hours = {MONDAY + timedelta(hours=at): [hour_file(MONDAY + timedelta(hours=at), *stars[at])] for at in stars}
    ingest.land(FakeSource(hours, name="github_archive"), bronze=home / "bronze")
    build(WORKLOAD, home=home, bronze=FolderBronze(home / "bronze"), sources=["github_archive"])
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 11
    assert told[0].startswith("github_activity: x/11 was repository 111, and is another one now: ")
    assert told[0].endswith(" counts no more, 2 in all of commits, stars, issues and pull requests")
    assert told[-1] == "github_activity: and 2 notices more in silver.notices"


def test_the_log_tells_of_it_once_and_of_what_has_changed_since(home, caplog):
    def told_after(hours):
        caplog.clear()
        landing = {MONDAY + timedelta(hours=at): [hour_file(MONDAY + timedelta(hours=at), *on)] for at, on in hours}
        ingest.land(FakeSource(landing, name="github_archive"), bronze=home / "bronze")
        build(WORKLOAD, home=home, bronze=FolderBronze(home / "bronze"), sources=["github_archive"])
        return [record.message.split(",")[0] for record in caplog.records if record.levelno == logging.WARNING]

    both = [(30, [(101, "x/1"), (102, "x/2")]), (31, [(201, "x/1"), (102, "x/2")])]
    assert told_after(both) == ["github_activity: x/1 was repository 101"]
    assert told_after([(32, [(201, "x/1")])]) == []
    assert told_after([(33, [(202, "x/2")])]) == ["github_activity: x/2 was repository 102"]
    assert told_after([(34, [(202, "x/2")])]) == []
