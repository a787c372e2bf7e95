"""A build that is killed at any step and run again ends in the same bytes. `make kills` tries every step, `make test` the worst ones."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ratchet import ingest, workloads
from ratchet.ingest.warehouse.state import State

pytestmark = pytest.mark.usefixtures("warm_dbt")

STEPS = {
    "read": "ratchet.ingest.warehouse.build:read",
    "announced": "ratchet.ingest.warehouse.state:State.announce",
    "half of silver": "build --select events items repository_names actor_weeks",
    "all of silver": "build --select config.materialized:incremental touched_weeks",
    "built": "build",
    "taken in": "ratchet.ingest.warehouse.state:State.finish",
    "hours written": "ratchet.ingest.warehouse.state:State.write_hours",
    "marked as made": "ratchet.ingest.warehouse.state:State.set_made_by",
    "exported": "ratchet.ingest.gold:_export",
    "report kept": "ratchet.ingest.quality:keep",
    "settled": "ratchet.ingest.gold:settle",
    "published": "ratchet.ingest.gold:share",
}
TRIED = STEPS if os.environ.get("KILLS") == "all" else ["half of silver", "taken in"]

KILLED = """
import importlib, os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from ratchet import ingest, workloads
from ratchet.ingest.warehouse.dbt import Project

def then_die(function):
    def run(*arguments, **named):
        function(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    return run

home, step = Path(sys.argv[1]), sys.argv[2]
if step.startswith("build"):
    whole = Project.prepared

    @contextmanager
    def prepared(self, *command, hold=()):
        with whole(self, *step.split(), hold=hold) as go:
            yield then_die(go)

    Project.prepared = prepared
else:
    module, _, name = step.partition(":")
    owner = importlib.import_module(module)
    *classes, name = name.split(".")
    for found in classes:
        owner = getattr(owner, found)
    setattr(owner, name, then_die(getattr(owner, name)))
ingest.build_gold(workloads.find("github_activity"), home=home, location="sample")
"""


def bytes_of(home: Path) -> dict[str, bytes]:
    """Everything that a build leaves for others, reports aside: they tell when they were made."""
    gold = home / "gold" / "github_activity"
    files = {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in gold.rglob("*")
        if path.is_file() and "quality" not in path.parts
    }
    return files | {"hours.csv": (home / "warehouse" / "github_activity" / "hours.csv").read_bytes()}


@pytest.fixture(scope="module")
def landed(tmp_path_factory) -> Path:
    """A home in which half of the sample was built, and the other half has landed since."""
    home = tmp_path_factory.mktemp("landed")
    workload = workloads.find("github_activity")
    for source in workload.sources("sample"):
        ingest.land(source, bronze=home / "bronze")
    whole = home / "bronze" / "sample_events" / "manifest.jsonl"
    lines = whole.read_bytes().splitlines(keepends=True)
    whole.write_bytes(b"".join(lines[:100]))
    ingest.build_gold(workload, home=home, location="sample")
    whole.write_bytes(b"".join(lines))
    return home


@pytest.fixture(scope="module")
def undisturbed(landed, tmp_path_factory) -> dict[str, bytes]:
    home = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(landed, home, dirs_exist_ok=True)
    ingest.build_gold(workloads.find("github_activity"), home=home, location="sample")
    return bytes_of(home)


@pytest.mark.parametrize("step", TRIED)
def test_a_build_killed_after_a_step_and_run_again_ends_in_the_same_bytes(landed, undisturbed, tmp_path, step):
    home = tmp_path / "home"
    shutil.copytree(landed, home)
    before = ingest.newest(home, "github_activity")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(home), STEPS[step]],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert killed.returncode == -signal.SIGKILL
    if step != "published":
        assert ingest.newest(home, "github_activity") == before
    ingest.build_gold(workloads.find("github_activity"), home=home, location="sample")
    assert bytes_of(home) == undisturbed


@pytest.mark.parametrize("left", [0, 100, 4096, 8192])
def test_what_a_full_disk_left_of_a_database_that_was_being_made_is_made_again(tmp_path, left):
    """It was empty, and every build after it failed for good."""
    whole = tmp_path / "whole"
    whole.mkdir()
    State(place=whole).begin("silver")
    torn = State(place=tmp_path)
    torn.database.write_bytes((whole / "warehouse.duckdb").read_bytes()[:left])
    torn.require_database()
    assert torn.made_by() == ("", "")
    kept = State(place=whole)
    kept.require_database()
    assert kept.made_by() == ("silver", "")
