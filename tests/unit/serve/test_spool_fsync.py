"""A log that survives a power cut: nothing is answered before it is on the disk, and those who wait share one sync."""

import threading
import time

import pytest

from ratchet.serve import segments
from ratchet.serve.spool import Spool

THREADS, EACH = 8, 25


@pytest.fixture
def disk(monkeypatch):
    """A disk that takes 5 ms for each sync; how many it did."""
    syncs = []

    def slow(_handle):
        syncs.append(1)
        time.sleep(0.005)

    monkeypatch.setattr(segments.os, "fsync", slow)
    monkeypatch.setattr(segments.os, "fdatasync", slow)
    return syncs


def write(spool, threads):
    def work(number):
        for count in range(EACH):
            assert spool.append({"number": number * EACH + count})

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def test_records_that_wait_together_share_one_sync(tmp_path, disk):
    spool = Spool(tmp_path, max_bytes=1 << 20, fsync=True, on_lost=lambda _: None)
    write(spool, THREADS)
    spool.close()
    assert segments.count_records(tmp_path) == THREADS * EACH
    assert len(disk) < THREADS * EACH / 3


def test_a_record_is_synced_before_it_is_said_to_be_kept(tmp_path, disk):
    spool = Spool(tmp_path, max_bytes=1 << 20, fsync=True, on_lost=lambda _: None)
    spool.append({})
    before = len(disk)
    assert spool.append({})
    assert len(disk) == before + 1


def test_without_the_setting_nothing_is_synced(tmp_path, disk):
    spool = Spool(tmp_path, max_bytes=1 << 20, fsync=False, on_lost=lambda _: None)
    write(spool, 2)
    spool.close()
    assert disk == []


def test_a_disk_that_cannot_sync_is_a_record_lost_and_counted(tmp_path, monkeypatch):
    lost = []
    spool = Spool(tmp_path, max_bytes=1 << 20, fsync=True, on_lost=lost.append)
    spool.append({})
    monkeypatch.setattr(segments.os, "fsync", fail)
    assert not spool.append({})
    assert lost == [1]


def test_a_record_whose_segment_ends_with_a_failed_sync_is_lost_and_counted(tmp_path, monkeypatch):
    lost = []
    spool = Spool(tmp_path, max_bytes=64 << 20, fsync=True, on_lost=lost.append)
    with monkeypatch.context() as broken:
        broken.setattr(segments.os, "fdatasync", fail)
        assert not spool.append({"text": "x" * segments.SEGMENT_BYTES})
    assert spool.append({})
    assert lost == [1]


def test_a_record_that_was_there_when_a_sync_failed_is_not_saved_by_the_next_one(tmp_path, monkeypatch):
    """The system tells of a page that it could not write once, and takes it for written after that."""
    spool = Spool(tmp_path, max_bytes=64 << 20, fsync=True, on_lost=lambda _: None)
    spool.append({})
    kept, others = [], []

    def fail_while_somebody_comes(handle):
        monkeypatch.undo()
        others.append(threading.Thread(target=lambda: kept.append(spool.append({"n": 2}))))
        others[0].start()
        while segments.count_records(tmp_path) < 3:
            time.sleep(0.001)
        fail(handle)

    monkeypatch.setattr(segments.os, "fsync", fail_while_somebody_comes)
    assert not spool.append({"n": 1})
    others[0].join()
    assert kept == [False]
    assert spool.append({"n": 3})


def fail(_handle):
    raise OSError(5, "Input/output error")
