"""Ingest: raw events to weekly gold.

    source ──land──► bronze/<source>/<date>/<hour>…            exactly as received, each piece once, `manifest.jsonl` beside
           ──read──► typed rows, or a named rejection of each record that is none
           ──dbt───► warehouse/<workload>/warehouse.duckdb     silver and gold tables, tested; `hours.csv`: what became of each hour
           ──examine─► gold/<workload>/quality/                a report as JSON and as a page
           ──publish─► gold/<workload>/<data hour>-<digest>/   Parquet; `newest.json` points to the last good one
           ──share───► where GOLD and SILVER say                the same partitions; silver's tables by day, for other engines

`land` and `build_gold` are the stage; `newest` and `read_series` are how later stages meet its data, after `follow` where another
machine may publish. Both writers may be killed at any step and run again; running twice equals running once; a failed test leaves the
gold that was there.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from ratchet.contracts.errors import DataError
from ratchet.contracts.workload import Workload
from ratchet.ingest.bronze import Bronze, FolderBronze, open_bronze
from ratchet.ingest.durable import exclusive
from ratchet.ingest.gold import prune, publish, read_series, read_table
from ratchet.ingest.land import LandReport, Pace, Progress, land
from ratchet.ingest.partition import GoldPartition, newest, partition_path
from ratchet.ingest.place import Elsewhere, open_place
from ratchet.ingest.quality import is_judged
from ratchet.ingest.shared_gold import follow
from ratchet.ingest.silver import keep_silver
from ratchet.ingest.vintages import read_vintages
from ratchet.ingest.warehouse.build import build, folder, note_published
from ratchet.ingest.warehouse.progress import Building

__all__ = [
    "Bronze",
    "Building",
    "Elsewhere",
    "GoldPartition",
    "LandReport",
    "Pace",
    "Progress",
    "build_gold",
    "follow",
    "land",
    "newest",
    "open_bronze",
    "open_place",
    "partition_path",
    "prune",
    "read_series",
    "read_table",
    "read_vintages",
]

_SAMPLE = "sample"
_NOWHERE = Elsewhere()


def build_gold(  # noqa: PLR0913  # from where to where, as of when, and who hears of it
    workload: Workload,
    *,
    home: Path,
    location: str,
    bronze: Bronze | None = None,
    elsewhere: Elsewhere = _NOWHERE,
    now: datetime | None = None,
    progress: Callable[[Building], None] | None = None,
) -> GoldPartition:
    """Build, test and publish gold from everything that the sources behind `location` have landed; then keep silver where it is wanted.

    Waits while another process builds the same workload. `progress` hears how much was read; without it the log says so.
    A `DataError` names what failed; gold then stays as it was.
    """
    home = home.resolve()  # dbt runs elsewhere, and the partition's path must mean the same to every reader
    bronze = bronze or FolderBronze(home / "bronze")
    sources = list(dict.fromkeys(source.name for source in workload.sources(location)))
    for source in sources:
        bronze.begin(source)
    with _clear_errors(workload.name), exclusive(folder(home, workload.name) / ".lock") as lock:
        warehouse = build(workload, home=home, bronze=bronze, sources=sources, hold=(lock,), progress=progress)
        gold = publish(
            workload,
            warehouse,
            home=home,
            synthetic=location == _SAMPLE,
            now=now or datetime.now(UTC),
            there=elsewhere.gold.under(workload.name) if elsewhere.gold else None,
        )
        if is_judged(warehouse.intake):
            note_published(warehouse)
        if elsewhere.silver:
            keep_silver(workload, warehouse, elsewhere.silver.under(workload.name))
        return gold


@contextmanager
def _clear_errors(workload: str) -> Iterator[None]:
    """What this machine's disk or memory refuses, as a line that names it."""
    try:
        yield
    except (OSError, duckdb.Error) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataError(f"{workload}: {reason}; mend it, then build gold again") from error
