"""What releases say when they are issued again each week, as `refresh_forecasts` would: each time from nothing that was not known then."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet.rehearsal.crew import Say, share
from ratchet.rehearsal.history import History
from ratchet.rehearsal.releases import Issued, rows_of, until
from ratchet.serve.release import open_release
from ratchet.train.issue import issue_again

Floats = NDArray[np.float64]

FOLDER: Final = ".renewed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What older releases say when a week is complete, as a process needs to know it."""

    history: History
    week: int
    newest: str
    """The release that was trained on the same weeks: its id stands for them."""
    older: tuple[str, ...]
    folder: Path


def renew_all(
    history: History, issued: Sequence[Issued], *, folder: Path, say: Say, processes: int | None = None
) -> list[Issued]:
    """Each release with what it says of every later week, issued again the week before; what is in `folder` is not done again."""
    (folder / FOLDER).mkdir(exist_ok=True)
    ids = [one.release_id for one in issued]
    renewals = [
        Renewal(
            history=until(history, one.trained),
            week=one.trained,
            newest=one.release_id,
            older=tuple(ids[:place]),
            folder=folder,
        )
        for place, one in enumerate(issued)
        if place
    ]
    share(renew, renewals, say=say, processes=processes)
    return [_read(history, issued, place, folder) for place in range(len(issued))]


def renew(task: Renewal) -> str:
    """Issue the older releases again from one week's history, and keep what they say of the week that comes."""
    known, hour = task.history.known_at(task.week), task.history.complete_at(task.week)
    for release_id in task.older:
        kept = _file(task.folder, release_id, task.newest)
        if kept.exists():
            continue
        with tempfile.TemporaryDirectory(dir=task.folder / FOLDER) as scratch:
            out = Path(scratch) / "issue"
            issue_again(task.folder / release_id, known, last=1, data_hour=hour, out=out)
            np.save(out / "next.npy", np.load(out / "median.npy")[:, 0])
            (out / "next.npy").replace(kept)
    return task.newest


def _file(folder: Path, release_id: str, newest: str) -> Path:
    return folder / FOLDER / f"{release_id}~{newest}.npy"


def _read(history: History, issued: Sequence[Issued], place: int, folder: Path) -> Issued:
    own = issued[place]
    rows = rows_of(open_release(folder / own.release_id, verify=False), history.names)
    said = [own.forecasts[:, 0]]
    for later in issued[place + 1 :]:
        column = np.full(len(history.names), np.nan)
        column[rows >= 0] = np.load(_file(folder, own.release_id, later.release_id))[rows[rows >= 0]]
        said.append(column)
    return replace(own, renewed=np.stack(said, axis=1))
