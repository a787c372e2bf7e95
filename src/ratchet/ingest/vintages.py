"""What gold said of a week when: the newest weeks still grow, and who looks back must see them as they were.

`vintages.parquet` lies in each partition beside its tables and holds all that was told so far: a row when a young week is told for the
first time, and a row whenever a week is told otherwise than before. Rows of one week follow each other in the order of telling.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ratchet.ingest.durable import sync
from ratchet.ingest.partition import SERIES, VINTAGES, GoldPartition, checked_file, read_manifest

YOUNG: Final = pd.Timedelta(8, "W")
"""A week that is told for the first time later than this after its Sunday was filled in, and nobody had waited for it."""
DESCRIPTION: Final = {
    "description": "What was known when: each week as it was first told while young, and as it was told anew whenever its count changed.",
    "columns": {
        "unique_id": "As in series.",
        "target": "As in series.",
        "ds": "The day that ends the week.",
        "known_at": "The data hour (UTC) of the gold that first told this count.",
        "y": "The count that was told then.",
    },
}
Cells = NDArray[np.int64]

_KEYS: Final = ("unique_id", "target", "ds")
_COLUMNS: Final = (*_KEYS, "known_at", "y")
_SCHEMA: Final = pa.schema(
    {
        "unique_id": pa.string(),
        "target": pa.string(),
        "ds": pa.date32(),
        "known_at": pa.timestamp(
            "us"
        ),  # UTC, without saying so, as every time in gold: DuckDB shows it alike on every machine
        "y": pa.float64(),
    }
)


def tell(
    before: pd.DataFrame,
    series_before: pd.DataFrame,
    series_now: pd.DataFrame,
    *,
    data_hour: datetime,
    hour_before: datetime | None,
) -> pd.DataFrame:
    """Return all vintages: those of the gold before and what the series now tell otherwise. No gold before: `hour_before` is None.

    A week has rows from when it was first told while it was young, or else from its first change on: then what it was before comes
    first, as of `hour_before`. What is no longer told keeps the rows that it has.
    """
    cells = _cells(before, series_before, series_now)
    last = _values(cells[0], before).reindex(cells[2]).to_numpy()
    former = _values(cells[1], series_before).reindex(cells[2]).to_numpy()
    was, now = np.where(np.isnan(last), former, last), series_now["y"].to_numpy(dtype=float)
    hour = _utc(data_hour)
    young = (hour - series_now["ds"] <= YOUNG).to_numpy()
    differs = np.where(np.isnan(was), young, was != now)
    unsaid = differs & np.isnan(last) & ~np.isnan(former)
    earlier = _utc(hour_before) if hour_before is not None else hour
    # Data hours may go back, where sources change; the order of telling does not.
    at = max(hour, earlier, before["known_at"].max() if len(before) else hour)
    parts = [
        before,
        series_now[unsaid].assign(known_at=earlier, y=former[unsaid]),
        series_now[differs].assign(known_at=at),
    ]
    order = np.concatenate([cells[0], cells[2][unsaid], cells[2][differs]])
    told = pd.concat([_alike(part) for part in parts], ignore_index=True)
    return told.iloc[np.lexsort((told["known_at"], order))].reset_index(drop=True)


def write_vintages(folder: Path, before: GoldPartition | None, *, data_hour: datetime) -> Path:
    """Write them into the folder of a partition that arrives, carried on from the one before; equal content is equal bytes."""
    told = tell(
        _read(before),
        _read_series(before.path) if before else _nothing(),
        _read_series(folder),
        data_hour=data_hour,
        hour_before=before.data_hour if before else None,
    )
    path = folder / VINTAGES
    pq.write_table(pa.Table.from_pandas(told, schema=_SCHEMA, preserve_index=False), path, compression="zstd")
    sync(path)
    return path


def read_vintages(partition: GoldPartition) -> pd.DataFrame:
    """`unique_id, target, ds, known_at, y`; empty for gold from before they were kept, a `DataError` if the file was changed."""
    found = _read(partition)
    return found.assign(known_at=found["known_at"].dt.tz_localize(UTC))


def _read(partition: GoldPartition | None) -> pd.DataFrame:
    if partition is None or VINTAGES not in read_manifest(partition.path)["files"]:
        return _nothing()
    return _alike(_table(checked_file(partition.path, VINTAGES), _COLUMNS))


def _read_series(folder: Path) -> pd.DataFrame:
    return _table(folder / SERIES, (*_KEYS, "y"))


def _table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    found: pd.DataFrame = pq.read_table(path, columns=list(columns)).to_pandas(date_as_object=False)
    return found.assign(ds=found["ds"].astype("datetime64[s]"))


def _nothing() -> pd.DataFrame:
    kinds = dict(zip(_COLUMNS, ("object", "object", "datetime64[s]", "datetime64[us]", "float64"), strict=True))
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})


def _alike(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[list(_COLUMNS)].astype({"ds": "datetime64[s]", "known_at": "datetime64[us]", "y": "float64"})


def _cells(*frames: pd.DataFrame) -> list[Cells]:
    """Number every week of every series, the same ones alike and in the order of their names: an array per frame."""
    numbers = np.zeros(sum(map(len, frames)), dtype=np.int64)
    for column in _KEYS:
        codes, names = pd.factorize(pd.concat([frame[column] for frame in frames], ignore_index=True), sort=True)
        numbers = numbers * max(len(names), 1) + codes
    return np.split(numbers, np.cumsum([len(frame) for frame in frames])[:-1])


def _values(cells: Cells, frame: pd.DataFrame) -> "pd.Series[float]":
    """What was told last of each cell."""
    told = pd.Series(frame["y"].to_numpy(dtype=float), index=cells)
    return told[~told.index.duplicated(keep="last")]


def _utc(moment: datetime) -> pd.Timestamp:
    return pd.Timestamp(moment.astimezone(UTC)).tz_localize(None)
