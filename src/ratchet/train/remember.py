"""A crew that does no job twice: what was forecast for a fold is kept, and asked for again while everything it depends on is the same.

Cutoffs stay on calendar weeks, so a training with a week more validates on folds that the last one has seen. What is kept is found by
a digest of code, libraries, the family with its options, and every name, week and value that the job may see: whatever changes any of
them, such as an event that came late or a series that is new, changes the digest of its shard's jobs, and of those that see every series.
"""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet.train.code import LIBRARIES, versions
from ratchet.train.crew import Crew, Job
from ratchet.train.panel import Panel

Floats = NDArray[np.float64]

KEEP_SECONDS: Final = 30 * 86_400
MOST_BYTES: Final = 4 * 2**30
_CHECK: Final = 16
_AXES: Final = 4


def remembering(crew: Crew, folder: Path, *, code: str, most_bytes: int = MOST_BYTES) -> Crew:
    """Have a crew do only those jobs whose answers are not in the folder: the same answers, to the last bit.

    What is damaged is done again. What nobody asked for in a month goes, and the longest unused of more than `most_bytes`.
    """

    @wraps(crew)
    def run(panel: Panel, jobs: Sequence[Job], say: Callable[[str], None]) -> Iterator[tuple[int, Floats]]:
        paths = [folder / f"{key}.npy" for key in _keys(panel, jobs, code)]
        missing = []
        for number, (job, path) in enumerate(zip(jobs, paths, strict=True)):
            series = len(panel.names) if job.shard is None else len(job.shard.rows)
            found = _read(path, folds=len(job.folds), series=series, horizon=job.folds[0].horizon)
            if found is None:
                missing.append(number)
            else:
                yield number, found
        if len(missing) < len(jobs):
            say(f"{len(jobs) - len(missing)} of {len(jobs)} jobs were done before")
        if missing:
            for at, found in crew(panel, [jobs[number] for number in missing], say):
                try:
                    _write(paths[missing[at]], found)
                except OSError as error:
                    say(f"what was done is not kept: {error}")
                yield missing[at], found
        _prune(folder, most_bytes)

    return run


def _keys(panel: Panel, jobs: Sequence[Job], code: str) -> Iterator[str]:
    own: dict[Hashable, Panel] = {}
    known: dict[tuple[Hashable, int], str] = {}
    made_by = [code, versions(LIBRARIES)]
    for job in jobs:
        if job.shard not in own:
            own[job.shard] = job.own(panel)
        for fold in job.folds:
            if (job.shard, fold.cutoff) not in known:
                known[job.shard, fold.cutoff] = fold.known(own[job.shard]).digest()
        family = [job.family.name, job.family.pooled, {**job.family.options}]
        seen = [[fold.horizon, known[job.shard, fold.cutoff]] for fold in job.folds]
        key = json.dumps([made_by, family, seen], sort_keys=True)
        yield hashlib.blake2b(key.encode(), digest_size=20).hexdigest()


def _read(path: Path, *, folds: int, series: int, horizon: int) -> Floats | None:
    """What was kept, whole; None if it is not there, or not what was written."""
    try:
        with path.open("rb") as file:
            found: Floats = np.load(file, allow_pickle=False)
            whole = file.read() == _check(found) and found.dtype == np.float64 and found.ndim == _AXES
        if not whole or (found.shape[0], *found.shape[2:]) != (folds, series, horizon):
            return None
        os.utime(path)  # it was of use
    except (OSError, ValueError, EOFError):
        return None
    return found


def _write(path: Path, answer: Floats) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, answer, allow_pickle=False)
            file.write(_check(answer))
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _check(answer: Floats) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(answer).data, digest_size=_CHECK).digest()


def _prune(folder: Path, most_bytes: int) -> None:
    """Remove what was not of use for long, and drafts that a kill left; another training may do the same meanwhile."""
    oldest, size = time.time() - KEEP_SECONDS, 0
    for used, bytes_, path in sorted(_files(folder), reverse=True):
        size += bytes_
        if used < oldest or size > most_bytes:
            path.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    for path in folder.glob("*.npy*"):
        try:
            known = path.stat()
        except FileNotFoundError:
            continue
        yield known.st_mtime, known.st_size, path
