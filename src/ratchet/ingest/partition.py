"""A partition of gold as a folder, and the pointer to the newest one: how both lie on this machine's disk."""

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from ratchet.contracts.errors import DataError
from ratchet.contracts.release import file_digest
from ratchet.ingest.durable import replace_text, sync

MANIFEST: Final = "manifest.json"
POINTER: Final = "newest.json"
SERIES: Final = "series.parquet"
VINTAGES: Final = "vintages.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldPartition:
    """One published state of gold; its files never change."""

    workload: str
    data_hour: datetime
    last_week: date
    """The Sunday that ends the last complete week."""
    truth_until: date
    """The last day whose weeks count as what really happened: newer ones may still grow."""
    path: Path
    digest: str
    series: int
    synthetic: bool


def gold_root(home: Path, workload_name: str) -> Path:
    """Tell where a workload's partitions and their pointer are on this machine."""
    return home / "gold" / workload_name


def partition_path(home: Path, workload_name: str, data_hour: datetime, digest: str) -> Path:
    """Where the partition with this content is, or was."""
    return gold_root(home, workload_name) / f"{data_hour.astimezone(UTC):%Y%m%dT%H}-{digest[:8]}"


def newest(home: Path, workload_name: str) -> GoldPartition | None:
    """Return the partition that was published last, or None before the first one."""
    root = gold_root(home, workload_name)
    name = pointed(root)
    return open_partition(root / name) if name else None


def open_partition(path: Path) -> GoldPartition:
    """Say what a partition is; a `DataError` if its manifest is gone."""
    manifest = read_manifest(path)
    return GoldPartition(
        workload=manifest["workload"],
        data_hour=datetime.fromisoformat(manifest["data_hour"]).astimezone(UTC),
        last_week=date.fromisoformat(manifest["last_week"]),
        truth_until=date.fromisoformat(
            manifest.get("truth_until", manifest["last_week"])
        ),  # older gold does not say it
        path=path,
        digest=manifest["digest"],
        series=manifest["series"],
        synthetic=manifest["synthetic"],
    )


def pointed(root: Path) -> str:
    """The name of the partition that the pointer is at; empty before the first one; a `DataError` if it is damaged."""
    try:
        return str(json.loads((root / POINTER).read_text(encoding="utf-8"))["partition"])
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError) as error:
        mended = dump({"partition": "<the newest folder beside it>"}).strip()
        raise DataError(f"{root / POINTER} is damaged: put {' '.join(mended.split())} into it") from error


def point(root: Path, name: str) -> None:
    """Move the pointer; nothing happens where it is already."""
    if pointed(root) != name:
        replace_text(root / POINTER, pointer_text(name))


def pointer_text(name: str) -> str:
    """What the pointer holds."""
    return dump({"partition": name})


def settle(arriving: Path, place: Path) -> None:
    """Put a whole partition in its place, unless the same one is there undamaged."""
    if is_undamaged(place):
        shutil.rmtree(arriving)
        return
    shutil.rmtree(place, ignore_errors=True)
    arriving.replace(place)
    sync(place.parent)


def is_undamaged(place: Path) -> bool:
    """Whether it is there with every file as its manifest says."""
    try:
        files: Mapping[str, str] = read_manifest(place)["files"]
    except DataError:
        return False
    return all((place / name).is_file() and file_digest(place / name) == digest for name, digest in files.items())


def checked_file(place: Path, name: str) -> Path:
    """One of its files; a `DataError` if it was changed."""
    path = place / name
    if not path.is_file() or file_digest(path) != read_manifest(place)["files"].get(name):
        raise DataError(
            f"{path}: missing or changed since it was published; build gold again after removing {place.name}"
        )
    return path


def superseded(
    published: Mapping[str, datetime], *, keep: int, needed: Collection[datetime], current: str
) -> list[str]:
    """Which partitions may go: all but the newest `keep`, those of a needed data hour and the one in use."""
    hours = {f"{hour.astimezone(UTC):%Y%m%dT%H}" for hour in needed}
    newest_first = sorted(published, key=lambda name: (published[name], name), reverse=True)
    return [name for name in newest_first[keep:] if name != current and name.split("-")[0] not in hours]


def read_manifest(path: Path) -> dict[str, Any]:
    """What a partition says of itself."""
    try:
        manifest: dict[str, Any] = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError) as error:
        raise DataError(f"gold partition {path}: {MANIFEST} missing or damaged; build gold again") from error
    return manifest


def dump(value: Mapping[str, Any]) -> str:
    """Equal values are equal text."""
    return json.dumps(value, indent=1, sort_keys=True) + "\n"
