"""Writes that survive a kill: a lock that ends with its process, and files that are either the old or the new ones."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ratchet.contracts.errors import DataError

_POLL_SECONDS = 0.1


@contextmanager
def exclusive(path: Path, *, wait_seconds: float = 900.0) -> Iterator[int]:
    """Hold the lock file `path`, waiting for another holder; yields its descriptor, for a child process to hold too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        _acquire(stream.fileno(), path, wait_seconds)
        yield stream.fileno()


def replace_text(path: Path, text: str) -> None:
    """Put `text` in place of whatever `path` held; a reader sees the old content or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arriving = path.with_name(f".{path.name}.arriving")
    arriving.write_text(text, encoding="utf-8")
    sync(arriving)
    arriving.replace(path)
    sync(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder and those above it; when this returns, no crash can take them away."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the disk hold what was written to this file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, wait_seconds: float) -> None:
    give_up = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                raise DataError(
                    f"{path} has been held by another process for {wait_seconds:.0f} s; try again when it is done"
                ) from None
            time.sleep(_POLL_SECONDS)
        else:
            return
