"""Gold at a place that other machines reach: a bucket, or a folder that they mount.

    <place>/<partition>/<table>.parquet, then its manifest.json, then <place>/newest.json, which names the partition

A partition is there once its manifest is, and the pointer is never at one that is not. One machine publishes at a time; any number
of others follow.
"""

import json
import logging
import shutil
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Final

from ratchet.contracts.errors import DataError
from ratchet.contracts.place import Place
from ratchet.contracts.release import file_digest
from ratchet.ingest import partition
from ratchet.ingest.durable import exclusive, make_folder, sync
from ratchet.ingest.partition import MANIFEST, POINTER, VINTAGES
from ratchet.ingest.place import errors

log = logging.getLogger(__name__)

_LOCK: Final = ".pointer.lock"
_ABANDONED: Final = timedelta(days=1)
"""An upload that has not got its manifest by then never will."""


def share(folder: Path, there: Place | None) -> None:
    """Put a partition there unless there is nowhere to, then move both pointers: the one there first, so that whoever was told finds it.

    A `DataError` says what failed; then neither pointer has moved, and the next call puts there what is still missing.
    """
    if there is None:
        partition.point(folder.parent, folder.name)
        return
    with errors(f"gold {folder.name} was built and is not published: "):
        before = there.read(POINTER)
        _put(folder, there.under(folder.name))
        with exclusive(folder.parent / _LOCK):
            text = partition.pointer_text(folder.name).encode()
            if before is None or before[0] != text:
                there.replace(POINTER, text, known=before[1] if before else "")
            partition.point(folder.parent, folder.name)


def follow(home: Path, workload_name: str, there: Place) -> bool:
    """Take over what was published there last, checked by SHA-256, unless it is here: whether this machine's gold has changed.

    Where the place is away, what is here is still good; a `DataError` if nothing is.
    """
    root = partition.gold_root(home, workload_name)
    try:
        if _is_here(root, _pointed(there)):
            return False
        make_folder(root)
        with exclusive(root / _LOCK):
            name = _pointed(there)
            if _is_here(root, name):
                return False
            _take_over(root, there, name)
    except OSError as error:
        if not partition.pointed(root):
            raise DataError(f"gold cannot be taken over: {error}") from error
        log.warning("gold of %s: going on with %s: %s", workload_name, partition.pointed(root), error)
        return False
    log.info("gold of %s: took over %s from %s", workload_name, name, there.location)
    return True


def prune(there: Place, *, keep: int, needed: Collection[datetime]) -> list[str]:
    """Drop there what is superseded, each partition's manifest first, and uploads that were abandoned. Names what went."""
    with errors("old gold cannot be pruned: "):
        files = {PurePosixPath(name): kept for name, kept in there.listing().items()}
        names = {path.parts[0] for path in files if len(path.parts) > 1}
        published = {name: files[path].at for name in names if (path := PurePosixPath(name, MANIFEST)) in files}
        newest = max((kept.at for kept in files.values()), default=None)
        begun = {name: max(kept.at for path, kept in files.items() if path.parts[0] == name) for name in names}
        abandoned = [name for name in names - set(published) if newest and begun[name] < newest - _ABANDONED]
        old = partition.superseded(published, keep=keep, needed=needed, current=_pointed(there))
        for name in [*old, *sorted(abandoned)]:
            its = sorted((path for path in files if path.parts[0] == name), key=lambda path: path.name != MANIFEST)
            for path in its:
                there.delete(path.as_posix())
    return old


def _put(folder: Path, there: Place) -> None:
    """A table that is there already, of the same size, is the same: a partition's name holds their digest, but not that of its vintages."""
    kept, said = there.listing(), there.read(MANIFEST)
    is_other = said is None or said[0] != (folder / MANIFEST).read_bytes()
    names = [*sorted(partition.read_manifest(folder)["files"]), MANIFEST]
    for name in names:
        is_there = name in kept and kept[name].bytes == (folder / name).stat().st_size
        if not is_there or (is_other and name in {VINTAGES, MANIFEST}):
            there.put(folder / name, name)


def _pointed(there: Place) -> str:
    found = there.read(POINTER)
    if found is None:
        return ""
    try:
        name = json.loads(found[0])["partition"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{there.location}/{POINTER} is damaged; build gold again") from error
    return _plain(str(name), there)


def _is_here(root: Path, name: str) -> bool:
    return not name or (partition.pointed(root) == name and (root / name / MANIFEST).is_file())


def _take_over(root: Path, there: Place, name: str) -> None:
    if not partition.is_undamaged(root / name):
        arriving = root / ".taken"
        shutil.rmtree(arriving, ignore_errors=True)
        try:
            _fetch(there.under(name), arriving)
            partition.settle(arriving, root / name)
        finally:
            shutil.rmtree(arriving, ignore_errors=True)
    partition.point(root, name)


def _fetch(there: Place, arriving: Path) -> None:
    there.fetch(MANIFEST, arriving / MANIFEST)
    for name, digest in partition.read_manifest(arriving)["files"].items():
        there.fetch(_plain(name, there), arriving / name)
        if (found := file_digest(arriving / name)) != digest:
            raise DataError(
                f"{there.location}/{name}: published with SHA-256 {digest[:12]}…, there is {found[:12]}…; delete it and build gold again"
            )
        sync(arriving / name)
    sync(arriving / MANIFEST)


def _plain(name: str, there: Place) -> str:
    if PurePosixPath(name).name != name or name.startswith("."):
        raise DataError(f"{there.location} names a file that leads elsewhere: {name}")
    return name
