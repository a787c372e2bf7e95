"""A real release for every week, trained on nothing that was not known then."""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ratchet import workloads
from ratchet.contracts.release import split_name
from ratchet.rehearsal.crew import Say, share
from ratchet.rehearsal.history import WEEK, History
from ratchet.rehearsal.plan import Plan
from ratchet.serve.release import OpenRelease, open_release
from ratchet.train import train

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A release and what it said, in the history's order of series, NaN where it said nothing."""

    release_id: str
    trained: int
    """Index of the newest week that it learnt from."""
    forecasts: Floats
    """[series, step]: what it was trained to say."""
    renewed: Floats | None = None
    """[series, week]: what it said of each week after those that it learnt from, issued again when the week before was complete."""

    def of(self, week: int) -> Floats:
        """What it said of a week; if it never was renewed, its longest forecast where the week is beyond all of them."""
        said = self.forecasts if self.renewed is None else self.renewed
        step = min(week - self.trained - 1, said.shape[1] - 1)
        if step < 0:
            raise ValueError(f"{self.release_id} had learnt from week {week} already")
        return np.asarray(said[:, step])


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One training, as a process needs to know it."""

    history: History
    plan: Plan
    week: int
    code_version: str
    folder: Path


def train_all(
    history: History, plan: Plan, *, folder: Path, code_version: str, say: Say, processes: int | None = None
) -> list[Issued]:
    """The first release and one for each week, in order; those that are in `folder` already are not trained again."""
    weeks = range(plan.first - 1, plan.last)
    tasks = [
        Task(history=until(history, week), plan=plan, week=week, code_version=code_version, folder=folder)
        for week in weeks
    ]
    done = share(make, tasks, say=say, processes=processes)
    return [read(history, week, folder / release_id) for week, release_id in zip(weeks, done, strict=True)]


def make(task: Task) -> str:
    """Train one release, as the loop would have when that week was complete; its id."""
    found = workloads.find(task.plan.workload)
    first = task.week == task.plan.first - 1
    card = train(
        task.history.known_at(task.week),
        workload=replace(found, targets=task.history.targets),
        recipe=found.first_recipe if first else task.plan.recipe,
        data_hour=task.history.complete_at(task.week),
        code_version=task.code_version,
        synthetic=task.history.synthetic,
        out=task.folder,
    )
    return card.release_id


def read(history: History, week: int, folder: Path) -> Issued:
    """What a release on disk says, by the reader that serving uses."""
    opened = open_release(folder, verify=False)
    first = date.fromisoformat(opened.weeks[0])
    if first != history.weeks[week] + WEEK:
        raise ValueError(f"{folder.name} begins with {first}, not the week after {history.weeks[week]}")
    rows = rows_of(opened, history.names)
    known = rows >= 0
    forecasts = np.full((len(history.names), opened.card.horizon), np.nan)
    forecasts[known] = opened.statistics[1][rows[known]]
    return Issued(release_id=opened.card.release_id, trained=week, forecasts=forecasts)


def rows_of(opened: OpenRelease, names: tuple[str, ...]) -> NDArray[np.intp]:
    """Where each of these series is in a release; -1 for those that it does not know."""
    there = {found for page in _pages(opened) for found in page}
    return np.array(
        [opened.row(*split_name(name)) if split_name(name) in there else -1 for name in names], dtype=np.intp
    )


def _pages(opened: OpenRelease) -> list[tuple[tuple[str, str], ...]]:
    return [opened.series(limit=opened.card.series).series]


def until(history: History, week: int) -> History:
    """Only what was known is sent to the process that learns or forecasts: it could not look further if it tried."""
    return replace(
        history,
        frame=history.known_at(week),
        values=history.values[:, : week + 1],
        weeks=history.weeks[: week + 1],
    )
