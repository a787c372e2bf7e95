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
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

WINDOW_SECONDS: Final = 60
BUCKETS: Final = 4096
PLACES: Final = 8
DIGEST: Final = 8  # bytes of a name's
COUNT: Final = struct.Struct("<IId")  # window, count within it, count within the window before
BUCKET_BYTES: Final = PLACES * (DIGEST + COUNT.size)
SIZE: Final = BUCKETS * BUCKET_BYTES
LEFT: Final = itemgetter(0)
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
    """What is counted of one name, and where."""

    left: float
    """How much more may be counted now."""
    place: int
    limit: int
    so_far: int
    before: float

    def without(self, had: int) -> "Count":
        """Return what was counted of all others."""
        return self._replace(left=self.left + had, so_far=max(0, self.so_far - had))

    def tell(self, cost: int, *, taken: bool, into: float) -> Allowance:
        """Say what is left so far into a window, once the cost was taken or was not."""
        cost = min(cost, self.limit)
        left = int(self.left - cost if taken else self.left)
        retry = 0 if taken else self._wait(self.limit - cost, into)
        return Allowance(taken, self.limit, max(0, left), math.ceil(WINDOW_SECONDS - into), retry)

    def _wait(self, room: int, into: float) -> int:
        """Return the seconds until no more than `room` is counted, if nothing else is asked meanwhile."""
        if self.so_far <= room:  # the window before fades enough while this one lasts
            return max(1, math.ceil(WINDOW_SECONDS * (1 - (room - self.so_far) / self.before) - into))
        return max(1, math.ceil(WINDOW_SECONDS - into + WINDOW_SECONDS * (1 - room / self.so_far)))


class Place(NamedTuple):
    """Where a name was counted when it was last looked for."""

    digest: bytes
    at: int
    """Of the digest, while no other name has taken its place."""
    count_at: int


class RateLimits:
    """Counts in `path`, shared with whoever else opens it; a process opens it for itself, for a lock that it inherited keeps nobody out."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._lock = threading.Lock()
        self._impatient_until = 0.0
        self._places: dict[str, Place] = {}
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._reserve()
        self._map = mmap.mmap(self._file, SIZE)

    def take(self, name: str, limit: int, cost: int = 1) -> Allowance:
        """Count a request of `name` if its limit per minute leaves room; a refused one costs nothing."""
        return self.take_all([(name, limit)], cost)

    def take_all(self, wanted: Sequence[tuple[str, int]], cost: int = 1, *, had: int = 0) -> Allowance:
        """Count a request under each of its names, or under none if one limit leaves no room; of these, say the tightest.

        What it had before was counted of the cost already, and is given back where there is no room.
        """
        with self._lock:
            self._enter()
            try:
                now = self._clock()
                window, into = int(now // WINDOW_SECONDS), now % WINDOW_SECONDS
                counts = [self._look(name, limit, window, into) for name, limit in wanted]
                if had:
                    counts = [one.without(had) for one in counts]
                # What costs more than a limit passes when nothing else did.
                full = [one for one in counts if one.left < min(cost, one.limit)]
                if not full or had:
                    for _, place, limit, counted, before in counts:
                        more = 0 if full else min(cost, limit)
                        COUNT.pack_into(self._map, place, window, counted + more, before)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        return min(reversed(full or counts), key=LEFT).tell(cost, taken=not full, into=into)

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

    def _look(self, name: str, limit: int, window: int, into: float) -> Count:
        digest, named, place = self._places.get(name) or self._find(name)
        if self._map[named : named + DIGEST] != digest:  # another name has its place by now
            digest, named, place = self._find(name)
        known, counted, before = COUNT.unpack_from(self._map, place)
        if known != window:
            # A clock that was set back finds windows of the future: they count as long gone.
            counted, before = 0, float(counted) if known == window - 1 else 0.0
        left = limit - counted - before * (1 - into / WINDOW_SECONDS)
        return Count(left, place, limit, counted, before)

    def _find(self, name: str) -> Place:
        """Return where the name's count is in its bucket; a new name takes the place of the one that was idle longest."""
        digest = hashlib.blake2b(name.encode(), digest_size=DIGEST).digest()
        start = int.from_bytes(digest, "little") % BUCKETS * BUCKET_BYTES
        counts = range(start + PLACES * DIGEST, start + BUCKET_BYTES, COUNT.size)
        names = range(start, counts[0], DIGEST)
        number = next((number for number, at in enumerate(names) if self._map[at : at + DIGEST] == digest), None)
        if number is None:
            number = min(range(PLACES), key=lambda one: COUNT.unpack_from(self._map, counts[one])[0])
            self._map[names[number] : names[number] + DIGEST] = digest
            COUNT.pack_into(self._map, counts[number], 0, 0, 0.0)
        if len(self._places) >= PLACES * BUCKETS:
            self._places.clear()
        found = self._places[name] = Place(digest, names[number], counts[number])
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one key and one address may ask per minute; 0 is no limit."""

    counts: RateLimits
    per_key: int
    per_address: int

    def could_allow(self, cost: int) -> bool:
        """Whether so much could be asked in one minute if nothing else was."""
        return all(limit == 0 or limit >= cost for limit in (self.per_key, self.per_address))
