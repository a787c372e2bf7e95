"""Silver's tables as Parquet for other engines, at a folder or bucket: a file per table and day, and a manifest beside them.

    <place>/<table>/day=2026-11-12/rows.parquet … then manifest.json, then what is no longer wanted goes

A file is replaced in one step, so whoever reads all of a table's files meets each row once. What the manifest says of a file holds only
while the file's tag is still the one it names: whatever a kill or a hand has parted from it is written again.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
from duckdb import ColumnExpression, ConstantExpression, DuckDBPyRelation, FunctionExpression, StarExpression

from ratchet.contracts.place import Kept, Place
from ratchet.contracts.workload import Cut, Workload
from ratchet.ingest.partition import MANIFEST, dump
from ratchet.ingest.place import errors
from ratchet.ingest.warehouse import Warehouse

log = logging.getLogger(__name__)

_FILE: Final = "rows.parquet"
_UNKNOWN: Final = "__HIVE_DEFAULT_PARTITION__"  # what engines read as NULL in a folder's name
_MEMORY: Final = "1GB"
_QUIET: Final = "SET enable_progress_bar = false"
_NAMES: Final = {"day": "%Y-%m-%d", "month": "%Y-%m"}
# A sum of hashes needs no order and no memory, and equal rows do not cancel out.
_DIGESTS: Final = "SELECT cut, count(*) AS rows, sum(hash(kept)) AS hashes FROM kept GROUP BY cut ORDER BY cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One file's worth of a table."""

    name: str
    rows: int
    digest: str
    relation: DuckDBPyRelation


def keep_silver(workload: Workload, warehouse: Warehouse, there: Place) -> int:
    """Have the workload's silver tables there as they are in the warehouse: how many files were written. The rest stay untouched.

    The caller holds the warehouse's lock. A `DataError` says what failed; the next call goes on with what is still missing.
    """
    scratch = warehouse.database.parent / "keeping.parquet"
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": _MEMORY,
        "temp_directory": str(warehouse.database.parent / "spill"),
    }
    with (
        errors("silver is not kept: "),
        duckdb.connect(str(warehouse.database), read_only=True, config=config) as connection,
    ):
        connection.execute(_QUIET)
        known = there.read(MANIFEST)
        said, there_now = _files(known[0]) if known else {}, there.listing()
        files, written = {}, 0
        for part in (part for table, cut in workload.silver.items() for part in _parts(connection, table, cut)):
            entry = said.get(part.name)
            kept = there_now.get(part.name)
            if not entry or not kept or (entry["digest"], entry["tag"]) != (part.digest, kept.tag):
                kept, written = _write(part, scratch, there), written + 1
            files[part.name] = {"rows": part.rows, "bytes": kept.bytes, "digest": part.digest, "tag": kept.tag}
        text = dump({"workload": workload.name, "data_hour": warehouse.data_hour.isoformat(), "files": files}).encode()
        if known is None or known[0] != text:
            there.replace(MANIFEST, text, known=known[1] if known else "")
        for name in there_now.keys() - files.keys():
            if Path(name).name == _FILE:
                there.delete(name)
    log.info("silver of %s: %d of %d files written to %s", workload.name, written, len(files), there.location)
    return written


def _write(part: _Part, scratch: Path, there: Place) -> Kept:
    part.relation.write_parquet(str(scratch), compression="zstd")
    kept = there.put(scratch, part.name)
    scratch.unlink()
    return kept


def _parts(connection: duckdb.DuckDBPyConnection, table: str, cut: Cut | None) -> Iterator[_Part]:
    """A table's files in the order of their days, each with a digest of its rows and of its columns."""
    rows = connection.table(f"silver.{table}")
    columns = [[name, str(kind)] for name, kind in zip(rows.columns, rows.types, strict=True)]
    found = _marked(rows, cut).query("kept", _DIGESTS)
    for first, count, hashes in found.fetchall() if found else ():
        digest = hashlib.sha256(json.dumps([columns, count, str(hashes)]).encode()).hexdigest()[:16]
        yield _Part(
            name=f"{table}/{_FILE}" if cut is None else f"{table}/{_folder(cut, first)}/{_FILE}",
            rows=count,
            digest=digest,
            relation=rows if cut is None else _within(rows, cut, first),
        )


def _marked(rows: DuckDBPyRelation, cut: Cut | None) -> DuckDBPyRelation:
    """The rows, each with the first day of the cut that it falls into."""
    if cut is None:
        return rows.select(ConstantExpression(0).alias("cut"), StarExpression())
    first = FunctionExpression("date_trunc", ConstantExpression(cut.by), ColumnExpression(cut.column))
    return rows.select(first.cast("DATE").alias("cut"), StarExpression())


def _within(rows: DuckDBPyRelation, cut: Cut, first: date | None) -> DuckDBPyRelation:
    """The rows of one cut: a plain range, so that only the blocks that may hold it are read."""
    column = ColumnExpression(cut.column)
    if first is None:
        return rows.filter(column.isnull())
    end = first + timedelta(days=1) if cut.by == "day" else (first + timedelta(days=31)).replace(day=1)
    return rows.filter((column >= ConstantExpression(first)) & (column < ConstantExpression(end)))


def _folder(cut: Cut, first: date | None) -> str:
    return f"{cut.by}={first.strftime(_NAMES[cut.by]) if first else _UNKNOWN}"


def _files(manifest: bytes) -> dict[str, dict[str, Any]]:
    try:
        files: dict[str, dict[str, Any]] = json.loads(manifest)["files"]
    except (ValueError, KeyError, TypeError):
        return {}
    return files
