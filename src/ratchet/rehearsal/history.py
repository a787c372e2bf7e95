"""The history that is replayed: every series by week, and what of it was known when."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet import scores
from ratchet.contracts.coverage import COVERAGE, seen, whole_counts
from ratchet.contracts.errors import DataError
from ratchet.contracts.frames import SERIES_COLUMNS
from ratchet.contracts.release import series_name
from ratchet.ingest import read_series
from ratchet.settings import Settings
from ratchet.wiring import Wired

Floats = NDArray[np.float64]

WEEK: Final = timedelta(weeks=1)
_SUNDAY: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """`values` is [series, week] of whole weeks, NaN where too little was seen; weeks are named by the Sunday that ends them."""

    names: tuple[str, ...]
    targets: tuple[str, ...]
    weeks: tuple[date, ...]
    values: Floats
    frame: pd.DataFrame
    synthetic: bool
    source: str

    def known_at(self, week: int) -> pd.DataFrame:
        """Gold as it was when this week was complete: not a row of a later one."""
        return self.frame[self.frame["ds"] <= pd.Timestamp(self.weeks[week])]

    def complete_at(self, week: int) -> datetime:
        """When this week was known: as the next one begins."""
        return datetime.combine(self.weeks[week] + timedelta(days=1), time(), tzinfo=UTC)

    def scale_at(self, week: int) -> Floats:
        """Each series' naive error over what was known when this week was complete."""
        return scores.naive_scale(self.values[:, : week + 1])

    def place(self, day: date) -> int:
        """The week that this day is in."""
        ahead = timedelta(days=(_SUNDAY - day.weekday()) % 7)
        if day > self.weeks[-1] or day + ahead not in self.weeks:
            raise DataError(f"{day} is not within the history, {self.weeks[0]} to {self.weeks[-1]}")
        return self.weeks.index(day + ahead)


def read_gold(settings: Settings, workload: str) -> History:
    """The newest gold of this installation."""
    gold = Wired(settings).newest_gold(workload)
    if gold is None:
        raise DataError(
            f"there is no gold for {workload} yet: run `ratchet ingest {workload}`, or name a folder by --gold"
        )
    return arrange(read_series(gold), synthetic=gold.synthetic, source=f"gold as of {gold.data_hour:%Y-%m-%d %H:00}")


def read_folder(path: Path) -> History:
    """Gold from Parquet or CSV files: `unique_id, target, ds, y`, or `unique_id, ds` and a column for each target, `coverage` if told."""
    files = [path] if path.is_file() else sorted([*path.glob("series.parquet"), *path.glob("*.csv")])
    if not files:
        raise DataError(f"{path}: neither series.parquet nor a CSV file is there")
    try:
        frame = pd.concat([_read(file) for file in files], ignore_index=True)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as gold: {error}") from error
    return arrange(frame, synthetic=False, source=path.name)


def only(history: History, targets: tuple[str, ...]) -> History:
    """The history of some targets; a `DataError` names those that it does not have."""
    if unknown := sorted(set(targets) - set(history.targets)):
        raise DataError(f"no such target: {', '.join(unknown)}; there are: {', '.join(history.targets)}")
    frame = history.frame[history.frame["target"].isin(targets)]
    return arrange(frame, synthetic=history.synthetic, source=history.source)


def arrange(frame: pd.DataFrame, *, synthetic: bool, source: str) -> History:
    """Check and order; a `DataError` says what is wrong."""
    if frame.empty or frame.duplicated(["unique_id", "target", "ds"]).any():
        raise DataError(f"{source}: no rows, or more than one for the same series and week")
    if (frame["ds"].dt.dayofweek != _SUNDAY).any():
        raise DataError(f"{source}: every week must be named by the Sunday that ends it")
    names = [series_name(str(i), str(t)) for i, t in zip(frame["unique_id"], frame["target"], strict=True)]
    whole = whole_counts(frame["y"].to_numpy(dtype=float), seen(frame))
    wide = frame.assign(name=names, whole=whole).pivot_table(
        index="name", columns="ds", values="whole", aggfunc="first", dropna=False
    )
    weeks = pd.date_range(wide.columns.min(), wide.columns.max(), freq="7D")
    wide = wide.reindex(columns=weeks)
    return History(
        names=tuple(map(str, wide.index)),
        targets=tuple(sorted(set(map(str, frame["target"])))),
        weeks=tuple(week.date() for week in weeks),
        values=wide.to_numpy(dtype=float),
        frame=frame[_columns(frame)],
        synthetic=synthetic,
        source=source,
    )


def _read(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    if "unique_id" not in frame or "ds" not in frame:
        raise DataError(f"{path.name}: it has no columns unique_id and ds")
    if not {"target", "y"} <= set(frame.columns):
        keys = [name for name in ("unique_id", "ds", COVERAGE) if name in frame]
        frame = frame.melt(keys, var_name="target", value_name="y")
    frame = frame.assign(ds=pd.to_datetime(frame["ds"]).astype("datetime64[ns]"), y=pd.to_numeric(frame["y"]))
    return frame[_columns(frame)].dropna(subset=list(SERIES_COLUMNS))


def _columns(frame: pd.DataFrame) -> list[str]:
    """What gold tells of a week, and how much of it was seen where that is known."""
    return [*SERIES_COLUMNS, *(name for name in (COVERAGE,) if name in frame)]
