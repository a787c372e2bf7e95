"""Gold at rest: a folder of Parquet files per (workload, data hour, content), and a pointer to the newest one."""

import hashlib
import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd

from ratchet.contracts.errors import DataError
from ratchet.contracts.frames import check_series
from ratchet.contracts.release import file_digest
from ratchet.contracts.workload import Workload
from ratchet.ingest import quality
from ratchet.ingest.descriptions import describe_tables
from ratchet.ingest.durable import replace_text, sync
from ratchet.ingest.warehouse import Warehouse

_MANIFEST: Final = "manifest.json"
_POINTER: Final = "newest.json"
_SERIES: Final = "series.parquet"
_TABLES: Final = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'gold' ORDER BY table_name"
_SUMMARY: Final = """
    SELECT
        count(DISTINCT (unique_id, target)) AS series,
        count(*) AS "rows",
        max(ds) AS last_week,
        list(DISTINCT target ORDER BY target) AS targets
    FROM gold.series
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldPartition:
    """One published state of gold; its files never change."""

    workload: str
    data_hour: datetime
    last_week: date
    """The Sunday that ends the last complete week."""
    path: Path
    digest: str
    series: int
    synthetic: bool


def publish(workload: Workload, warehouse: Warehouse, *, home: Path, synthetic: bool, now: datetime) -> GoldPartition:
    """Write the warehouse's gold as Parquet, examine it and move the pointer; the same content again changes nothing.

    Where a hard check fails the pointer stays, and a `DataError` names it. The caller holds the warehouse's lock.
    """
    root = _root(home, workload.name)
    arriving = root / ".arriving"
    shutil.rmtree(arriving, ignore_errors=True)
    arriving.mkdir(parents=True)
    summary = _export(warehouse.database, arriving, workload)
    files = {path.name: file_digest(path) for path in sorted(arriving.iterdir())}
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    manifest = {
        "workload": workload.name,
        "data_hour": warehouse.data_hour.isoformat(),
        **summary,
        "synthetic": synthetic,
        "digest": digest,
        "files": files,
        "tables": describe_tables(workload.sql),
    }
    name = place(home, workload.name, warehouse.data_hour, digest).name
    replace_text(arriving / _MANIFEST, _dump(manifest))
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
    _settle(arriving, root / name)
    _point(root, name)
    return _partition(root / name)


def prune(home: Path, workload_name: str, *, keep: int, needed: Collection[datetime] = ()) -> list[str]:
    """Drop all but the newest `keep` partitions; those of a needed data hour and the one in use stay. Names what went."""
    root = _root(home, workload_name)
    current = newest(home, workload_name)
    if current is None:
        return []
    kept_hours = {f"{hour.astimezone(UTC):%Y%m%dT%H}" for hour in needed}
    published = sorted(
        (path for path in root.iterdir() if (path / _MANIFEST).exists() and not path.name.startswith(".")),
        key=lambda path: ((path / _MANIFEST).stat().st_mtime_ns, path.name),
        reverse=True,
    )
    old = [path for path in published[keep:] if path != current.path and path.name.split("-")[0] not in kept_hours]
    for path in old:
        # Renamed first: a partition is whole or not there.
        going = root / f".{path.name}.going"
        shutil.rmtree(going, ignore_errors=True)
        path.replace(going)
        shutil.rmtree(going)
        quality.forget(root, path.name)
    return [path.name for path in old]


def newest(home: Path, workload_name: str) -> GoldPartition | None:
    """Return the partition that was published last, or None before the first one."""
    root = _root(home, workload_name)
    try:
        pointer = json.loads((root / _POINTER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return _partition(root / pointer["partition"])


def place(home: Path, workload_name: str, data_hour: datetime, digest: str) -> Path:
    """Where the partition with this content is, or was."""
    return _root(home, workload_name) / f"{data_hour.astimezone(UTC):%Y%m%dT%H}-{digest[:8]}"


def read_series(partition: GoldPartition) -> pd.DataFrame:
    """`unique_id, target, ds, y`, and `coverage` where the workload tells it; a `DataError` if the file was changed."""
    path = partition.path / _SERIES
    expected = _read_manifest(partition.path)["files"].get(_SERIES)
    if not path.is_file() or file_digest(path) != expected:
        raise DataError(
            f"{path}: missing or changed since it was published; build gold again after removing {partition.path.name}"
        )
    frame = pd.read_parquet(path)
    return check_series(frame.assign(ds=pd.to_datetime(frame["ds"])))


def read_table(partition: GoldPartition, table: str) -> pd.DataFrame:
    """One of the partition's other tables, such as `clusters`; empty if it has none of that name."""
    path = partition.path / f"{table}.parquet"
    return pd.read_parquet(path) if path.is_file() else pd.DataFrame()


def _root(home: Path, workload_name: str) -> Path:
    return home / "gold" / workload_name


def _export(database: Path, folder: Path, workload: Workload) -> dict[str, Any]:
    """Write each gold table, rows in one order: equal content is equal bytes. Returns what `series` holds."""
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = [str(name) for (name,) in connection.execute(_TABLES).fetchall()]
        if "series" not in tables:
            raise DataError(f"{workload.name}: its gold has no model `series`")
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


def _settle(arriving: Path, place: Path) -> None:
    if place.exists() and _undamaged(place):
        shutil.rmtree(arriving)
        return
    shutil.rmtree(place, ignore_errors=True)
    arriving.replace(place)
    sync(place.parent)


def _undamaged(place: Path) -> bool:
    try:
        files: Mapping[str, str] = _read_manifest(place)["files"]
    except DataError:
        return False
    return all((place / name).is_file() and file_digest(place / name) == digest for name, digest in files.items())


def _point(root: Path, name: str) -> None:
    text = _dump({"partition": name})
    pointer = root / _POINTER
    if not pointer.exists() or pointer.read_text(encoding="utf-8") != text:
        replace_text(pointer, text)


def _partition(path: Path) -> GoldPartition:
    manifest = _read_manifest(path)
    return GoldPartition(
        workload=manifest["workload"],
        data_hour=datetime.fromisoformat(manifest["data_hour"]).astimezone(UTC),
        last_week=date.fromisoformat(manifest["last_week"]),
        path=path,
        digest=manifest["digest"],
        series=manifest["series"],
        synthetic=manifest["synthetic"],
    )


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError) as error:
        raise DataError(f"gold partition {path}: {_MANIFEST} missing or damaged; build gold again") from error
    return manifest


def _dump(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"
