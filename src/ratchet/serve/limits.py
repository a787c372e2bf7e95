"""How much one key or address may ask: one count for all workers and tracks of a machine, in a file that they all map.

The window slides: the last minute's count is this minute's plus the share of the one before that is still within sixty
seconds. Each count has a place found by its hash, eight places to a bucket; a full bucket forgets the one that was idle
longest. Counts change under a lock on the file: a worker that dies lets go of it, and one that hangs with it is waited for
a fifth of a second, once a second, for a request that is counted wrong is better than one that hangs too.
"""

import fcntl
import hashlib
import math
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Final, NamedTuple

WINDOW_SECONDS: Final = 60
BUCKETS: Final = 4096
PLACES: Final = 8
NAMES: Final = struct.Struct(f"<{PLACES}Q")
COUNT: Final = struct.Struct("<IId")  # window, count within it, count within the window before
BUCKET_BYTES: Final = NAMES.size + PLACES * COUNT.size
SIZE: Final = BUCKETS * BUCKET_BYTES
PATIENCE: Final = (*[0.0] * 20, *[0.0002] * 50, *[0.002] * 100)
"""Seconds between tries to get the lock, which is held for some microseconds."""
IMPATIENT_SECONDS: Final = 1.0
"""For so long nobody waits again for a process that did not let go of it."""


class Allowance(NamedTuple):
    """What is left of a limit after a request, and when there will be more."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int
    """Until the window has gone by."""
    retry_seconds: int = 0
    """Until the same request would be let through."""


class Count(NamedTuple):
    """What is counted of one name, and where: a look at a moment `into` a window."""

    left: float
    """How much more may be counted now."""
    place: int
    window: int
    into: float
    limit: int
    counted: int
    before: float

    def fits(self, cost: int) -> bool:
        """Whether the limit leaves room. What costs more than the limit passes when nothing else did."""
        return min(cost, self.limit) <= self.left

    def tell(self, cost: int, *, taken: bool) -> Allowance:
        """Say what is left, once the cost was taken or was not."""
        cost = min(cost, self.limit)
        return Allowance(
            allowed=taken,
            limit=self.limit,
            remaining=max(0, int(self.left - (cost if taken else 0))),
            reset_seconds=math.ceil(WINDOW_SECONDS - self.into),
            retry_seconds=0 if taken else self._wait(self.limit - cost),
        )

    def _wait(self, room: int) -> int:
        """Return the seconds until no more than `room` is counted, if nothing else is asked meanwhile."""
        if self.counted <= room:  # the window before fades enough while this one lasts
            return max(1, math.ceil(WINDOW_SECONDS * (1 - (room - self.counted) / self.before) - self.into))
        return max(1, math.ceil(WINDOW_SECONDS - self.into + WINDOW_SECONDS * (1 - room / self.counted)))


LEFT: Final = attrgetter("left")


class RateLimits:
    """Counts in `path`, shared with whoever else opens it; a process opens it for itself, for a lock that it inherited keeps nobody out."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._lock = threading.Lock()
        self._impatient_until = 0.0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._reserve()
        self._map = mmap.mmap(self._file, SIZE)

    def take(self, name: str, limit: int, cost: int = 1) -> Allowance:
        """Count a request of `name` if its limit per minute leaves room; a refused one costs nothing."""
        return self.take_all([(name, limit)], cost)

    def take_all(self, wanted: Sequence[tuple[str, int]], cost: int = 1) -> Allowance:
        """Count a request under each of its names, or under none if one limit leaves no room; of these, say the tightest."""
        with self._lock:
            self._enter()
            try:
                now = self._clock()
                counts = [self._look(name, limit, now) for name, limit in wanted]
                taken = all(count.fits(cost) for count in counts)
                if taken:
                    for found in counts:
                        count = found.counted + min(cost, found.limit)
                        COUNT.pack_into(self._map, found.place, found.window, count, found.before)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        return min(reversed(counts), key=LEFT).tell(cost, taken=taken)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
        os.close(self._file)

    def _reserve(self) -> None:
        """Give the file its size: written, not sparse, for touching a mapped hole on a full disk would kill the process."""
        self._enter()
        try:
            if os.fstat(self._file).st_size != SIZE:
                os.pwrite(self._file, bytes(SIZE), 0)
                os.ftruncate(self._file, SIZE)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _enter(self) -> None:
        """Keep other processes out, unless one of them has hung inside."""
        for seconds in PATIENCE:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() < self._impatient_until:
                    return
                time.sleep(seconds)
            else:
                return
        self._impatient_until = time.monotonic() + IMPATIENT_SECONDS

    def _look(self, name: str, limit: int, now: float) -> Count:
        digest = _digest(name)
        window = int(now // WINDOW_SECONDS)
        place = self._find(digest % BUCKETS * BUCKET_BYTES, digest)
        known, count, before = COUNT.unpack_from(self._map, place)
        if known != window:
            # A clock that was set back finds windows of the future: they count as long gone.
            count, before = 0, float(count) if known == window - 1 else 0.0
        into = now % WINDOW_SECONDS
        left = limit - count - before * (1 - into / WINDOW_SECONDS)
        return Count(left, place, window, into, limit, count, before)

    def _find(self, start: int, digest: int) -> int:
        """Return where the name's count is in its bucket; a new name takes the place of the one that was idle longest."""
        names = NAMES.unpack_from(self._map, start)
        places = range(start + NAMES.size, start + BUCKET_BYTES, COUNT.size)
        if digest in names:
            return places[names.index(digest)]
        windows = [COUNT.unpack_from(self._map, place)[0] for place in places]
        oldest = windows.index(min(windows))
        struct.pack_into("<Q", self._map, start + oldest * 8, digest)
        COUNT.pack_into(self._map, places[oldest], 0, 0, 0.0)
        return places[oldest]


@lru_cache(maxsize=PLACES * BUCKETS)
def _digest(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one key and one address may ask per minute; 0 is no limit."""

    counts: RateLimits
    per_key: int
    per_address: int
