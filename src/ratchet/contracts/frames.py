"""The one shape of gold, checked when it is read, and which of its weeks count as what really happened."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.contracts.coverage import seen, whole_counts
from ratchet.contracts.errors import DataError
from ratchet.contracts.release import series_name

SERIES_COLUMNS: Final = ("unique_id", "target", "ds", "y")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """Gold as this disk has it."""

    data_hour: datetime
    truth_until: date
    """The last day whose weeks count as what really happened; newer ones may still grow."""
    frame: Callable[[], pd.DataFrame]

    def matured(self) -> pd.DataFrame:
        """No week that may still grow, as gold has it."""
        frame = self.frame()
        return frame[frame["ds"] <= pd.Timestamp(self.truth_until)]

    def whole(self) -> pd.DataFrame:
        """No week that may still grow, each as a whole one would have been counted; NaN where too little of it was seen."""
        frame = self.matured()
        return frame.assign(y=whole_counts(frame["y"].to_numpy(dtype=float), seen(frame)))

    def actuals(self) -> pd.DataFrame:
        """What really happened: whole weeks that do not grow any more; no week of which too little was seen."""
        return self.whole().dropna(subset="y")


def number_series(frame: pd.DataFrame) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Name the series that a frame's rows are about, in order; and of each row, which of them it is about."""
    (ids, id_names), (targets, target_names) = _number(frame["unique_id"]), _number(frame["target"])
    pairs, found = pd.factorize(ids * len(target_names) + targets)
    named = [
        series_name(id_names[id_], target_names[target])
        for id_, target in zip(*divmod(found, len(target_names)), strict=True)
    ]
    # What differs as objects may have one name.
    names = sorted(set(named))
    place = {name: at for at, name in enumerate(names)}
    return tuple(names), np.array([place[name] for name in named], dtype=np.intp)[pairs]


def _number(column: "pd.Series[str]") -> tuple[NDArray[np.intp], list[str]]:
    """Number what a column holds, and name it; what is missing is called by nothing."""
    numbers, found = pd.factorize(column)
    return np.where(numbers < 0, len(found), numbers), [*map(str, found), ""]


def check_series(frame: pd.DataFrame) -> pd.DataFrame:
    """Gold as a long frame, or a `DataError` that names what is wrong. `y` is what arrives later."""
    _require_columns(frame, SERIES_COLUMNS)
    _require_keys(frame)
    if not (frame["y"] >= 0).all():
        raise DataError("gold: y must be a number of at least 0 in every row")
    return frame


def _require_columns(frame: pd.DataFrame, columns: tuple[str, ...]) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise DataError(f"columns missing: {', '.join(missing)}")


def _require_keys(frame: pd.DataFrame) -> None:
    if not pd.api.types.is_datetime64_any_dtype(frame["ds"]):
        raise DataError("ds must be a date")
    if frame.duplicated(["unique_id", "target", "ds"]).any():
        raise DataError("more than one row for the same unique_id, target and ds")
