"""How far a build has come, told to whoever asks for it; else the log says it."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ratchet.ingest.manifest import Landed

log = logging.getLogger(__name__)

_EVERY_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Building:
    """How much a build has read of what it has to."""

    workload: str
    files: int
    of_files: int
    bytes: int
    of_bytes: int
    is_modelled: bool
    """Whether dbt takes in now what was read last, rather than that more is read."""


class Told:
    """Counts the files that were read, from any thread, and tells each time."""

    def __init__(self, workload: str, pending: Sequence[Landed], hear: Callable[[Building], None]) -> None:
        self._workload, self._hear = workload, hear
        self._of_files, self._of_bytes = len(pending), sum(entry.bytes for entry in pending)
        self._files, self._bytes = 0, 0
        self._guard = threading.Lock()

    def read(self, size: int) -> None:
        """One more file was read."""
        with self._guard:
            self._files += 1
            self._bytes += size
            self._tell(is_modelled=False)

    def model(self) -> None:
        """Dbt is at it."""
        with self._guard:
            self._tell(is_modelled=True)

    def _tell(self, *, is_modelled: bool) -> None:
        self._hear(
            Building(
                workload=self._workload,
                files=self._files,
                of_files=self._of_files,
                bytes=self._bytes,
                of_bytes=self._of_bytes,
                is_modelled=is_modelled,
            )
        )


class ToLog:
    """Says it in the log: twice a minute, and each time that dbt begins."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = clock() + _EVERY_SECONDS

    def __call__(self, told: Building) -> None:
        """Say it if its time has come."""
        now = self._clock()
        if not told.is_modelled and now < self._next:
            return
        self._next = now + _EVERY_SECONDS
        read = (
            f"{told.files:,} of {told.of_files:,} files read, {told.bytes / 1e6:,.1f} of {told.of_bytes / 1e6:,.1f} MB"
        )
        log.info("%s: %s%s", told.workload, read, "; dbt takes in what is new" if told.is_modelled else "")
