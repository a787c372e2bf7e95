import errno
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import orjson
import pytest

from ratchet.serve import segments
from ratchet.serve.log_lines import seal, unseal, write_answer
from ratchet.serve.segments import LONGEST_BYTES, SEGMENT_BYTES, count_records, measure
from ratchet.serve.spool import Spool


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lost():
    return []


@pytest.fixture
def spool(tmp_path, clock, lost):
    spool = Spool(tmp_path / "spool", max_bytes=3 * SEGMENT_BYTES, fsync=False, on_lost=lost.append, clock=clock)
    yield spool
    spool.close()


def refuse(*_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def read(folder):
    lines = b"".join(unseal(path.read_bytes()) for path in segments.finished(folder))
    return [orjson.loads(line) for line in lines.splitlines() if line]


def test_a_record_is_on_disk_when_append_returns(spool):
    assert spool.append({"n": 1})
    [path] = spool.folder.glob("*.open")
    assert path.read_bytes() == seal(b'{"n":1}\n')
    assert count_records(spool.folder) == 1


def test_a_segment_ends_after_a_second_and_not_before(spool, clock):
    spool.append({"n": 1})
    spool.tick()
    assert read(spool.folder) == []
    clock.now += 1
    spool.tick()
    spool.append({"n": 2})
    assert read(spool.folder) == [{"n": 1}]
    assert count_records(spool.folder) == 2


def test_a_segment_ends_when_it_is_large(spool):
    for _ in range(3):
        spool.append({"text": "x" * (SEGMENT_BYTES // 2)})
    assert len(segments.finished(spool.folder)) == 1


def test_while_nobody_takes_segments_they_end_by_size_alone(spool, clock):
    for number in range(150):
        spool.append({"n": number})
        clock.now += 1
        spool.tick()
    assert measure(spool.folder).segments <= 101
    assert count_records(spool.folder) == 150


def test_threads_lose_and_mix_nothing(spool):
    def write(thread):
        for number in range(500):
            spool.append({"id": f"{thread}-{number}", "text": "x" * 700})

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spool.close()
    assert sorted(row["id"] for row in read(spool.folder)) == sorted(f"{t}-{n}" for t in range(4) for n in range(500))


def test_what_the_spool_cannot_take_is_counted_and_said_aloud(tmp_path, lost, caplog):
    spool = Spool(tmp_path, max_bytes=1000, fsync=False, on_lost=lost.append)
    kept = [spool.append({"text": "x" * 190}) for _ in range(10)]
    spool.tick()
    assert kept == [True] * 4 + [False] * 6
    assert len(lost) == 6
    assert "6 records are lost" in caplog.text
    spool.close()
    for path in segments.finished(tmp_path):
        path.unlink()
    spool.tick()
    assert spool.append({"text": "there is room again"})
    spool.close()


def test_what_other_workers_and_earlier_runs_left_takes_room_too(tmp_path, lost):
    first = Spool(tmp_path, max_bytes=1000, fsync=False, on_lost=lambda _: None)
    first.append({"text": "x" * 900})
    second = Spool(tmp_path, max_bytes=1000, fsync=False, on_lost=lost.append)
    assert not second.append({"text": "x" * 190})
    assert lost == [1]
    first.close()


def test_a_full_disk_costs_the_record_and_nothing_else(spool, lost, monkeypatch, caplog):
    spool.append({"n": 1})
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, line: write(handle, line[:3]))
    assert not spool.append({"n": 2})
    monkeypatch.setattr(os, "write", write)
    assert spool.append({"n": 3})
    spool.tick()
    spool.close()
    assert read(spool.folder) == [{"n": 1}, {"n": 3}]
    assert lost == [1]
    assert os.strerror(errno.ENOSPC) in caplog.text


def test_a_record_after_one_that_could_be_neither_written_nor_taken_back_is_whole(spool, monkeypatch):
    spool.append({"n": 1})
    write = os.write
    with monkeypatch.context() as broken:
        broken.setattr(os, "write", lambda handle, line: write(handle, line[:3]))
        broken.setattr(os, "ftruncate", refuse)
        assert not spool.append({"n": 2})
    assert spool.append({"n": 3})
    spool.close()
    assert [path.read_bytes() for path in segments.finished(spool.folder)] == [
        seal(b'{"n":1}\n') + b'{"n',
        seal(b'{"n":3}\n'),
    ]


def test_a_disk_without_locks_costs_records_and_leaves_nothing_open(spool, lost, monkeypatch):
    before = open_files()
    with monkeypatch.context() as broken:
        broken.setattr(segments.fcntl, "flock", refuse)
        assert not any(spool.append({}) for _ in range(5))
    assert (open_files(), list(spool.folder.iterdir())) == (before, [])
    assert sum(lost) == 5
    assert spool.append({})


def test_a_spool_that_somebody_removed_is_made_anew_and_what_was_in_it_is_counted(spool, clock, lost, caplog):
    for number in range(3):
        spool.append({"n": number})
    shutil.rmtree(spool.folder)
    clock.now += 1
    spool.tick()
    assert sum(lost) == 3
    assert spool.append({"n": 3})
    spool.close()
    assert read(spool.folder) == [{"n": 3}]
    spool.tick()
    assert "3 records are lost" in caplog.text


def test_a_living_writers_segment_is_left_alone_and_a_dead_ones_is_adopted(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from ratchet.serve.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]), max_bytes=1 << 20, fsync=True, on_lost=lambda _: None)\n"
        "spool.append({'n': 1}); print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    assert segments.finished(tmp_path) == []
    process.kill()
    process.wait()
    process.stdout.close()
    assert read(tmp_path) == [{"n": 1}]
    assert not list(tmp_path.glob("*.open"))


def test_records_that_come_together_are_kept_together_or_not_at_all(tmp_path):
    lost = []
    spool = Spool(tmp_path, max_bytes=1000, fsync=False, on_lost=lost.append)
    assert spool.append_lines(b"".join(b'{"n":%d}\n' % n for n in range(10)), 10)
    assert not spool.append_lines(b"".join(b'{"n":%d,"text":"%b"}\n' % (n, b"x" * 90) for n in range(10)), 10)
    spool.close()
    [segment] = segments.finished(tmp_path)
    assert [orjson.loads(line)["n"] for line in segment.read_bytes().splitlines()] == list(range(10))
    assert (segments.count_records(tmp_path), lost) == (10, [10])


def answer(name, text=b""):
    return {name: write_answer(name, b'{"text":"%b"}' % text)}


def test_an_answer_stands_once_in_each_segment_that_points_at_it(spool, clock):
    for name in (b"a", b"a", b"b", b"a"):
        assert spool.append_lines(b'{"of":"%b"}\n' % name, 1, answer(name))
    clock.now += 1
    spool.tick()
    assert spool.append_lines(b'{"of":"a"}\n', 1, answer(b"a"))
    assert count_records(spool.folder) == 5
    spool.close()
    assert [row.get("answer_id") or "of " + row["of"] for row in read(spool.folder)] == [
        *("a", "of a", "of a", "b", "of b", "of a"),
        *("a", "of a"),
    ]
    assert count_records(spool.folder) == 5


def test_an_answer_that_found_no_room_is_written_with_the_next_record_that_needs_it(tmp_path, lost, monkeypatch):
    spool = Spool(tmp_path, max_bytes=1000, fsync=False, on_lost=lost.append)
    assert not spool.append_lines(b'{"of":"a"}\n', 1, answer(b"a", b"x" * 1000))
    spool.append_lines(b'{"of":"b"}\n', 1, answer(b"b"))
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, line: write(handle, line[:40]))
    assert not spool.append_lines(b'{"of":"c"}\n', 1, answer(b"c"))
    monkeypatch.setattr(os, "write", write)
    assert spool.append_lines(b'{"of":"c"}\n', 1, answer(b"c"))
    spool.close()
    assert [row.get("answer_id") or "of " + row["of"] for row in read(tmp_path)] == ["b", "of b", "c", "of c"]
    assert lost == [1, 1]


def test_a_dead_writers_records_are_counted_without_their_answers(tmp_path):
    (tmp_path / "00000000000000000001-1.open").write_bytes(answer(b"a")[b"a"] + b'{"of":"a"}\n' * 2)
    assert count_records(tmp_path) == 2
    [path] = segments.finished(tmp_path)
    assert path.name.endswith(".2.ready")


def test_a_segment_of_many_answers_ends_before_it_is_too_long_to_ship(tmp_path):
    spool = Spool(tmp_path, max_bytes=4 * LONGEST_BYTES, fsync=False, on_lost=lambda _: None)
    for number in range(3):
        spool.append_lines(b'{"n":1}\n', 1, answer(b"%d" % number, b"x" * (LONGEST_BYTES // 2)))
    assert len(segments.finished(tmp_path)) == 1
    spool.close()
