"""The counters of all workers as one, also of workers that have died.

Each worker counts in files of its own. A dead worker's files may neither pile up (a scrape reads them all) nor vanish:
a sum that falls looks like a restart to Prometheus, which would then count everything that is left a second time.
"""

import fcntl
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)

KINDS: Final = ("counter", "histogram", "summary")
OF_A_WORKER: Final = (*KINDS, "gauge_liveall")
OF_THE_DEAD: Final = "0"  # no process has this id
ROOM: Final = 1 << 18
"""Bytes of a file: for the counts of some fifty releases, beyond which it grows."""


def start_afresh(folder: Path) -> None:
    """Make the folder, and forget what an earlier service counted: to Prometheus this is a restart, as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*folder.glob("*.db"), *folder.glob("*.new")):
        path.unlink()
    _reserve(folder, OF_THE_DEAD, KINDS)


def reserve(folder: Path, pid: int) -> None:
    """Have a worker's files there before it counts, with room on the disk: touching a mapped hole on a full one would kill it."""
    _reserve(folder, str(pid), OF_A_WORKER)


def bury(folder: Path, pid: int) -> None:
    """Add a dead worker's counts to those of all dead workers and remove its files; no scrape sees it half done."""
    with _locked(folder, fcntl.LOCK_EX):
        for kind in KINDS:
            path = folder / f"{kind}_{pid}.db"
            if path.exists():
                _add(path, folder / f"{kind}_{OF_THE_DEAD}.db")
                path.unlink()
        for path in folder.glob(f"gauge_live*_{pid}.db"):  # what a dead worker serves is nothing
            path.unlink()


def render(folder: Path, state: Collector) -> bytes:
    """Return the counts of every worker, and what is true now, in Prometheus' text format."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]  # the library does not annotate it
    registry.register(state)
    with _locked(folder, fcntl.LOCK_SH):
        return generate_latest(registry)


def _reserve(folder: Path, name: str, kinds: Iterable[str]) -> None:
    for kind in kinds:
        path = folder / f"{kind}_{name}.db"
        draft = path.with_suffix(".new")
        try:
            draft.write_bytes(bytes(ROOM))
            draft.rename(path)
        except OSError as error:
            logger.warning("no room is kept for the counts of %s: %s", path.name, error)
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def _add(source: Path, target: Path) -> None:
    total = MmapedDict(str(target))  # type: ignore[no-untyped-call]
    try:
        for key, value, *_ in MmapedDict.read_all_values_from_file(str(source)):  # type: ignore[no-untyped-call]
            known, _ = total.read_value(key)  # type: ignore[no-untyped-call]
            total.write_value(key, known + value, 0.0)  # type: ignore[no-untyped-call]
    finally:
        total.close()  # type: ignore[no-untyped-call]


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)
