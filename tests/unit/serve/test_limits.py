import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.serve.limits import BUCKETS, PLACES, RateLimits

ROOT = Path(__file__).resolve().parents[3]
MINUTE = 60 * 1_000_000


class Clock:
    def __init__(self, now=float(MINUTE)):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limits(tmp_path, clock):
    limits = RateLimits(tmp_path / "limits.bin", clock=clock)
    yield limits
    limits.close()


def test_the_limit_is_let_through_and_no_more(limits):
    taken = [limits.take("key:a", 5) for _ in range(7)]
    assert [one.allowed for one in taken] == [True] * 5 + [False] * 2
    assert [one.remaining for one in taken] == [4, 3, 2, 1, 0, 0, 0]
    assert limits.take("key:b", 5).allowed


def test_the_window_slides(limits, clock):
    for _ in range(10):
        limits.take("a", 10)
    clock.now += 60 + 30  # half of the minute before still counts
    assert sum(limits.take("a", 10).allowed for _ in range(10)) == 5
    clock.now += 120
    assert sum(limits.take("a", 10).allowed for _ in range(20)) == 10


@given(
    st.lists(st.tuples(st.floats(0, 90), st.integers(1, 7)), min_size=1, max_size=40),
    st.integers(1, 20),
)
def test_who_waits_as_long_as_told_gets_through_and_not_much_sooner(tmp_path_factory, steps, limit):
    clock = Clock()
    limits = RateLimits(tmp_path_factory.mktemp("l") / "limits.bin", clock=clock)
    try:
        for wait, cost in steps:
            clock.now += wait
            taken = limits.take("a", limit, cost)
            if not taken.allowed:
                assert taken.retry_seconds <= 120
                if taken.retry_seconds > 2:
                    clock.now += taken.retry_seconds - 2
                    assert not limits.take("a", limit, cost).allowed
                    clock.now += 2
                else:
                    clock.now += taken.retry_seconds
                assert limits.take("a", limit, cost).allowed
    finally:
        limits.close()


def test_a_clock_set_back_blocks_nobody(limits, clock):
    for _ in range(5):
        limits.take("a", 5)
    clock.now -= 7200
    assert limits.take("a", 5).allowed


def test_more_names_than_places_forget_the_idle_and_fail_nobody(limits, clock):
    clock.now += 60
    for n in range(BUCKETS * PLACES // 4 * 5):
        assert limits.take(f"address:{n}", 1).allowed
    assert sum(not limits.take(f"address:{n}", 1).allowed for n in range(BUCKETS * PLACES, BUCKETS * PLACES + 50)) > 20


def test_a_name_that_comes_back_is_not_counted_with_the_one_that_has_its_place(limits, clock):
    early = [f"early:{n}" for n in range(200)]
    assert all(limits.take(name, 1).allowed for name in early)
    clock.now += 180
    for n in range(BUCKETS * PLACES - 500):
        assert limits.take(f"address:{n}", 1).allowed
    assert all(limits.take(name, 1).allowed for name in early)


def test_several_processes_share_one_count(tmp_path):
    code = f"""
import sys, hashlib; sys.path.insert(0, "src")
from pathlib import Path
from ratchet.serve.limits import RateLimits
limits = RateLimits(Path({str(tmp_path / "limits.bin")!r}), clock=lambda: {MINUTE})
def ask():
    hashlib.pbkdf2_hmac("sha256", b"a request does", b"more than count", 40)
    return limits.take("key:a", 10**6).allowed
print(sum(ask() for _ in range(20_000)))
"""
    running = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) for _ in range(3)]
    counts = [int(process.communicate(timeout=30)[0]) for process in running]
    assert sum(counts) == 60_000
    shared = RateLimits(tmp_path / "limits.bin", clock=lambda: MINUTE)
    assert shared.take("key:a", 10**6).remaining == 10**6 - 60_001
    shared.close()


def test_a_process_that_hangs_inside_holds_nobody_up_for_long(tmp_path, limits):
    code = f"""
import fcntl, sys
file = open({str(tmp_path / "limits.bin")!r}, "r+b")
fcntl.flock(file, fcntl.LOCK_EX)
print("inside", flush=True)
sys.stdin.read()
"""
    hung = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert hung.stdout.readline() == b"inside\n"
    started = time.monotonic()
    assert [limits.take("a", 2).allowed for _ in range(3)] == [True, True, False]
    assert time.monotonic() - started < 1
    hung.communicate(timeout=10)


def test_a_request_counts_under_all_its_names_or_under_none(limits):
    both = [("key:a", 5), ("address:a", 2)]
    told = [limits.take_all(both) for _ in range(4)]
    assert [(one.allowed, one.limit, one.remaining) for one in told] == [
        (True, 2, 1),
        (True, 2, 0),
        (False, 2, 0),
        (False, 2, 0),
    ]
    assert limits.take("key:a", 5).remaining == 2
