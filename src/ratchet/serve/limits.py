"""How much one key or address may ask: one count for all workers and tracks of a machine, in a file that they all map.

The window slides: the last minute's count is this minute's plus the share of the one before that is still within sixty
seconds. Each count has a place found by its hash, eight places to a bucket; a full bucket forgets the one that was idle
longest. A bucket is changed under a lock on its own byte of the file: two workers rarely want the same, and a worker
that dies lets go.
"""

import fcntl
import hashlib
import math
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WINDOW_SECONDS: Final = 60
BUCKETS: Final = 4096
PLACES: Final = 8
NAMES: Final = struct.Struct(f"<{PLACES}Q")
COUNT: Final = struct.Struct("<IId")  # window, count within it, count within the window before
BUCKET_BYTES: Final = NAMES.size + PLACES * COUNT.size
SIZE: Final = BUCKETS * BUCKET_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left of a limit after a request, and when there will be more."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int
    """Until the window has gone by."""
    retry_seconds: int = 0
    """Until the same request would be let through."""


class RateLimits:
    """Counts in `path`, shared with whoever else opens it; one per process, for its locks are the process's own."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._reserve()
        self._map = mmap.mmap(self._file, SIZE)
        self._clock = clock
        self._lock = threading.Lock()

    def take(self, name: str, limit: int, cost: int = 1) -> Allowance:
        """Count a request of `name` if its limit per minute leaves room; a refused one costs nothing."""
        digest = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") or 1
        bucket = digest % BUCKETS
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX, 1, bucket)
            try:
                return self._take(bucket * BUCKET_BYTES, digest, limit, cost)
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, bucket)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
        os.close(self._file)

    def _reserve(self) -> None:
        """Give the file its size: written, not sparse, for touching a mapped hole on a full disk would kill the process."""
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, SIZE)
        try:
            if os.fstat(self._file).st_size != SIZE:
                os.pwrite(self._file, bytes(SIZE), 0)
                os.ftruncate(self._file, SIZE)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, SIZE)

    def _take(self, start: int, digest: int, limit: int, cost: int) -> Allowance:
        now = self._clock()
        window, into = int(now // WINDOW_SECONDS), now % WINDOW_SECONDS
        place = start + NAMES.size + self._find(start, digest) * COUNT.size
        known, count, before = COUNT.unpack_from(self._map, place)
        if known != window:
            # A clock that was set back finds windows of the future: they count as long gone.
            count, before = 0, float(count) if known == window - 1 else 0.0
        cost = min(cost, limit)  # what is larger than the limit passes when nothing else did
        used = count + before * (1 - into / WINDOW_SECONDS)
        allowed = used + cost <= limit
        if allowed:
            count, used = count + cost, used + cost
            COUNT.pack_into(self._map, place, window, count, before)
        return Allowance(
            allowed=allowed,
            limit=limit,
            remaining=max(0, int(limit - used)),
            reset_seconds=math.ceil(WINDOW_SECONDS - into),
            retry_seconds=0 if allowed else _wait(count, before, into, room=limit - cost),
        )

    def _find(self, start: int, digest: int) -> int:
        """Return the name's place in its bucket; a new name gets the one that was idle longest."""
        names = NAMES.unpack_from(self._map, start)
        if digest in names:
            return names.index(digest)
        places = range(start + NAMES.size, start + BUCKET_BYTES, COUNT.size)
        windows = [COUNT.unpack_from(self._map, place)[0] for place in places]
        oldest = windows.index(min(windows))
        struct.pack_into("<Q", self._map, start + oldest * 8, digest)
        COUNT.pack_into(self._map, places[oldest], 0, 0, 0.0)
        return oldest


def _wait(count: int, before: float, into: float, *, room: int) -> int:
    """Return the seconds until no more than `room` is counted, if nothing else is asked meanwhile."""
    if count <= room:  # the window before fades enough while this one lasts
        return max(1, math.ceil(WINDOW_SECONDS * (1 - (room - count) / before) - into))
    return max(1, math.ceil(WINDOW_SECONDS - into + WINDOW_SECONDS * (1 - room / count)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one key and one address may ask per minute; 0 is no limit."""

    counts: RateLimits
    per_key: int
    per_address: int
