"""Bronze to silver and gold tables, hour by hour: only what is new is read, and only what it touches is made again.

Files that are not in the warehouse yet are read in batches (`read`), taken in by the workload's dbt models (`dbt`) and listed as
taken in (`state`). Killed at any step and run again, a build goes on with the batch in which it was.
"""

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import DataError
from ratchet.contracts.workload import Workload
from ratchet.ingest import manifest
from ratchet.ingest.bronze import Bronze
from ratchet.ingest.manifest import Landed
from ratchet.ingest.quality_page import Intake
from ratchet.ingest.warehouse.dbt import Project
from ratchet.ingest.warehouse.progress import Building, Told, ToLog
from ratchet.ingest.warehouse.read import Count, Task, read
from ratchet.ingest.warehouse.state import ARRIVING, State, fingerprints

log = logging.getLogger(__name__)

_NAMED: Final = 10
_BATCH_BYTES: Final = 1 << 30
_BATCH_FILES: Final = 5000
_TAKE_IN: Final = ("--select", "config.materialized:incremental", "touched_weeks", "every_record_is_accounted_for")


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse:
    """A workload's DuckDB file, built and tested as of `data_hour`: the end of the newest hour that is known."""

    database: Path
    data_hour: datetime
    intake: Intake


def folder(home: Path, workload: str) -> Path:
    """Tell where a workload's warehouse and dbt's own files live."""
    return home / "warehouse" / workload


def build(
    workload: Workload,
    *,
    home: Path,
    bronze: Bronze,
    sources: Iterable[str],
    hold: Sequence[int] = (),
    progress: Callable[[Building], None] | None = None,
) -> Warehouse:
    """Build silver and gold from everything that these sources have landed; a `DataError` names what failed.

    The caller holds the warehouse's lock and gives its descriptor as `hold`, so that a child which outlives it holds on.
    `progress` hears of each file that was read, and of dbt each time that it begins; without it the log says so now and then.
    """
    landed = [entry for source in sources for entry in manifest.read(bronze.folder / source)]
    if not landed:
        raise DataError(f"{workload.name}: nothing has landed yet")
    place = folder(home, workload.name)
    place.mkdir(parents=True, exist_ok=True)
    state, made_by = State(place=place), fingerprints(workload)
    state.require_database()
    pending = _pending(state, landed, silver=made_by[0])
    if pending or state.made_by() != made_by:
        state.begin(made_by[0])
        _take_in(workload, state, pending, bronze=bronze, hold=hold, progress=progress or ToLog())
        state.write_hours()
        _say_notices(workload.name, state)
        state.set_made_by(*made_by)  # last: until this is written, a build is not done
    return Warehouse(database=state.database, data_hour=state.data_hour(), intake=state.intake())


def note_published(warehouse: Warehouse) -> None:
    """Have the next build judge only what it takes in after this one. The caller holds the warehouse's lock."""
    State(place=warehouse.database.parent).note_published()


def _pending(state: State, landed: Sequence[Landed], *, silver: str) -> list[Landed]:
    pending = state.pending(landed) if state.made_by()[0] in {"", silver} else None
    if pending is not None:
        return pending
    # The models have changed, or a file that had been taken in: silver is made again from bronze, which has everything.
    state.forget()
    return state.pending(landed) or []


def _take_in(
    workload: Workload,
    state: State,
    pending: Sequence[Landed],
    *,
    bronze: Bronze,
    hold: Sequence[int],
    progress: Callable[[Building], None],
) -> None:
    project = project_of(workload, state)
    arriving, told = state.place / ARRIVING, Told(workload.name, pending, progress)
    batches = list(_batches(pending)) or [[]]
    for batch in batches:
        shutil.rmtree(arriving, ignore_errors=True)
        first = state.next_id()
        tasks = [_task(first + at, entry, bronze) for at, entry in enumerate(batch)]
        only = () if batch is batches[-1] else _TAKE_IN
        with project.prepared("build", *only, hold=hold) as run_models:
            counts = read(workload.name, tasks, out=arriving, hold=hold, heard=told.read)
            state.announce(workload, list(zip(batch, tasks, counts, strict=True)))
            _name_unreadable(workload.name, batch, counts)
            told.model()
            run_models()
        state.finish()
        for entry in batch:
            bronze.forget_copy(entry)
    shutil.rmtree(arriving, ignore_errors=True)


def _name_unreadable(workload: str, batch: Sequence[Landed], counts: Sequence[Count]) -> None:
    """Say in the log which files hold no record at all that could be read: their series are not there, or shorter."""
    found = [(entry, count) for entry, count in zip(batch, counts, strict=True) if count.records == count.rejected > 0]
    for entry, count in found[:_NAMED]:
        what = f"{entry.source} {entry.part or entry.file}"
        log.warning("%s: %s: none of its %d records can be read: %s", workload, what, count.records, count.reason)
    if len(found) > _NAMED:
        log.warning("%s: and %d files more of which nothing can be read", workload, len(found) - _NAMED)


def _say_notices(workload: str, state: State) -> None:
    """Say in the log, once, what the models found that people would else miss without a word."""
    notices, more = state.notices(_NAMED)
    for notice in notices:
        log.warning("%s: %s", workload, notice)
    if more:
        log.warning("%s: and %d notices more in silver.notices", workload, more)
    state.note_said()


def project_of(workload: Workload, state: State, *, unit_tests: bool = False) -> Project:
    """The workload's dbt project on its own DuckDB file, freshly put together."""
    project = Project(workload=workload, place=state.place)
    project.assemble(unit_tests=unit_tests)
    return project


def _batches(pending: Sequence[Landed]) -> Iterator[list[Landed]]:
    """Share the files out in order, so that neither memory nor disk ever holds more than a batch of them unpacked."""
    batch: list[Landed] = []
    size = 0
    for entry in pending:
        if batch and (size + entry.bytes > _BATCH_BYTES or len(batch) >= _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.bytes
    if batch:
        yield batch


def _task(file_id: int, entry: Landed, bronze: Bronze) -> Task:
    return Task(
        file_id=file_id,
        path=str(bronze.path_for_reading(entry)),
        bytes=entry.bytes,
        sha256=entry.sha256,
        source=entry.source,
        file=entry.file,
        hour=entry.hour.isoformat(),
        part=entry.part,
    )
