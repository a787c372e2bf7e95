"""What gold said of a week when: the newest weeks still grow, and who looks back must see them as they were.

`vintages.parquet` lies in each partition beside its tables and holds all that was told so far: a row when a young week is told for the
first time, and a row whenever a week is told otherwise than before: another count, or the same of a week that was seen further. Rows of one
week follow each other in the order of telling.
"""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb
import pandas as pd

from ratchet.contracts.coverage import COVERAGE, LEAST_SEEN
from ratchet.ingest.durable import sync
from ratchet.ingest.partition import SERIES, VINTAGES, GoldPartition, checked_file, read_manifest

YOUNG: Final = timedelta(weeks=8)
"""A week that is told for the first time later than this after its Sunday was filled in, and nobody had waited for it."""
DESCRIPTION: Final = {
    "description": "What was known when: each week as it was first told while young, and as it was told anew whenever its count changed.",
    "columns": {
        "unique_id": "As in series.",
        "target": "As in series.",
        "ds": "The day that ends the week.",
        "known_at": "The data hour (UTC) of the gold that first told this count.",
        "y": "The count that was told then.",
        "coverage": "How much of the week had been seen then; null where nothing is said of that.",
    },
}
_MEMORY: Final = "1GB"
_NO_VINTAGES: Final = """
    SELECT '' AS unique_id, '' AS target, DATE '2000-01-01' AS ds, TIMESTAMP '2000-01-01' AS known_at, 0.0::DOUBLE AS y,
        0.0::DOUBLE AS coverage
    WHERE false
"""
_MOMENTS: Final = """
    CREATE OR REPLACE TEMP TABLE moments AS SELECT
        CAST($hour AS TIMESTAMP) AS hour,
        CAST($earlier AS TIMESTAMP) AS earlier,
        -- Data hours may go back, where sources change; the order of telling does not.
        greatest(hour, earlier, coalesce((SELECT max(known_at) FROM vintages_before), hour)) AS told_at,
        CAST($young AS INTERVAL) AS young
"""
_WHOLE: Final = f"""
    CREATE OR REPLACE TEMP MACRO whole(y, coverage) AS CASE
        WHEN coalesce(coverage, 1) >= 1 THEN y
        WHEN coverage >= {LEAST_SEEN} THEN round_even(y / coverage, 0)
    END
"""
_TELL: Final = """
    WITH before AS (
        SELECT unique_id, target, ds, known_at, y, coverage, row_number() OVER () AS place FROM vintages_before
    ),
    told AS (
        SELECT unique_id, target, ds, arg_max(struct_pack(y := y, coverage := coverage), place) AS last FROM before GROUP BY ALL
    ),
    beside AS (
        SELECT
            now.unique_id, now.target, now.ds, now.y, now.coverage,
            told.last, earlier.y AS former, earlier.coverage AS former_coverage,
            coalesce(told.last, struct_pack(y := earlier.y, coverage := earlier.coverage)) AS known,
            moments.hour - now.ds <= moments.young AS is_young
        FROM series_now AS now
        LEFT JOIN told ON told.unique_id = now.unique_id AND told.target = now.target AND told.ds = now.ds
        LEFT JOIN series_before AS earlier
            ON earlier.unique_id = now.unique_id AND earlier.target = now.target AND earlier.ds = now.ds
        CROSS JOIN moments
    ),
    news AS (
        SELECT * FROM beside
        -- The same count says less of a week that was seen further.
        WHERE (y IS DISTINCT FROM known.y OR whole(y, coverage) IS DISTINCT FROM whole(known.y, known.coverage))
            AND (last IS NOT NULL OR former IS NOT NULL OR is_young)
    ),
    every AS (
        SELECT * FROM before
        UNION ALL BY NAME
        SELECT unique_id, target, ds, former AS y, former_coverage AS coverage, earlier AS known_at, 9000000000000000000 AS place
        FROM news CROSS JOIN moments WHERE last IS NULL AND former IS NOT NULL
        UNION ALL BY NAME
        SELECT unique_id, target, ds, y, coverage, told_at AS known_at, 9000000000000000001 AS place
        FROM news CROSS JOIN moments
    )
    SELECT
        unique_id, target, CAST(ds AS DATE) AS ds, CAST(known_at AS TIMESTAMP) AS known_at, CAST(y AS DOUBLE) AS y,
        CAST(coverage AS DOUBLE) AS coverage
    FROM every ORDER BY unique_id, target, ds, every.known_at, place
"""

Rows = duckdb.DuckDBPyRelation


def tell(
    connection: duckdb.DuckDBPyConnection,
    before: Rows,
    series_before: Rows,
    series_now: Rows,
    *,
    data_hour: datetime,
    hour_before: datetime | None,
) -> Rows:
    """Return all vintages: those of the gold before and what the series now tell otherwise. No gold before: `hour_before` is None.

    A week has rows from when it was first told while it was young, or else from its first change on: then what it was before comes
    first, as of `hour_before`. What is no longer told keeps the rows that it has.
    """
    for name, rows in {"vintages_before": before, "series_before": series_before, "series_now": series_now}.items():
        (rows if COVERAGE in rows.columns else rows.project(f"*, NULL::DOUBLE AS {COVERAGE}")).create_view(name)
    moments = {"hour": _utc(data_hour), "earlier": _utc(hour_before or data_hour), "young": YOUNG}
    connection.execute(_MOMENTS, moments)
    connection.execute(_WHOLE)
    return connection.sql(_TELL)


def write_vintages(folder: Path, before: GoldPartition | None, *, data_hour: datetime) -> Path:
    """Write them into the folder of a partition that arrives, carried on from the one before; equal content is equal bytes."""
    path, spill = folder / VINTAGES, folder.with_name(".spill")
    with duckdb.connect(config={"memory_limit": _MEMORY, "temp_directory": str(spill)}) as connection:
        nothing, known = connection.sql(_NO_VINTAGES), _find(before)
        now = connection.read_parquet(str(folder / SERIES))
        told = tell(
            connection,
            connection.read_parquet(str(known)) if known else nothing,
            connection.read_parquet(str(before.path / SERIES)) if before else nothing,
            now,
            data_hour=data_hour,
            hour_before=before.data_hour if before else None,
        )
        told.write_parquet(str(path), compression="zstd")
    shutil.rmtree(spill, ignore_errors=True)
    sync(path)
    return path


def read_vintages(partition: GoldPartition) -> pd.DataFrame:
    """`unique_id, target, ds, known_at, y, coverage`; empty for gold from before they were kept, a `DataError` if the file was changed."""
    path = _find(partition)
    with duckdb.connect() as connection:
        found: pd.DataFrame = (connection.read_parquet(str(path)) if path else connection.sql(_NO_VINTAGES)).df()
    return found.assign(known_at=found["known_at"].dt.tz_localize(UTC))


def _find(partition: GoldPartition | None) -> Path | None:
    if partition is None or VINTAGES not in read_manifest(partition.path)["files"]:
        return None
    return checked_file(partition.path, VINTAGES)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
