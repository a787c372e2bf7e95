"""`ratchet releases` and `ratchet tidy` as a person meets them, on a real PostgreSQL and a real MLflow."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from fakes import write_release
from ratchet.__main__ import main
from ratchet.contracts.ports import Track
from ratchet.loop import Loop
from ratchet.register.client import load_mlflow
from ratchet.register.discard import read_file
from ratchet.register.mlflow_registry import MlflowRegistry
from ratchet.settings import Settings
from releases import no_plots
from web import Reply, serve

WORKLOAD = "github_activity"
IDS = ("lost-1", "lost-2", "live", "lost-3", "lost-4")


@pytest.fixture
def prometheus():
    """What it says of every track: one worker, which serves `lost-2` still."""
    rows = [{"metric": {"release_id": "lost-2"}, "value": [0, "1"]}]
    with serve(lambda _: Reply(body=json.dumps({"status": "success", "data": {"result": rows}}).encode())) as web:
        yield web.address


@pytest.fixture
def home(tmp_path, monkeypatch, postgres, mlflow_server, prometheus):
    """The folder of an installation, which the settings lead to."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATA_HOME": str(tmp_path / "home"),
        "DATABASE_URL": postgres,
        "MLFLOW_TRACKING_URI": mlflow_server,
        "PROMETHEUS_URL": prometheus,
        "WORKLOADS": WORKLOAD,
        "RELEASES_KEEP": "1",
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "home"


@pytest.fixture
def releases(home, mlflow_server):
    """Five of them: `live` beat nobody, the others were rolled back two hours ago."""
    registry, client = MlflowRegistry(mlflow_server, draw=no_plots), load_mlflow().MlflowClient(mlflow_server)
    for number, release_id in enumerate(IDS):
        folder = home / "bundles" / WORKLOAD / release_id
        hour = datetime(2026, 3, 1 + number, tzinfo=UTC)
        card = write_release(folder, workload=WORKLOAD, release_id=release_id, data_hour=hour)
        os.utime(folder, (0, 0))
        release = registry.add(folder, card)
        if release_id == "live":
            registry.point(WORKLOAD, Track.PRODUCTION, registry.name_best(release))
            registry.mark(release, "production")
        else:
            registry.mark(registry.name_candidate(release), "rolled_back")
            before = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
            client.set_model_version_tag(WORKLOAD, str(release.version), "archived_at", before)


def run(capsys, *words):
    code = main(list(words))
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.mark.usefixtures("releases")
def test_what_would_go_is_said_then_goes_and_is_listed_as_gone(capsys, home):
    code, said, _ = run(capsys, "tidy", "--dry-run")
    assert code == 0
    lines = {line.split()[0]: line for line in said.splitlines() if line.startswith("  ")}
    assert lines["lost-1"].endswith("would go: rolled_back, older than the newest 1")
    assert lines["lost-2"].endswith("stays: served by the candidate track")
    assert lines["live"].endswith("stays: an alias names it")
    assert lines["lost-3"].endswith("would go: rolled_back, older than the newest 1")
    assert lines["lost-4"].endswith("stays: one of the newest 1")
    registry = Loop(Settings.load()).trials.registry
    assert {one.release_id for one in registry.releases(WORKLOAD) if read_file(one.location, "card.json")} == set(IDS)

    code, said, _ = run(capsys, "tidy")
    assert (code, said.splitlines()[-1]) == (0, "  removed: lost-1, lost-3")
    left = {one.release_id for one in registry.releases(WORKLOAD) if read_file(one.location, "card.json")}
    assert left == {"lost-2", "live", "lost-4"}
    assert {path.name for path in (home / "bundles" / WORKLOAD).iterdir()} == left

    code, said, _ = run(capsys, "releases")
    assert code == 0
    rows = [line.split() for line in said.splitlines()]
    assert rows[0][:3] == ["version", "name", "release"]
    assert [(row[2], row[0], row[-1]) for row in rows[1:]] == [
        ("lost-4", "1.4.1", "kept"),
        ("lost-3", "1.3.1", "gone"),
        ("live", "1.2.1", "kept"),
        ("lost-2", "1.1.1", "kept"),
        ("lost-1", "1.0.1", "gone"),
    ]
    assert rows[3][1] == "BO1"


@pytest.mark.usefixtures("home")
def test_a_workload_without_releases_says_so(capsys, monkeypatch):
    monkeypatch.setenv("WORKLOADS", "nothing_yet")
    assert run(capsys, "releases") == (0, "no release of nothing_yet is registered yet\n", "")
