"""What is in bronze, and what is not: per source, from its manifest, its troubles and what silver made of its hours."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from ratchet.contracts.source import Trouble
from ratchet.ingest import manifest, troubles

_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """What has landed from a source; `events` and `rejected` are None until silver has read anything of it."""

    source: str
    files: int
    bytes: int
    first: datetime | None
    newest: datetime | None
    gaps: tuple[tuple[datetime, datetime], ...]
    """Hours between the first and the newest one that have not landed, as (first, last); empty if pieces are not hours."""
    troubles: tuple[Trouble, ...]
    """What is missing, damaged or refused and has not landed since."""
    events: int | None
    rejected: int | None


def status(bronze: Path, *, hours_file: Path) -> list[SourceStatus]:
    """Every source that has landed anything or met trouble, by name."""
    counts = _counts(hours_file)
    folders = sorted({path.parent for name in (manifest.NAME, troubles.NAME) for path in bronze.glob(f"*/{name}")})
    return [found for folder in folders if (found := _status(folder, counts.get(folder.name)))]


def _status(folder: Path, counts: tuple[int, int] | None) -> SourceStatus | None:
    entries, met = manifest.read(folder), troubles.read(folder).values()
    if not entries and not met:
        return None
    hours = sorted({entry.hour for entry in entries})
    names = {f"{entry.part} {entry.hour:%Y-%m-%d} hour {entry.hour.hour}".strip() for entry in entries}
    by_hour = all(not entry.part for entry in entries)
    return SourceStatus(
        source=folder.name,
        files=len(entries),
        bytes=sum(entry.bytes for entry in entries),
        first=hours[0] if hours else None,
        newest=hours[-1] if hours else None,
        gaps=tuple(_gaps(hours)) if by_hour else (),
        troubles=tuple(row.trouble for row in met if row.trouble.name not in names),
        events=counts[0] if counts else None,
        rejected=counts[1] if counts else None,
    )


def _gaps(hours: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    return [(before + _HOUR, after - _HOUR) for before, after in pairwise(hours) if after - before > _HOUR]


def _counts(path: Path) -> Mapping[str, tuple[int, int]]:
    """Events and rejected records per source, from the table that silver leaves behind; nothing if there is none yet."""
    sums: dict[str, tuple[int, int]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                events, rejected = sums.get(row["source"], (0, 0))
                sums[row["source"]] = (events + int(row["events"] or 0), rejected + int(row["rejected"] or 0))
    except FileNotFoundError:
        return {}
    return sums
