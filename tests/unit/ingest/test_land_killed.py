"""SIGKILL at every step of landing, and a second run: the same bytes as a run that nobody killed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_land import HOURS, content, halves

from fakes import FakeSource
from ratchet.ingest import manifest

KILLED_AT_EACH_STEP = """
import os, signal, sys
from pathlib import Path
from ratchet.ingest import Pace, land
from test_land_killed import SOURCES

counted = {"steps": 0, "kill_at": 0}

def step():
    counted["steps"] += 1
    if counted["steps"] == counted["kill_at"]:
        os.kill(os.getpid(), signal.SIGKILL)

def before(function):
    def stepping(*given, **named):
        step()
        return function(*given, **named)
    return stepping

def hook(event, given):
    # Every file opened, made, renamed, cut or removed is a step of its own.
    if event in {"open", "os.rename", "os.mkdir", "os.remove", "os.truncate"} and str(given[0]).startswith(sys.argv[1]):
        step()

def run(home, kill_at):
    child = os.fork()
    if not child:
        counted.update(steps=0, kill_at=kill_at)
        for name in ("fsync", "truncate", "ftruncate"):
            setattr(os, name, before(getattr(os, name)))
        land(SOURCES[sys.argv[2]](), bronze=Path(home), pace=Pace(at_once=1, sleep=lambda _: None))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

sys.addaudithook(hook)
kill_at = 1
while True:
    home = f"{sys.argv[1]}/{kill_at:04d}"
    ended = run(home, kill_at)
    if run(home, 0) != 0:
        sys.exit(f"the run after a kill at step {kill_at} failed")
    if ended == 0:
        break
    assert ended == -signal.SIGKILL, ended
    kill_at += 1
print(kill_at - 1)
"""


def whole_hours() -> FakeSource:
    return FakeSource({hour: halves(hour) for hour in HOURS[:2]}, version="v1")


def pieces_in_turn() -> FakeSource:
    return FakeSource({hour: halves(hour) for hour in HOURS[:2]}, by_hour=False)


SOURCES = {"hours": whole_hours, "in turn": pieces_in_turn}


def rows(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / manifest.NAME).read_bytes().splitlines()]
    return [{name: value for name, value in row.items() if name not in {"seconds", "kept_at"}} for row in lines]


@pytest.mark.parametrize("name", SOURCES)
def test_a_kill_at_any_step_and_another_run_end_in_the_same_bytes(name, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EACH_STEP, str(tmp_path), name],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    kills = int(done.stdout)
    assert kills > 40
    homes = sorted(tmp_path.iterdir())
    assert len(homes) == kills + 1
    for home in homes:
        folder = home / "memory"
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("20*/*") if path.is_file()
        }
        assert files == {f"{hour:%Y-%m-%d}/{hour.hour}.json.gz": content(hour) for hour in HOURS[:2]}, home.name
        assert rows(folder) == rows(homes[-1] / "memory"), home.name
