import gzip
import hashlib
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from fakes import FakeSource
from ratchet.contracts.errors import DataError
from ratchet.ingest import land, manifest

FIRST = datetime(2026, 11, 9, 22, tzinfo=UTC)
HOURS = [FIRST + timedelta(hours=hour) for hour in range(4)]
FILES = ["2026-11-09/22.json.gz", "2026-11-09/23.json.gz", "2026-11-10/0.json.gz", "2026-11-10/1.json.gz"]


def content(hour: datetime) -> bytes:
    return gzip.compress(f"{hour:%H}\n".encode() * 1000, mtime=0)


def halves(hour: datetime) -> list[bytes]:
    whole = content(hour)
    return [whole[: len(whole) // 2], whole[len(whole) // 2 :]]


def whole_source() -> FakeSource:
    return FakeSource({hour: halves(hour) for hour in HOURS})


def files_in(bronze) -> dict[str, bytes]:
    folder = bronze / "memory"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def without_manifest(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name != "manifest.jsonl"}


def test_each_hour_lands_as_received_with_a_manifest_entry(tmp_path):
    report = land(whole_source(), bronze=tmp_path)
    assert (report.source, report.already, report.landed) == ("memory", 0, 4)
    assert without_manifest(files_in(tmp_path)) == {
        file: content(hour) for file, hour in zip(FILES, HOURS, strict=True)
    }
    entries = manifest.read(tmp_path / "memory")
    assert [(entry.hour, entry.file) for entry in entries] == list(zip(HOURS, FILES, strict=True))
    assert [entry.sha256 for entry in entries] == [hashlib.sha256(content(hour)).hexdigest() for hour in HOURS]
    assert sum(entry.bytes for entry in entries) == report.bytes == sum(len(content(hour)) for hour in HOURS)


def test_a_second_run_reads_and_changes_nothing(tmp_path):
    land(whole_source(), bronze=tmp_path)
    before, source = files_in(tmp_path), whole_source()
    report = land(source, bronze=tmp_path)
    assert (report.already, report.landed, source.reads) == (4, 0, [])
    assert files_in(tmp_path) == before


def test_only_new_hours_are_read_even_when_they_come_late(tmp_path):
    land(FakeSource({hour: halves(hour) for hour in (HOURS[0], HOURS[3])}), bronze=tmp_path)
    source = whole_source()
    land(source, bronze=tmp_path)
    assert source.reads == HOURS[1:3]


def test_progress_tells_hours_done_of_hours_to_do(tmp_path):
    heard: list[tuple[int, int]] = []
    land(whole_source(), bronze=tmp_path, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_source_that_breaks_off_midway_leaves_whole_hours_and_the_next_run_goes_on_there(tmp_path):
    broken = whole_source()
    broken.chunks[HOURS[2]] = [halves(HOURS[2])[0], OSError("connection lost")]
    with pytest.raises(OSError, match="connection lost"):
        land(broken, bronze=tmp_path)
    assert set(without_manifest(files_in(tmp_path))) == set(FILES[:2])
    source = whole_source()
    land(source, bronze=tmp_path)
    assert source.reads == HOURS[2:]
    assert set(without_manifest(files_in(tmp_path))) == set(FILES)


def test_what_a_kill_leaves_behind_is_mended_by_the_next_run(tmp_path):
    land(whole_source(), bronze=tmp_path)
    expected, folder = without_manifest(files_in(tmp_path)), tmp_path / "memory"
    lines = (folder / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "manifest.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:30])  # torn while it was written
    (folder / FILES[2]).write_bytes(b"renamed, but not in the manifest yet")
    (folder / FILES[3]).rename(folder / "2026-11-10" / ".1.json.gz.arriving")  # not renamed yet
    assert len(manifest.read(folder)) == 2
    land(whole_source(), bronze=tmp_path)
    assert without_manifest(files_in(tmp_path)) == expected
    assert [entry.hour for entry in manifest.read(folder)] == HOURS


KILLED = """
import os, signal, sys
from pathlib import Path
from test_land import HOURS, whole_source
from ratchet.ingest import land

def step(done, total):
    if done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

land(whole_source(), bronze=Path(sys.argv[1]), progress=step)
"""


def test_a_killed_process_holds_no_lock_and_its_hours_stay_landed(tmp_path):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), "2"], check=False, env={"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert killed.returncode == -signal.SIGKILL
    source = whole_source()
    land(source, bronze=tmp_path)
    assert source.reads == HOURS[2:]


def test_two_at_once_land_each_hour_once(tmp_path):
    sources = [whole_source(), whole_source()]
    threads = [threading.Thread(target=land, args=(source,), kwargs={"bronze": tmp_path}) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sources[0].reads + sources[1].reads) == HOURS
    assert [entry.hour for entry in manifest.read(tmp_path / "memory")] == HOURS


@pytest.mark.parametrize(
    ("chunks", "words"),
    [
        pytest.param([content(FIRST)[:-9]], "truncated gzip", id="cut off"),
        pytest.param([content(FIRST) + content(FIRST)[:20]], "truncated gzip", id="second member cut off"),
        pytest.param([], "truncated gzip", id="empty file"),
        pytest.param([b"<html>not found</html>"], "damaged gzip", id="an error page"),
        pytest.param([content(FIRST)[:-6] + b"\0\0\0\0\0\0"], "damaged gzip", id="wrong checksum"),
    ],
)
def test_an_hour_that_is_no_whole_gzip_file_is_refused_by_name(tmp_path, chunks, words):
    source = FakeSource({HOURS[0]: halves(HOURS[0]), HOURS[1]: chunks})
    with pytest.raises(DataError, match=f"memory 2026-11-09 hour 23: {words}"):
        land(source, bronze=tmp_path)
    assert set(without_manifest(files_in(tmp_path))) == {FILES[0]}


def test_gzip_of_several_members_in_odd_chunks_is_whole(tmp_path):
    data = content(HOURS[0]) + content(HOURS[1]) + gzip.compress(b"")
    land(FakeSource({HOURS[0]: [data[at : at + 7] for at in range(0, len(data), 7)]}), bronze=tmp_path)
    assert files_in(tmp_path)[FILES[0]] == data


def test_a_damaged_manifest_line_is_named(tmp_path):
    land(whole_source(), bronze=tmp_path)
    path = tmp_path / "memory" / "manifest.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"sha256"', b'"sha"', 1))
    with pytest.raises(DataError, match=r"manifest\.jsonl, line 1"):
        land(whole_source(), bronze=tmp_path)
