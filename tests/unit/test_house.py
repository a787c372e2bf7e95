"""Rules of the house that no linter knows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    [*ROOT.glob("src/**/*.py"), *ROOT.glob("inference/*.py"), *ROOT.glob("dags/*.py"), *ROOT.glob("monitoring/**/*.py")]
)
LINES = {"src": 300, "inference": 150, "dags": 95, "monitoring": 200}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_one_reason_to_change(path):
    assert path.read_text().count("\n") <= LINES[path.relative_to(ROOT).parts[0]]


def test_nothing_outside_its_workload_knows_github():
    ours = [path for path in SOURCES if "github_activity" not in path.parts]
    knowing = [
        str(path.relative_to(ROOT))
        for path in ours
        if "github" in path.read_text().lower().replace("github_activity", "")
    ]
    assert knowing == []


@pytest.mark.parametrize(
    "module", ["ratchet.settings", "ratchet.workloads.github_activity", "ratchet.loop", "ratchet.__main__"]
)
def test_importing_does_nothing_and_pulls_in_nothing_heavy(module):
    script = f"import sys, {module}; print([name for name in ('pandas', 'mlflow', 'statsforecast', 'sqlalchemy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT / "docs")
    assert done.stdout.strip() == "[]"


def test_the_makefile_explains_every_target():
    names = [
        line.split(":")[0]
        for line in (ROOT / "Makefile").read_text().splitlines()
        if line[:1].islower() and ":" in line
    ]
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [name for name in names if name not in helped] == []


def test_whatever_runs_tests_or_benches_installs_what_they_need_before_it_begins():
    rules = re.findall(
        r"^([a-z-]+):([^\n#]*)##[^\n]*\n((?:\t[^\n]*\n)*)", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    wanting = [name for name, needs, does in rules if re.search(r"pytest|tests/|tools/compose-test|mypy", does)]
    assert {"compose-test", "faults", "bench-deciding", "check-types"} <= set(wanting)
    inside = {"test-alone", "check-types", "check-rules"}  # of `make test` and `make check`
    needs_of = {name: f"{needs} {does}" for name, needs, does in rules}
    ready = re.compile(r"install-test|tools/install test|\bpeers\b")
    assert [name for name in wanting if name not in inside and not ready.search(needs_of[name])] == []
