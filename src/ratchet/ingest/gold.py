"""Gold at rest: a folder of Parquet files per (workload, data hour, content), and a pointer to the newest one."""

import hashlib
import json
import logging
import shutil
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd
import pyarrow as pa

from ratchet.contracts.errors import DataError
from ratchet.contracts.frames import check_series
from ratchet.contracts.place import Place
from ratchet.contracts.release import file_digest
from ratchet.contracts.workload import Workload
from ratchet.ingest import quality, shared_gold
from ratchet.ingest.descriptions import describe_tables
from ratchet.ingest.durable import replace_text, sync
from ratchet.ingest.partition import (
    MANIFEST,
    SERIES,
    VINTAGES,
    GoldPartition,
    checked_file,
    dump,
    gold_root,
    is_undamaged,
    newest,
    open_partition,
    partition_path,
    pointed,
    settle,
    superseded,
)
from ratchet.ingest.shared_gold import share
from ratchet.ingest.vintages import DESCRIPTION, write_vintages
from ratchet.ingest.warehouse import Warehouse

log = logging.getLogger(__name__)

_TABLES: Final = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'gold' ORDER BY table_name"
_SUMMARY: Final = """
    SELECT
        count(DISTINCT (unique_id, target)) AS series,
        count(*) AS "rows",
        max(ds) AS last_week,
        list(DISTINCT target ORDER BY target) AS targets
    FROM gold.series
"""


def publish(
    workload: Workload,
    warehouse: Warehouse,
    *,
    home: Path,
    synthetic: bool,
    now: datetime,
    there: Place | None = None,
) -> GoldPartition:
    """Write the warehouse's gold as Parquet, examine it, share it and move the pointer; the same content again changes nothing.

    Beside the tables goes what was told of each week when, carried on from the partition that the pointer is at.
    Where a hard check fails, or the place to share it at does, the pointer stays, and a `DataError` says so. The caller holds the
    warehouse's lock.
    """
    root = gold_root(home, workload.name)
    arriving = root / ".arriving"
    shutil.rmtree(arriving, ignore_errors=True)
    arriving.mkdir(parents=True)
    summary = _export(warehouse.database, arriving, workload)
    files = {path.name: file_digest(path) for path in sorted(arriving.iterdir())}
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    name = partition_path(home, workload.name, warehouse.data_hour, digest).name
    if not quality.page(root, name).exists() or warehouse.intake.new_records:
        report = quality.examine(
            arriving,
            workload=workload.name,
            targets=workload.targets,
            partition=name,
            data_hour=warehouse.data_hour,
            synthetic=synthetic,
            intake=warehouse.intake,
            now=now,
        )
        quality.keep(report, root)
        quality.require(report)
    if there is not None:
        shared_gold.follow(home, workload.name, there)  # another machine may have told more than this one
    vintages = write_vintages(arriving, _carried_on_from(root), data_hour=warehouse.data_hour)
    tables = describe_tables(workload.sql)
    manifest = {
        "workload": workload.name,
        "data_hour": warehouse.data_hour.isoformat(),
        **summary,
        "truth_until": workload.truth_until(warehouse.data_hour).isoformat(),
        "synthetic": synthetic,
        "digest": digest,  # of the tables alone: the past of their counts makes no other gold
        "files": {**files, VINTAGES: file_digest(vintages)},
        "tables": {**tables, vintages.stem: {"place": len(tables), **DESCRIPTION}},
    }
    replace_text(arriving / MANIFEST, dump(manifest))
    settle(arriving, root / name)
    share(root / name, there)
    return open_partition(root / name)


def prune(
    home: Path, workload_name: str, *, keep: int, needed: Collection[datetime] = (), there: Place | None = None
) -> list[str]:
    """Drop all but the newest `keep` partitions; those of a needed data hour and the one in use stay. Names what went from here."""
    if there is not None:
        shared_gold.prune(there, keep=keep, needed=needed)
    root = gold_root(home, workload_name)
    current = newest(home, workload_name)
    if current is None:
        return []
    published = {
        path.parent.name: datetime.fromtimestamp(path.stat().st_mtime, UTC)
        for path in root.glob(f"*/{MANIFEST}")
        if not path.parent.name.startswith(".")
    }
    old = superseded(published, keep=keep, needed=needed, current=current.path.name)
    for name in old:
        # Renamed first: a partition is whole or not there.
        going = root / f".{name}.going"
        shutil.rmtree(going, ignore_errors=True)
        (root / name).replace(going)
        shutil.rmtree(going)
        quality.forget(root, name)
    return old


def read_series(partition: GoldPartition) -> pd.DataFrame:
    """`unique_id, target, ds, y`, and `coverage` where the workload tells it; a `DataError` if the file was changed."""
    frame = pd.read_parquet(checked_file(partition.path, SERIES))
    pa.default_memory_pool().release_unused()  # else Arrow keeps twice the room of what was read for itself
    return check_series(frame.assign(ds=pd.to_datetime(frame["ds"])))


def read_table(partition: GoldPartition, table: str) -> pd.DataFrame:
    """One of the partition's other tables, such as `clusters`; empty if it has none of that name."""
    path = partition.path / f"{table}.parquet"
    return pd.read_parquet(path) if path.is_file() else pd.DataFrame()


def _carried_on_from(root: Path) -> GoldPartition | None:
    """The partition that the pointer is at; if it is damaged, the newest whole one before it, so that it can be made again as it was."""
    name = pointed(root)
    older = sorted((path.parent.name for path in root.glob(f"2*/{MANIFEST}") if path.parent.name < name), reverse=True)
    whole = (root / found for found in [name, *older] if found and is_undamaged(root / found))
    found = next(whole, None)
    if name and (found is None or found.name != name):
        log.warning("gold %s is damaged: going on from %s", name, found.name if found else "nothing")
    return open_partition(found) if found else None


def _export(database: Path, folder: Path, workload: Workload) -> dict[str, Any]:
    """Write each gold table, rows in one order: equal content is equal bytes. Returns what `series` holds."""
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = [str(name) for (name,) in connection.execute(_TABLES).fetchall()]
        if "series" not in tables:
            raise DataError(f"{workload.name}: its gold has no model `series`")
        if Path(VINTAGES).stem in tables:
            raise DataError(
                f"{workload.name}: a gold model may not be called `{Path(VINTAGES).stem}`: that file is made here"
            )
        series, rows, last_week, targets = connection.execute(_SUMMARY).fetchall()[0]
        if not rows:
            raise DataError(f"{workload.name}: no complete week has landed yet")
        if unknown := sorted(set(targets) - set(workload.targets)):
            raise DataError(
                f"{workload.name}: gold holds targets that the workload does not declare: {', '.join(unknown)}"
            )
        for table in tables:
            connection.table(f"gold.{table}").order("all").write_parquet(
                str(folder / f"{table}.parquet"), compression="zstd"
            )
            sync(folder / f"{table}.parquet")
    return {"last_week": last_week.isoformat(), "series": series, "rows": rows}
