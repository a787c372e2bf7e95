"""Runs against the REST API that are cut off or killed: the next one goes on where they were."""

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from api_runs import NAME, counts, rows, run, walks

from ratchet.contracts.errors import SourceError
from web import Asked, Reply, serve


def test_walks_that_are_cut_off_again_and_again_go_on_and_miss_nothing(host, repo, tmp_path, clock):
    for at in range(25, 150):
        repo.commit(f"c{at}")
        repo.star(at, at)
        repo.open(1000 + at, at, pull=True)
    _, asked = run(host, tmp_path / "whole", clock)
    dying, runs = tmp_path / "dying", 0
    while True:
        runs += 1
        host.token, requests = "right", iter(range(16))
        host.after = lambda _, left=requests: setattr(host, "token", "right" if next(left, None) else "wrong")
        next(requests)
        try:
            run(host, dying, clock, token="right")
        except SourceError as error:
            assert "GITHUB_TOKEN" in str(error)  # noqa: PT017  # the request at which this run was cut off
        else:
            break
    found = [
        sorted(json.dumps([row["kind"], row["item"]]) for row in rows(tmp_path / name)) for name in ("dying", "whole")
    ]
    assert set(found[0]) == set(found[1])
    assert len(found[0]) <= len(found[1]) * 1.1
    assert 4 < runs < len(asked)


@pytest.mark.parametrize("kind", ["commits", "issues", "pull_requests", "stargazers"])
def test_pages_that_came_before_one_that_fails_have_landed(host, tmp_path, clock, kind):
    """Less than a piece's worth of them."""
    word = {"pull_requests": "pulls"}.get(kind, kind)
    pages = iter(range(1, 100))

    def fail_after_two_pages(asked: Asked) -> None:
        if asked.path.endswith(f"/{word}") and asked.query["per_page"] == "100" and next(pages) == 2:
            host.script += [(f"/{word}", Reply(status=502))] * 5

    host.after = fail_after_two_pages
    report, _ = run(host, tmp_path, clock)
    assert [trouble.name for trouble in report.troubles] == [f"{NAME}/{kind}"]
    assert 0 < counts(tmp_path)[kind] < 25
    assert kind not in dict(walks(tmp_path)), "nothing says that this is all"
    run(host, tmp_path, clock)
    assert counts(tmp_path)[kind] == 25, "the rest, and nothing again"
    assert kind in dict(walks(tmp_path))


KILLED = """
import os, signal, sys
from pathlib import Path
from ratchet.ingest import land, manifest
from ratchet.workloads.github_activity.sources.api import RepositoryApi
from ratchet.workloads.github_activity.sources.api_client import ApiClient

append = manifest.Manifest.append

def kill_after(self, landed):
    append(self, landed)
    if len(self.entries()) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

manifest.Manifest.append = kill_after
land(RepositoryApi(name="github_api", repositories=("pallets/flask",), address=sys.argv[2]), bronze=Path(sys.argv[1]))
"""


def test_a_killed_run_has_its_cursor_with_its_data(host, repo, tmp_path, clock):
    for at in range(25, 250):
        repo.commit(f"c{at}")
    with serve(host) as web:
        host.address = web.address
        command = [sys.executable, "-c", KILLED, str(tmp_path), web.address, "2"]
        killed = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert killed.returncode == -signal.SIGKILL
    assert counts(tmp_path) == {"commits": 200}
    assert walks(tmp_path) == []
    _, asked = run(host, tmp_path, clock)
    pages = [one.query["page"] for one in asked if one.path.endswith("/commits") and "sha" in one.query]
    assert pages == ["21", "22", "23", "24", "25"]
    assert counts(tmp_path)["commits"] == 250
    told = dict(walks(tmp_path))
    assert told["issues"] == "2026-02-01T10:00:00Z"
    assert told["commits"] > "2026-08", "it went on to the head of the killed run, whose clock was not this one"


def test_what_was_noted_behind_rows_that_the_manifest_has_no_more_counts_no_more(host, repo, tmp_path, clock):
    """Rows were taken out by hand, or a copy was made while a run landed: the files are asked for again, none is passed over."""
    run(host, tmp_path, clock)
    path = tmp_path / "github_api" / "manifest.jsonl"
    before = path.read_bytes()
    repo.commit("new")
    repo.open(1001, 60)
    repo.open(1002, 60, pull=True)
    repo.star(99, 60)
    clock.now += timedelta(hours=1)
    run(host, tmp_path, clock)
    path.write_bytes(before)
    clock.now += timedelta(hours=1)
    run(host, tmp_path, clock)
    assert counts(tmp_path) == dict.fromkeys(["commits", "issues", "pull_requests", "stargazers"], 26)
