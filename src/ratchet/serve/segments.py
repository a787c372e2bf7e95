"""The files of a spool folder: who writes one, which are finished, which were left behind by a dead worker.

<stamp>-<pid>.open              being written; its writer holds a lock on it, so a free lock means a dead writer
<stamp>-<pid>.<records>.ready   finished, waiting to be forwarded, oldest name first
rejected/                       records that the database will never take, each with the reason
"""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from ratchet.serve import log_lines

OPEN: Final = ".open"
READY: Final = ".ready"
SEGMENT_BYTES: Final = 4 << 20
"""Of records, which is what a transaction of the forwarder is about."""
LONGEST_BYTES: Final = 2 * SEGMENT_BYTES
"""With the answers that they point at, which are there once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """What a spool folder holds that the database does not have yet."""

    size: int
    segments: int
    oldest: float | None
    """When the file that has waited longest was last written to, in seconds since 1970."""


def measure(folder: Path) -> Depth:
    """Bytes and files that wait, and since when, at the price of one look at the folder."""
    found = [status for path in folder.glob("*-*") if (status := _status(path)) is not None]
    oldest = min((status.st_mtime for status in found), default=None)
    return Depth(size=sum(status.st_size for status in found), segments=len(found), oldest=oldest)


def count_records(folder: Path) -> int:
    """Count the records that wait: finished segments carry the number in their name, open ones are small."""
    finished = sum(int(path.suffixes[-2][1:]) for path in folder.glob(f"*{READY}"))
    return finished + sum(_count_lines(path) for path in folder.glob(f"*{OPEN}"))


def finished(folder: Path, on_trouble: Callable[[Path, OSError], None] = lambda *_: None) -> list[Path]:
    """Every segment that may be forwarded, oldest first; segments of dead workers are among them, unless there is trouble with one."""
    for path in folder.glob(f"*{OPEN}"):
        try:
            _adopt_if_orphaned(path)
        except OSError as error:
            on_trouble(path, error)
    return sorted(folder.glob(f"*{READY}"))


class Segment:
    """A segment being written. Its lock lasts as long as its writer's process."""

    def __init__(self, path: Path, handle: int, opened_at: float) -> None:
        self._path = path
        self._handle = handle
        self._said = 0
        self._is_torn = False
        self.records = 0
        self.opened_at = opened_at
        self.size = 0
        self.answers: set[bytes] = set()

    @classmethod
    def create(cls, folder: Path, *, opened_at: float) -> Self:
        """Start a segment; it gets its name after its lock, so that nobody takes it for an orphan."""
        path = folder / f"{time.time_ns():020d}-{os.getpid()}{OPEN}"
        draft = path.with_suffix(".new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            draft.rename(path)
        except OSError:
            os.close(handle)
            draft.unlink(missing_ok=True)
            raise
        return cls(path, handle, opened_at)

    def write(self, lines: bytes, records: int = 1, *, ahead: bytes = b"", answers: Iterable[bytes] = ()) -> None:
        """Append whole lines, after those of new answers, or, with an `OSError`, nothing: what cannot be taken back ends the segment."""
        whole = ahead + lines
        written = os.write(self._handle, whole)
        if written != len(whole):
            self._is_torn = True
            os.ftruncate(self._handle, self.size)
            self._is_torn = False
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.size += written
        self.answers.update(answers)
        self._said += len(lines)
        self.records += records

    @property
    def is_full(self) -> bool:
        """Whether it is time for another one."""
        return self._is_torn or self._said >= SEGMENT_BYTES or self.size >= LONGEST_BYTES

    def duplicate(self) -> int:
        """A handle of the caller's own, to sync and close: the segment may be finished meanwhile."""
        return os.dup(self._handle)

    def finish(self, *, fsync: bool = False) -> None:
        """Give the segment to the forwarder."""
        try:
            if fsync:
                os.fdatasync(self._handle)
            _finish(self._path, self.records)
        finally:
            os.close(self._handle)  # with it goes the lock: what could not be renamed is adopted later


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk itself."""
    sync_and_close(os.open(folder, os.O_RDONLY))


def sync_and_close(handle: int) -> None:
    """Have what was written on the disk itself."""
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _adopt_if_orphaned(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():  # its writer may have finished it between our two looks
                _finish(path, _count_lines(path))
    except (BlockingIOError, FileNotFoundError):
        return  # somebody is writing it, or it has just been finished


def _finish(path: Path, records: int) -> None:
    path.rename(path.with_suffix(f".{records}{READY}"))


def _count_lines(path: Path) -> int:
    try:
        return log_lines.count_records(path.read_bytes())
    except OSError:  # it is gone, or nobody here may read it, which the forwarder says
        return 0


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
