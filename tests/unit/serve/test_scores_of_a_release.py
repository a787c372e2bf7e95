"""What was measured of each series is found in the file, whatever its size, and neither kept in memory nor read in one go."""

import json
import sys
import threading
import time
import tracemalloc

import pytest

from ratchet.serve.scores import PIECE, read_scores

FAMILIES = ("ets", "theta", "farima", "network")


def record(number, *, target="sent", mase=None):
    known = dict.fromkeys(FAMILIES, round(1 + number / 7, 4)) if mase is None else mase
    return {"unique_id": f"depot/ä{number}", "target": target, "family": "ets", "size": "mid", "mase": known}


def written(path, records):
    path.write_text(json.dumps(records, indent=1, sort_keys=True) + "\n")
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scores.json"


def test_every_record_is_found_by_its_series(path):
    records = [record(number, target=target) for number in range(800) for target in ("sent", "lost")]
    scores = read_scores(written(path, records))
    assert path.stat().st_size > 4 * PIECE
    assert [scores.of(one["unique_id"], one["target"]) for one in records] == records
    assert scores.of("depot/ä1", "found") == {}


def test_the_best_and_the_worst_are_those_of_the_family_that_answers(path):
    other = record(9, target="lost", mase={"ets": 0.5, "theta": 99.0})
    young = record(10, mase={}) | {"note": "too young"}
    spoilt = record(11, mase={"theta": 0.1, "ets": None})
    records = [record(2), other, young, record(0), spoilt, record(1)]
    scores = read_scores(written(path, records))
    assert scores.ranked(worst=False, target=None, limit=3) == [other, record(0), record(1)]
    assert scores.ranked(worst=True, target=None, limit=9) == [record(2), record(1), record(0), other]
    assert scores.ranked(worst=True, target="lost", limit=9) == [other]
    assert scores.ranked(worst=True, target="found", limit=9) == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", "[", "{}", "5", '[{"unique_id": "a"}]', '["ä"]', '{"a": [' + "{}," * PIECE + "{}]}", "[{" * PIECE],
)
def test_what_makes_no_sense_says_nothing(path, text):
    path.write_text(text)
    scores = read_scores(path)
    assert scores.of("a", "sent") == {}
    assert scores.ranked(worst=True, target=None, limit=10) == []


def test_no_file_says_nothing(path):
    assert read_scores(path).ranked(worst=True, target=None, limit=10) == []


def test_a_series_costs_tens_of_bytes_of_memory(path):
    written(path, [record(number) for number in range(5000)])
    tracemalloc.start()
    try:
        scores = read_scores(path)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert scores.of("depot/ä4999", "sent") == record(4999)
    assert kept < 100 * 5000
    assert peak < path.stat().st_size


def test_other_threads_go_on_while_scores_are_read(path):
    written(path, [record(number) for number in range(10_000)])
    assert min(longest_pause_while(lambda: read_scores(path)) for _ in range(3)) < 0.3


def longest_pause_while(work):
    """How long another thread had to wait, as a share of all the time that the work took."""
    pauses, done, usual = [], threading.Event(), sys.getswitchinterval()

    def tick():
        last = time.perf_counter()
        while not done.is_set():
            time.sleep(0.0005)
            pauses.append(time.perf_counter() - last)
            last = time.perf_counter()

    ticking = threading.Thread(target=tick)
    sys.setswitchinterval(0.0005)
    try:
        ticking.start()
        begin = time.perf_counter()
        work()
        took = time.perf_counter() - begin
    finally:
        done.set()
        ticking.join()
        sys.setswitchinterval(usual)
    return max(pauses) / took
