"""Where a forecast is written down before it is answered: append-only segments on local disk, one writer each.

One write(2) per record or batch of them: what it accepted survives the death of the process. Only a power cut needs `fsync`, and
then records that wait at the same time share one: a record waits for at most two of them, however many come at once.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import orjson

from ratchet.serve.log_lines import Answers, seal
from ratchet.serve.segments import Segment, measure, sync_and_close, sync_folder

logger = logging.getLogger(__name__)

SEGMENT_SECONDS: Final = 0.5
MANY_SEGMENTS: Final = 100  # while this many wait, nobody takes them: segments then end by size alone
NOTHING: Final[Answers] = {}


class Spool:
    """One worker's end of the log: `append` for request threads, `tick` for one thread in the background."""

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        fsync: bool,
        on_lost: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._max_bytes = max_bytes
        self._fsync = fsync
        self._on_lost = on_lost
        self._clock = clock
        self._lock = threading.Lock()
        self._turn = threading.Condition()
        self._syncing = False
        self._written = 0
        self._synced = 0
        self._unsafe = 0  # the last record that was written when the disk refused: a later sync says nothing of it
        self._segment: Segment | None = None
        self._room = max_bytes - measure(folder).size
        self._lost = 0
        self._trouble: OSError | None = None

    def append(self, record: dict[str, Any]) -> bool:
        """Write a record down; False if that was not possible, which is then counted. Only `fsync` makes it wait."""
        return self.append_lines(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE), 1)

    def append_lines(self, lines: bytes, records: int, answers: Answers = NOTHING) -> bool:
        """Write records down in one piece, each a line of JSON, after those answers that the segment has not: all of it or nothing."""
        with self._lock:
            there = self._segment.answers if self._segment else set()
            new = NOTHING if answers.keys() <= there else {one: answers[one] for one in answers if one not in there}
            ahead = b"".join(new.values())
            lines = seal(lines, ahead)
            kept = len(ahead) + len(lines) <= self._room and self._write(lines, records, ahead, new)
            number = self._written
        if kept and self._fsync:
            kept = self._sync(number)
        if not kept:
            with self._lock:
                self._lost += records
            self._on_lost(records)
        return kept

    def tick(self) -> None:
        """Finish a segment that is due, measure the room that is left, and say aloud what was lost."""
        depth = measure(self.folder)
        with self._lock:
            self._room = self._max_bytes - depth.size
            if depth.segments < MANY_SEGMENTS and self._is_due():
                self._finish()
            lost, self._lost = self._lost, 0
            trouble, self._trouble = self._trouble, None
        if lost:
            reason = trouble or f"{depth.size} of {self._max_bytes} bytes are taken"
            logger.error("%d records are lost, the spool %s cannot take them: %s", lost, self.folder, reason)

    def close(self) -> None:
        """Finish the open segment. A worker that never gets here leaves it to be found by its free lock."""
        with self._lock:
            self._finish()

    def _write(self, lines: bytes, records: int, ahead: bytes, answers: Iterable[bytes]) -> bool:
        try:
            if self._segment is None:
                self.folder.mkdir(parents=True, exist_ok=True)  # who wants room on a disk removes folders
                self._segment = Segment.create(self.folder, opened_at=self._clock())
                if self._fsync:
                    sync_folder(self.folder)
            self._segment.write(lines, records, ahead=ahead, answers=answers)
        except OSError as error:
            self._trouble = error
            if self._segment is not None and self._segment.is_full:
                self._finish()
            return False
        self._room -= len(ahead) + len(lines)
        self._written += 1
        if self._segment.is_full:
            self._finish()
        return True

    def _sync(self, number: int) -> bool:
        """Have the record of this number on the disk itself; those who wait while one thread syncs share the next sync."""
        with self._turn:
            while self._syncing and self._synced < number:
                self._turn.wait()
            if self._synced >= number:
                return number > self._unsafe
            self._syncing = True
        covered = self._sync_all()
        with self._turn:
            self._syncing = False
            self._synced = max(self._synced, covered)
            self._turn.notify_all()
        return covered >= number > self._unsafe

    def _sync_all(self) -> int:
        """Sync what is written by now: the number of the last record that is safe, 0 if the disk refuses."""
        try:
            with self._lock:
                covered = self._written
                handle = self._segment.duplicate() if self._segment else None
            if handle is not None:  # else all of it was in segments that were synced when they were finished
                sync_and_close(handle)
        except OSError as error:
            with self._lock:
                self._trouble, self._unsafe = error, self._written
            return 0
        return covered

    def _is_due(self) -> bool:
        return self._segment is not None and self._clock() - self._segment.opened_at >= SEGMENT_SECONDS

    def _finish(self) -> None:
        segment, self._segment = self._segment, None
        if segment:
            try:
                segment.finish(fsync=self._fsync)
            except FileNotFoundError as error:  # somebody removed it: nobody will ever find it
                self._trouble, self._unsafe = error, self._written
                self._lost += segment.records
                self._on_lost(segment.records)
            except OSError:
                self._unsafe = self._written
                logger.exception("the spool %s: a segment could not be finished and waits to be adopted", self.folder)
