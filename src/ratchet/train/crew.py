"""Who does the work of validation: this process, one on each core, or the workers of a Dask cluster. The same numbers, to the last bit."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Final, Self, TypeAlias

import cloudpickle
import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.errors import RatchetError
from ratchet.contracts.forecaster import Forecaster
from ratchet.train.code import LIBRARIES, code_version, versions
from ratchet.train.colleague import ask_each
from ratchet.train.fit import answer, learn, shares
from ratchet.train.folds import Fold
from ratchet.train.panel import Panel
from ratchet.train.shards import Shard

if TYPE_CHECKING:
    from distributed import Client, Future

Floats = NDArray[np.float64]

CONNECT_SECONDS: Final = 10
WORKERS_SECONDS: Final = 600
"""A cluster may be starting, or have lost all its workers: one comes back in a minute or two, where it comes back."""
LOOK_SECONDS: Final = 10
MANY_SERIES: Final = 1000
"""With fewer, starting other processes takes longer than they save."""
MOST_STEPS: Final = 100
"""Of more jobs not every one is worth a line."""
RETRIES: Final = 2
"""A worker that dies takes its job with it; another does it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One family on folds that it learns for once, before the first of them; on a shard of the series, or on all."""

    family: Forecaster
    folds: tuple[Fold, ...]
    shard: Shard | None = None

    @property
    def rows(self) -> NDArray[np.intp] | slice:
        """Which of the panel's series it is about."""
        return slice(None) if self.shard is None else self.shard.rows

    def own(self, panel: Panel) -> Panel:
        """Show what it works on."""
        return panel if self.shard is None else self.shard.own(panel)

    def describe(self) -> str:
        """Say what it is, for people who watch."""
        weeks = ", ".join(str(fold.cutoff) for fold in self.folds)
        where = f", {self.shard}" if self.shard is not None and self.shard.of > 1 else ""
        return f"{self.family.name} from week {weeks}{where}"


class Step(str):
    """A line that says how far jobs have come, for whoever reads it; and in numbers, for whoever draws it."""

    __slots__ = ("done", "of", "series", "what")
    done: int
    of: int
    series: int
    what: str

    def __new__(cls, done: int, jobs: Sequence[Job], job: Job, panel: Panel) -> Self:
        """So many of the jobs are done, the last of them this one."""
        line = super().__new__(cls, f"{done} of {len(jobs)}: {job.describe()}")
        line.done, line.of, line.series, line.what = done, len(jobs), len(panel.names), job.describe()
        return line


class Steps:
    """Says how far jobs have come: each of them, or a hundred times."""

    def __init__(self, panel: Panel, jobs: Sequence[Job], say: Callable[[str], None]) -> None:
        self._panel, self._jobs, self._say = panel, jobs, say
        self._done = 0

    def came(self, number: int) -> None:
        """One more is done, this one."""
        before, self._done = self._done, self._done + 1
        of = len(self._jobs)
        if of <= MOST_STEPS or self._done * MOST_STEPS // of > before * MOST_STEPS // of:
            self._say(Step(self._done, self._jobs, self._jobs[number], self._panel))


Crew: TypeAlias = Callable[[Panel, Sequence[Job], Callable[[str], None]], Iterator[tuple[int, Floats]]]
"""Does jobs on a panel, in any order: yields each job's number with what it forecast for its own series."""


def work(job: Job, panel: Panel) -> Floats:
    """Forecast its own panel, [fold, statistic, series, step] as `fit.answer` does; nothing after a fold's cutoff is seen."""
    learned = learn(job.family, job.folds[0].known(panel))
    said = np.empty((len(job.folds), len(shares(learned)), len(panel.names), job.folds[0].horizon))
    for number, fold in enumerate(job.folds):
        said[number] = answer(job.family, learned, fold.known(panel), horizon=fold.horizon)
    return said


def in_process(panel: Panel, jobs: Sequence[Job], say: Callable[[str], None]) -> Iterator[tuple[int, Floats]]:
    """Do one job after the other here."""
    steps = Steps(panel, jobs, say)
    for number, job in enumerate(jobs):
        found = work(job, job.own(panel))
        steps.came(number)
        yield number, found


def on_cores(processes: int, *, many: int = MANY_SERIES) -> Crew:
    """Share the jobs out to so many processes of this machine where there are many series; `RatchetError` if one of them dies."""

    def run(panel: Panel, jobs: Sequence[Job], say: Callable[[str], None]) -> Iterator[tuple[int, Floats]]:
        count = min(processes, len(jobs))
        if count < 2 or len(panel.names) < many:
            yield from in_process(panel, jobs, say)
            return
        say(f"{len(jobs)} jobs for {count} processes")
        steps = Steps(panel, jobs, say)
        for number, found in ask_each(panel, [partial(_work_on, job) for job in jobs], processes=count):
            steps.came(number)
            yield number, found

    return run


def _work_on(job: Job, panel: Panel) -> Floats:
    return work(job, job.own(panel))


def on_dask(address: str, *, patience: float = WORKERS_SECONDS) -> Crew:
    """Do jobs on the cluster whose scheduler is at this address; `RatchetError` if it is not there or gives up.

    So is one that has no worker for so many seconds: Dask itself would wait for ever.
    """

    def run(panel: Panel, jobs: Sequence[Job], say: Callable[[str], None]) -> Iterator[tuple[int, Floats]]:
        import dask  # noqa: PLC0415  # an extra that only clusters need
        from distributed import Client, KilledWorker  # noqa: PLC0415
        from distributed.client import FutureCancelledError  # noqa: PLC0415
        from distributed.comm import CommClosedError  # noqa: PLC0415

        try:
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise RatchetError(
                f"no Dask scheduler at {address}: start it, or leave DASK_SCHEDULER_ADDRESS empty to train here ({error})"
            ) from error
        with client:
            say(f"{len(jobs)} jobs for {len(client.scheduler_info()['workers'])} Dask workers")
            # Not scattered: what is scattered is lost with the workers that hold it, what a task gives is made again.
            with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
                shared = {
                    shard: client.submit(
                        cloudpickle.loads, cloudpickle.dumps(job.own(panel)), pure=False, retries=RETRIES
                    )
                    for shard, job in {job.shard: job for job in jobs}.items()
                }
            places = {
                client.submit(
                    _work_there,
                    job.family,
                    job.folds,
                    shared[job.shard],
                    made_by=_made_by(),
                    pure=False,
                    retries=RETRIES,
                ): number
                for number, job in enumerate(jobs)
            }
            steps = Steps(panel, jobs, say)
            for future in _as_finished(client, list(places), patience=patience):
                number = places.pop(future)  # with it the cluster may forget what it found
                steps.came(number)
                try:
                    found = future.result()
                except (KilledWorker, FutureCancelledError, CommClosedError) as error:
                    what = jobs[number].describe()
                    raise RatchetError(f"the Dask cluster at {address} gave up {what}: {error}") from error
                yield number, found

    return run


def _as_finished(client: "Client", futures: "Sequence[Future]", *, patience: float) -> "Iterator[Future]":
    """Each when it is done or has failed; `RatchetError` where none is and the cluster has no worker for so many seconds."""
    from distributed import as_completed  # noqa: PLC0415

    waiting, looked = as_completed(futures, loop=client.loop), 0.0
    while not waiting.is_empty():
        if waiting.has_ready():
            yield next(waiting)
        elif time.monotonic() - looked < LOOK_SECONDS:
            time.sleep(0.02)
        else:
            _require_worker(client, patience)
            looked = time.monotonic()


def _require_worker(client: "Client", patience: float) -> None:
    """Wait for one; there mostly is, and nothing is waited for."""
    address = client.scheduler.address
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError as error:
        raise RatchetError(
            f"no worker at {address} for {patience:.0f} s: see what they log, or leave DASK_SCHEDULER_ADDRESS empty to train here"
        ) from error
    except OSError as error:
        raise RatchetError(f"the Dask scheduler at {address} went away: {error}") from error


@cache
def _made_by() -> dict[str, str]:
    """The code and the libraries that this process has read: files may have changed since."""
    return {"ratchet": code_version(), **versions(LIBRARIES)}


def _work_there(family: Forecaster, folds: tuple[Fold, ...], own: Panel, *, made_by: dict[str, str]) -> Floats:
    here = _made_by()
    if others := sorted(name for name in here | made_by if here.get(name) != made_by.get(name)):
        raise RatchetError(
            f"a Dask worker has other code ({_tell(here, others)}) than this training ({_tell(made_by, others)}):"
            " start it again from the same image"
        )
    return work(Job(family=family, folds=folds), own)


def _tell(made_by: dict[str, str], names: list[str]) -> str:
    return ", ".join(f"{name} {made_by.get(name, 'missing')}" for name in names)


def hire(dask_scheduler_address: str) -> Crew:
    """The cluster where one is named, else this machine's cores."""
    return on_dask(dask_scheduler_address) if dask_scheduler_address else on_cores(cores())


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
