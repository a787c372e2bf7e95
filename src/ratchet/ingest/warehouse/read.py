"""Landed files to typed Parquet, the first step of a build: in this process, or in one process per core if there is much to read."""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from ratchet import workloads
from ratchet.contracts.errors import DataError
from ratchet.contracts.release import file_digest
from ratchet.contracts.workload import LandedFile, Records
from ratchet.ingest.warehouse.ending import ending
from ratchet.ingest.warehouse.unpack import records

ROWS: Final = "rows"
REJECTED: Final = "rejected"
_ALONE_BYTES: Final = 8 << 20
_GROUP_ROWS: Final = 50_000
_TYPES: Final = {
    "VARCHAR": pa.string(),
    "TIMESTAMP": pa.timestamp("us"),
    "DATE": pa.date32(),
    "DOUBLE": pa.float64(),
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "BOOLEAN": pa.bool_(),
}
_PLACE: Final = {"file_id": "BIGINT", "line": "BIGINT"}
_REJECTED_COLUMNS: Final = {**_PLACE, "reason": "VARCHAR", "raw": "VARCHAR"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One landed file to read; `file_id` is how its rows are known in the warehouse."""

    file_id: int
    path: str
    bytes: int
    sha256: str
    source: str
    file: str
    hour: str
    part: str

    @property
    def landed(self) -> LandedFile:
        """The file as the workload's records see it."""
        return LandedFile(source=self.source, hour=datetime.fromisoformat(self.hour), part=self.part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What was read in one file: every record became a row or was rejected."""

    file_id: int
    records: int
    rejected: int
    newest: str | None
    """When its newest record happened (UTC, naive, ISO 8601)."""
    reason: str | None
    """Why the first one that is no record was rejected."""


def read(
    workload: str,
    tasks: Sequence[Task],
    *,
    out: Path,
    hold: Sequence[int] = (),
    heard: Callable[[int], None] = lambda _: None,
) -> list[Count]:
    """Read the files into `out/rows-*.parquet` and `out/rejected-*.parquet`; what each of them held, in order.

    `heard` is told the size of each file that was read, from any thread. A reading process that outlives this one keeps the lock in `hold`.
    """
    out.mkdir(parents=True, exist_ok=True)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    if sum(task.bytes for task in tasks) <= _ALONE_BYTES or cores == 1:
        counts = _heard(read_here(workloads.find(workload).records, tasks, out=out, name="0"), tasks, heard)
    else:
        counts = _read_apart(workload, _spread(tasks, cores), out=out, hold=hold, heard=heard)
    return sorted(counts, key=lambda count: count.file_id)


def read_here(found: Records, tasks: Iterable[Task], *, out: Path, name: str) -> Iterator[Count]:
    """Read the files one after the other into one pair of Parquet files; memory does not grow with their number."""
    with (
        _Table(out / f"{ROWS}-{name}.parquet", {**_PLACE, **found.columns}) as rows,
        _Table(out / f"{REJECTED}-{name}.parquet", _REJECTED_COLUMNS) as rejected,
    ):
        for task in tasks:
            yield _read_file(found, task, rows, rejected)


def _heard(counts: Iterable[Count], tasks: Iterable[Task], heard: Callable[[int], None]) -> list[Count]:
    sizes, all_counts = {task.file_id: task.bytes for task in tasks}, []
    for count in counts:
        all_counts.append(count)
        heard(sizes[count.file_id])
    return all_counts


def _read_file(found: Records, task: Task, rows: "_Table", rejected: "_Table") -> Count:
    _require_whole(task)
    file, parse, moment = task.landed, found.parse, list(found.columns).index(found.moment)
    line = bad = 0
    why: str | None = None
    newest = datetime.min  # noqa: DTZ901  # naive, as rows are
    for line, record in enumerate(records(Path(task.path), partial(found.quick, file)), start=1):
        row = record if isinstance(record, tuple) else parse(file, record) if isinstance(record, Mapping) else record
        if isinstance(row, tuple):
            rows.add((task.file_id, line, *row))
            newest = max(newest, row[moment])
            continue
        bad += 1
        reason, raw = (row, _shown(record)) if isinstance(row, str) else (row.reason, row.raw)
        why = why or reason
        rejected.add((task.file_id, line, reason, found.mask(raw.decode("utf-8", "backslashreplace"))))
    known = newest.isoformat() if line > bad else None
    return Count(file_id=task.file_id, records=line, rejected=bad, newest=known, reason=why)


def _require_whole(task: Task) -> None:
    path = Path(task.path)
    size = path.stat().st_size if path.is_file() else None
    if size == task.bytes and file_digest(path) == task.sha256:
        return
    found = "missing" if size is None else f"{size} bytes long" if size != task.bytes else "other bytes of that length"
    raise DataError(f"bronze {task.source} {task.file}: landed with {task.bytes} bytes, now {found}; restore it")


def _shown(record: object) -> bytes:
    try:
        text = json.dumps(record, default=str)
    except RecursionError:  # what could be read may be too deep to be written: its surface is shown
        surface = record.items() if isinstance(record, Mapping) else ()
        text = json.dumps({name: "…" if isinstance(value, dict | list) else value for name, value in surface})
    return text.encode("utf-8", "replace")[: 1 << 16]


def _spread(tasks: Sequence[Task], cores: int) -> list[list[Task]]:
    """Share the files out so that every core has about as many bytes."""
    shares: list[list[Task]] = [[] for _ in range(min(cores, len(tasks)))]
    loads = [0] * len(shares)
    for task in sorted(tasks, key=lambda task: task.bytes, reverse=True):
        least = loads.index(min(loads))
        shares[least].append(task)
        loads[least] += task.bytes
    return [sorted(share, key=lambda task: task.file_id) for share in shares]


def _read_apart(
    workload: str,
    shares: Sequence[Sequence[Task]],
    *,
    out: Path,
    hold: Sequence[int],
    heard: Callable[[int], None] = lambda _: None,
) -> list[Count]:
    with ExitStack() as opened:
        pool = opened.enter_context(ThreadPoolExecutor(max_workers=len(shares)))
        complaints = [opened.enter_context(TemporaryFile()) for _ in shares]
        started = [
            _start(workload, out=out, name=str(at), complaint=complaint, hold=hold)
            for at, complaint in enumerate(complaints)
        ]
        try:
            counts = pool.map(partial(_ask, workload, heard=heard), started, shares, complaints)
            return [count for of_share in counts for count in of_share]
        finally:
            for process in started:
                process.kill()


def _start(
    workload: str, *, out: Path, name: str, complaint: IO[bytes], hold: Sequence[int]
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", __name__, workload, str(out), name]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaint, pass_fds=hold)


def _ask(
    workload: str,
    process: subprocess.Popen[bytes],
    share: Sequence[Task],
    complaint: IO[bytes],
    *,
    heard: Callable[[int], None],
) -> list[Count]:
    with process:
        _give(process, json.dumps([asdict(task) for task in share]).encode())
        counts = _heard((Count(**json.loads(line)) for line in process.stdout or ()), share, heard)
    if process.returncode:
        complaint.seek(0)
        said = complaint.read().decode(errors="replace").strip()[-500:]
        raise DataError(f"{workload}: {ending('a reader of landed files', process.returncode, said)}")
    return counts


def _give(process: subprocess.Popen[bytes], asked: bytes) -> None:
    """Say what is asked, and no more. One that has ended before it heard is told of when it is waited for."""
    stream, process.stdin = process.stdin, None
    if stream:
        with suppress(BrokenPipeError), stream:
            stream.write(asked)


def _main(arguments: Sequence[str], asked: IO[bytes], answer: IO[str]) -> None:
    """Be one of the reading processes: files to read as JSON on standard input, on standard output a line for each that was read."""
    workload, out, name = arguments
    tasks = [Task(**task) for task in json.loads(asked.read())]
    gc.disable()  # rows are plain values: there is nothing to find, and looking costs a fifth of the time
    try:
        for count in read_here(workloads.find(workload).records, tasks, out=Path(out), name=name):
            print(json.dumps(asdict(count)), file=answer, flush=True)
    except (DataError, OSError) as problem:
        sys.exit(str(problem))


class _Table:
    """A Parquet file that rows are added to, written in groups."""

    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self._schema = pa.schema([(name, _TYPES[sql_type]) for name, sql_type in columns.items()])
        self._writer = pq.ParquetWriter(path, self._schema, compression="lz4")
        self._rows: list[tuple[Any, ...]] = []

    def add(self, row: tuple[Any, ...]) -> None:
        """Add a row; every so many are written out."""
        self._rows.append(row)
        if len(self._rows) >= _GROUP_ROWS:
            self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        self._writer.close()

    def flush(self) -> None:
        """Write what has been added since the last time."""
        columns = list(zip(*self._rows, strict=True)) or [()] * len(self._schema)
        arrays = [pa.array(column, type=field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()


if __name__ == "__main__":
    _main(sys.argv[1:], sys.stdin.buffer, sys.stdout)
