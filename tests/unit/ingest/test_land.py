import gzip
import hashlib
import itertools
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from fakes import FakeSource
from ratchet.contracts.errors import DataError, NotThereError, SourceError
from ratchet.contracts.source import Trouble
from ratchet.ingest import Pace, land, manifest, troubles

FIRST = datetime(2026, 11, 9, 22, tzinfo=UTC)
HOURS = [FIRST + timedelta(hours=hour) for hour in range(4)]
NOW = datetime(2026, 11, 12, tzinfo=UTC)
FILES = ["2026-11-09/22.json.gz", "2026-11-09/23.json.gz", "2026-11-10/0.json.gz", "2026-11-10/1.json.gz"]


def content(hour: datetime) -> bytes:
    return gzip.compress(f"{hour:%H}\n".encode() * 1000, mtime=0)


def halves(hour: datetime) -> list[bytes]:
    whole = content(hour)
    return [whole[: len(whole) // 2], whole[len(whole) // 2 :]]


def whole_source() -> FakeSource:
    return FakeSource({hour: halves(hour) for hour in HOURS})


def in_turn(**extra) -> Pace:
    """One hour after the other, without waiting between tries."""
    return Pace(at_once=1, sleep=lambda _: None, now=lambda: NOW, **extra)


def files_in(bronze) -> dict[str, bytes]:
    folder = bronze / "memory"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock" and path.parent.name != ".locks"
    }


def without_manifest(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if not name.endswith(".jsonl")}


def test_each_hour_lands_as_received_with_a_manifest_entry(tmp_path):
    report = land(whole_source(), bronze=tmp_path, pace=in_turn())
    assert (report.source, report.already, report.landed, report.troubles) == ("memory", 0, 4, ())
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
    land(source, bronze=tmp_path, pace=in_turn())
    assert source.reads == HOURS[1:3]


def test_progress_tells_hours_done_of_hours_to_do_and_bytes(tmp_path):
    heard = []
    land(whole_source(), bronze=tmp_path, progress=heard.append, pace=in_turn())
    assert [(told.done, told.pieces) for told in heard if told.done][-1] == (4, 4)
    assert [told.bytes for told in heard] == sorted(told.bytes for told in heard)
    assert heard[-1].bytes == sum(len(content(hour)) for hour in HOURS)


def test_several_hours_are_read_at_once_and_no_more_than_allowed(tmp_path):
    under_way, most = set(), []
    meeting = threading.Barrier(3, timeout=10)

    class Slow(FakeSource):
        def _read(self, hour, start):
            under_way.add(hour)
            most.append(len(under_way))
            meeting.wait()
            yield from super()._read(hour, start)
            under_way.discard(hour)

    hours = [FIRST + timedelta(hours=hour) for hour in range(6)]
    land(Slow({hour: halves(hour) for hour in hours}), bronze=tmp_path, pace=Pace(at_once=3))
    assert max(most) == 3
    assert {entry.hour for entry in manifest.read(tmp_path / "memory")} == set(hours)


def test_a_source_that_breaks_off_midway_is_named_and_the_other_hours_land(tmp_path):
    broken = whole_source()
    broken.chunks[HOURS[2]] = [halves(HOURS[2])[0], SourceError("connection lost")]
    report = land(broken, bronze=tmp_path, pace=in_turn())
    assert report.troubles == (Trouble(what="failed", name="2026-11-10 hour 0", reason="connection lost"),)
    assert broken.reads.count(HOURS[2]) == 5
    assert set(without_manifest(files_in(tmp_path))) - {"2026-11-10/.0.json.gz.arriving"} == {*FILES[:2], FILES[3]}
    source = whole_source()
    assert land(source, bronze=tmp_path, pace=in_turn()).landed == 1
    assert source.reads == HOURS[2:3]
    assert set(without_manifest(files_in(tmp_path))) == set(FILES)


def test_a_broken_transfer_goes_on_at_the_byte_where_it_broke(tmp_path):
    first, second = halves(FIRST)
    source = FakeSource(
        {FIRST: [first, SourceError("reset"), second[:5], SourceError("reset"), second[5:]]}, version="v1"
    )
    assert land(source, bronze=tmp_path, pace=in_turn()).landed == 1
    assert source.starts == [0, len(first), len(first) + 5]
    assert files_in(tmp_path)[FILES[0]] == content(FIRST)


def test_a_transfer_that_a_kill_broke_goes_on_in_the_next_run(tmp_path):
    first, second = halves(FIRST)
    with pytest.raises(RuntimeError, match="killed"):
        land(FakeSource({FIRST: [first, RuntimeError("killed")]}, version="v1"), bronze=tmp_path, pace=in_turn())
    source = FakeSource({FIRST: [first, second]}, version="v1")
    assert land(source, bronze=tmp_path, pace=in_turn()).landed == 1
    assert source.starts == [len(first)]
    assert files_in(tmp_path)[FILES[0]] == content(FIRST)


def test_a_transfer_of_content_that_has_changed_begins_anew(tmp_path):
    with pytest.raises(RuntimeError, match="killed"):
        land(
            FakeSource({FIRST: [content(HOURS[1])[:20], RuntimeError("killed")]}, version="v1"),
            bronze=tmp_path,
            pace=in_turn(),
        )
    source = FakeSource({FIRST: halves(FIRST)}, version="v2")
    land(source, bronze=tmp_path, pace=in_turn())
    assert (source.starts, files_in(tmp_path)[FILES[0]]) == ([0], content(FIRST))


def test_a_part_that_a_power_cut_spoilt_is_read_once_more_from_the_beginning(tmp_path):
    with pytest.raises(RuntimeError, match="killed"):
        land(
            FakeSource({FIRST: [halves(FIRST)[0], RuntimeError("killed")]}, version="v1"),
            bronze=tmp_path,
            pace=in_turn(),
        )
    arriving = tmp_path / "memory" / "2026-11-09" / ".22.json.gz.arriving"
    arriving.write_bytes(bytes(arriving.stat().st_size))
    source = FakeSource({FIRST: halves(FIRST)}, version="v1")
    assert land(source, bronze=tmp_path, pace=in_turn()).landed == 1
    assert (source.starts[-1], files_in(tmp_path)[FILES[0]]) == (0, content(FIRST))


def test_waits_between_tries_double_and_honour_what_the_source_asks_for(tmp_path):
    waits = []
    source = FakeSource({FIRST: [SourceError("busy", wait_seconds=7)]})
    land(source, bronze=tmp_path, pace=Pace(at_once=1, sleep=waits.append))
    assert waits == [7, 7, 7, 8]


def test_a_source_that_is_away_ends_the_run_with_what_has_landed(tmp_path):
    hours = [FIRST + timedelta(hours=hour) for hour in range(20)]
    source = FakeSource({hour: [SourceError("no route")] for hour in hours} | {FIRST: halves(FIRST)})
    with pytest.raises(SourceError, match=r"memory is away: .* no route; 1 landed in this run and stay"):
        land(source, bronze=tmp_path, pace=in_turn())
    assert len(set(source.reads)) == 4
    assert set(without_manifest(files_in(tmp_path))) >= {FILES[0]}


def test_hours_that_always_fail_stand_in_the_way_of_none_after_them(tmp_path):
    hours = [FIRST + timedelta(hours=hour) for hour in range(8)]
    refused = {hour: [SourceError("HTTP 403", lasting=True)] for hour in hours[1:5]}
    source = FakeSource({hour: halves(hour) for hour in hours} | refused)
    with pytest.raises(SourceError, match=r"memory is away: .* HTTP 403"):
        land(source, bronze=tmp_path, pace=in_turn())
    report = land(source, bronze=tmp_path, pace=in_turn())
    assert [(trouble.what, trouble.name[-2:].strip()) for trouble in report.troubles] == [
        ("failed", at) for at in ("23", "0", "1", "2")
    ]
    assert manifest.Manifest(tmp_path / "memory").hours() == {hours[0], *hours[5:]}


def test_a_source_that_stays_away_is_said_by_each_run(tmp_path):
    source = FakeSource({FIRST + timedelta(hours=hour): [SourceError("no route")] for hour in range(5)})
    for _ in range(3):
        with pytest.raises(SourceError, match=r"memory is away: .* no route; 0 landed"):
            land(source, bronze=tmp_path, pace=in_turn())


def missing_source() -> FakeSource:
    source = whole_source()
    source.chunks[HOURS[1]] = [NotThereError("HTTP 404")]
    return source


def test_a_missing_hour_stops_nothing_and_is_asked_for_again_later(tmp_path):
    report = land(missing_source(), bronze=tmp_path, pace=in_turn())
    assert report.troubles == (Trouble(what="missing", name="2026-11-09 hour 23", reason="HTTP 404"),)
    assert report.landed == 3
    soon, by_hand, next_day = missing_source(), missing_source(), whole_source()
    land(soon, bronze=tmp_path, pace=in_turn())
    assert soon.reads == []
    land(by_hand, bronze=tmp_path, pace=in_turn(again=True))
    assert by_hand.reads == [HOURS[1]]
    land(next_day, bronze=tmp_path, pace=Pace(now=lambda: NOW + timedelta(days=1)))
    assert next_day.reads == [HOURS[1]]
    assert set(without_manifest(files_in(tmp_path))) == set(FILES)


def test_a_missing_hour_that_a_wrong_clock_has_dated_is_asked_for_again():
    known = troubles.Remembered(trouble=Trouble(what="missing", name="x", reason=""), at=NOW + timedelta(days=300))
    assert troubles.is_due(known, NOW - timedelta(days=3), now=NOW)


def test_a_young_missing_hour_is_asked_for_again_within_the_hour():
    known = troubles.Remembered(trouble=Trouble(what="missing", name="x", reason=""), at=NOW)
    half_an_hour = NOW + timedelta(minutes=31)
    assert not troubles.is_due(known, NOW, now=NOW + timedelta(minutes=5))
    assert troubles.is_due(known, NOW, now=half_an_hour)
    assert not troubles.is_due(known, NOW - timedelta(days=3), now=half_an_hour)


def test_an_address_where_no_hour_is_there_is_doubted(tmp_path):
    hours = [FIRST + timedelta(hours=hour) for hour in range(200)]
    source = FakeSource({hour: [NotThereError("HTTP 404")] for hour in hours})
    with pytest.raises(SourceError, match="none of the first 48 hours is there; is the address right"):
        land(source, bronze=tmp_path, pace=in_turn())


def test_a_full_disk_is_said_and_the_next_run_goes_on(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ratchet.ingest.receive.os.fsync", full)
    with pytest.raises(DataError, match=r"bronze of memory: .*No space left on device"):
        land(whole_source(), bronze=tmp_path, pace=in_turn())
    monkeypatch.undo()
    assert land(whole_source(), bronze=tmp_path, pace=in_turn()).landed == 4


def test_an_interrupt_ends_what_is_under_way_and_the_next_run_goes_on(tmp_path):
    endless = FakeSource({HOURS[0]: [b"whole"], HOURS[1]: itertools.repeat(b"on and on")}, suffix="bin", version="v1")

    def interrupt(told):
        if told.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        land(endless, bronze=tmp_path, pace=Pace(at_once=2), progress=interrupt)
    source = FakeSource({HOURS[0]: [b"whole"], HOURS[1]: [b"all of it"]}, suffix="bin", version="v2")
    assert land(source, bronze=tmp_path, pace=in_turn()).landed == 1
    assert source.reads == [HOURS[1]]


def test_pieces_in_turn_stop_at_the_first_that_does_not_land(tmp_path):
    source = FakeSource({hour: halves(hour) for hour in HOURS}, by_hour=False)
    source.chunks[HOURS[1]] = [SourceError("gone", lasting=True)]
    with pytest.raises(SourceError, match="hour 23: gone; run it again"):
        land(source, bronze=tmp_path, pace=in_turn())
    assert source.reads == HOURS[:2]


def test_what_a_kill_leaves_behind_is_mended_by_the_next_run(tmp_path):
    land(whole_source(), bronze=tmp_path, pace=in_turn())
    expected, folder = without_manifest(files_in(tmp_path)), tmp_path / "memory"
    lines = (folder / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "manifest.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:30])  # torn while it was written
    (folder / FILES[2]).write_bytes(b"renamed, but not in the manifest yet")
    (folder / FILES[3]).rename(folder / "2026-11-10" / ".1.json.gz.arriving")  # not renamed yet
    assert len(manifest.read(folder)) == 2
    land(whole_source(), bronze=tmp_path, pace=in_turn())
    assert without_manifest(files_in(tmp_path)) == expected
    assert [entry.hour for entry in manifest.read(folder)] == HOURS


KILLED = """
import os, signal, sys
from pathlib import Path
from test_land import in_turn, whole_source
from ratchet.ingest import land

def step(told):
    if told.done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

land(whole_source(), bronze=Path(sys.argv[1]), progress=step, pace=in_turn())
"""


def test_a_killed_process_holds_no_lock_and_its_hours_stay_landed(tmp_path):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), "2"], check=False, env={"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert killed.returncode == -signal.SIGKILL
    source = whole_source()
    land(source, bronze=tmp_path, pace=in_turn())
    assert source.reads == HOURS[2:]


def test_two_at_once_land_each_hour_once(tmp_path):
    sources = [whole_source(), whole_source()]
    threads = [threading.Thread(target=land, args=(source,), kwargs={"bronze": tmp_path}) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sources[0].reads + sources[1].reads) == HOURS
    assert sorted(entry.hour for entry in manifest.read(tmp_path / "memory")) == HOURS


@pytest.mark.parametrize(
    ("chunks", "words"),
    [
        pytest.param([content(FIRST)[:-9]], "truncated gzip", id="cut off"),
        pytest.param([content(FIRST) + content(FIRST)[:20]], "truncated gzip", id="second member cut off"),
        pytest.param([], "truncated gzip", id="empty file"),
        pytest.param([b"<html>not found</html>"], "it begins with `<html>not found</html>`", id="an error page"),
        pytest.param([content(FIRST)[:-6] + b"\0\0\0\0\0\0"], "damaged gzip", id="wrong checksum"),
    ],
)
def test_an_hour_that_is_no_whole_gzip_file_is_set_aside_by_name_and_tried_again(tmp_path, chunks, words):
    source = FakeSource({HOURS[0]: halves(HOURS[0]), HOURS[1]: chunks, HOURS[2]: halves(HOURS[2])})
    report = land(source, bronze=tmp_path, pace=in_turn())
    assert [(trouble.what, trouble.name) for trouble in report.troubles] == [("damaged", "2026-11-09 hour 23")]
    assert words in report.troubles[0].reason
    aside = f"quarantine/{FILES[1]}"
    assert set(without_manifest(files_in(tmp_path))) == {FILES[0], FILES[2], aside}
    assert files_in(tmp_path)[aside] == b"".join(chunks)
    assert land(whole_source(), bronze=tmp_path, pace=in_turn()).landed == 2
    assert files_in(tmp_path)[FILES[1]] == content(HOURS[1])


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
