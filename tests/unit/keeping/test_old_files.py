"""Logs of tasks go when they are old, and nothing else does."""

import os
import time

import pytest

from ratchet.keeping.old_files import remove_old

DAY = 86400


@pytest.fixture
def logs(tmp_path):
    """An old run, a new one, an old run that was cleared today, and what is no log."""
    for run, task, days in (("old", "look", 100), ("new", "look", 1), ("cleared", "look", 100), ("cleared", "act", 0)):
        write(tmp_path / "logs" / f"run_id={run}" / f"task_id={task}" / "attempt=1.log", days)
    write(tmp_path / "logs/run_id=old/notes.txt", 100)
    write(tmp_path / "elsewhere.log", 100)
    (tmp_path / "logs/link.log").symlink_to(tmp_path / "elsewhere.log")
    for place, days in (("run_id=old/task_id=look", 100), ("run_id=old", 100), ("run_id=cleared/task_id=look", 100)):
        age(tmp_path / "logs" / place, days)
    return tmp_path / "logs"


def write(path, days):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("said\n")
    age(path, days)


def age(path, days):
    os.utime(path, (time.time() - days * DAY,) * 2)


def test_what_is_old_goes_with_its_empty_folders_and_all_else_stays(logs):
    assert remove_old(logs, before=time.time() - 90 * DAY) == 2
    left = sorted(str(path.relative_to(logs)) for path in logs.rglob("*") if not path.is_dir())
    assert left == [
        "link.log",
        "run_id=cleared/task_id=act/attempt=1.log",
        "run_id=new/task_id=look/attempt=1.log",
        "run_id=old/notes.txt",
    ]
    assert not (logs / "run_id=old/task_id=look").exists()
    assert not (logs / "run_id=cleared/task_id=look").exists()
    assert (logs.parent / "elsewhere.log").exists()


def test_a_folder_that_was_just_made_stays_for_whoever_made_it(logs):
    (logs / "run_id=next/task_id=look").mkdir(parents=True)
    remove_old(logs, before=time.time() - 90 * DAY)
    assert (logs / "run_id=next/task_id=look").is_dir()


def test_no_folder_is_nothing_to_do(tmp_path):
    assert remove_old(tmp_path / "away", before=time.time()) == 0
