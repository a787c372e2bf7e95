"""dbt is started ahead of its input: it waits, goes away unasked, and what is wrong with the models is said as it was."""

import dataclasses
import shutil
import sys

import psutil
import pytest

from ratchet import workloads
from ratchet.contracts.errors import DataError
from ratchet.ingest.warehouse.dbt import Project
from ratchet.ingest.warehouse.read import Task, _read_apart

WORKLOAD = workloads.find("github_activity")


def test_a_start_that_is_not_followed_up_leaves_neither_process_nor_database(tmp_path):
    project = Project(workload=WORKLOAD, place=tmp_path)
    project.assemble()
    others = set(psutil.Process().children())
    with project.prepared("build"):
        (started,) = set(psutil.Process().children()) - others
    assert not started.is_running()
    assert not (tmp_path / "warehouse.duckdb").exists()


def test_models_that_cannot_be_read_are_named(tmp_path):
    sql = tmp_path / "sql"
    shutil.copytree(WORKLOAD.sql, sql)
    (sql / "silver" / "odd_model.sql").write_text("select {{ ref('nothing_like_it') }}")
    project = Project(workload=dataclasses.replace(WORKLOAD, sql=sql), place=tmp_path / "place")
    project.place.mkdir()
    project.assemble()
    with pytest.raises(DataError, match=r"(?s)github_activity: .*odd_model.*nothing_like_it"):
        project.run("build")


def test_what_ended_dbt_is_told_and_not_what_its_logger_complains_of(tmp_path, monkeypatch):
    """A full disk takes dbt's log first, and each line that does not fit is thirty of complaint."""
    full = """
import logging, sys
logging.basicConfig(filename="/dev/full")
def log():
    for number in range(20): logging.error("line %d", number)
log()
sys.exit(2)
"""
    monkeypatch.setattr("ratchet.ingest.warehouse.dbt._DBT", (sys.executable, "-c", full))
    with pytest.raises(DataError) as told:
        Project(workload=WORKLOAD, place=tmp_path).run("build")
    assert str(told.value) == "github_activity: OSError: [Errno 28] No space left on device"


def test_a_process_that_was_ended_before_it_could_say_anything_is_named(tmp_path, monkeypatch):
    """A machine out of memory ends the largest process, and nobody is told."""
    ended = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    monkeypatch.setattr("ratchet.ingest.warehouse.dbt._DBT", (sys.executable, "-c", ended))
    with pytest.raises(DataError, match=r"github_activity: dbt was ended by SIGKILL, as a machine .* out of memory"):
        Project(workload=WORKLOAD, place=tmp_path).run("build")
    monkeypatch.setattr("ratchet.ingest.warehouse.read.sys.executable", "/bin/false")
    named = dict.fromkeys(("path", "sha256", "source", "file", "hour", "part"), "a" * 50)
    more_than_a_pipe_holds = [Task(file_id=number, bytes=1, **named) for number in range(500)]
    for share in ([], more_than_a_pipe_holds):
        with pytest.raises(DataError, match="github_activity: a reader of landed files ended with 1 and said nothing"):
            list(_read_apart("github_activity", [share], out=tmp_path, hold=()))
