"""A family that learns each series on its own, made from one function over arrays."""

from collections.abc import Callable
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.contracts.errors import DataError

Floats = NDArray[np.float64]
Learned = Callable[[int], Floats]
"""What a series' model offers: the forecasts of the next so many weeks."""
Learn = Callable[[Floats], Learned]
"""How a family learns one series, oldest week first, at least one week long."""

WEEK = np.timedelta64(7, "D")
_SUNDAY = 6


class PerSeries:
    """Learns and forecasts series by series, on one core; rows may come in any order; never below 0."""

    def __init__(self, *, name: str, learn: Learn) -> None:
        self._name = name
        self._learn = learn
        self._ids: list[str] = []
        self._last = np.array([], dtype="datetime64[ns]")
        self._learned: list[Learned] = []

    @property
    def name(self) -> str:
        """The family's name."""
        return self._name

    def fit(self, history: pd.DataFrame) -> Self:
        """Learn every series of `unique_id, ds, y`; `DataError` where a week is missing or y is not a count."""
        frame = history.sort_values(["unique_id", "ds"], kind="stable")
        ids, starts = np.unique(frame["unique_id"].to_numpy(dtype=str), return_index=True)
        weeks = np.split(frame["ds"].to_numpy(dtype="datetime64[ns]"), starts[1:])
        values = np.split(frame["y"].to_numpy(dtype=float), starts[1:])
        for series, dates, y in zip(ids, weeks, values, strict=False):
            _require_weekly(str(series), dates, y)
        self._ids = [str(series) for series in ids]
        self._last = np.array([dates[-1] for dates in weeks if len(dates)], dtype="datetime64[ns]")
        self._learned = [self._learn(y) for y in values if len(y)]
        return self

    def forecast(self, *, horizon: int) -> pd.DataFrame:
        """`unique_id, ds, yhat`, sorted, for the `horizon` weeks after each series' last one."""
        if not self._learned:
            raise DataError(f"{self._name}: no series was learnt")
        steps = np.arange(1, horizon + 1) * WEEK
        yhat = np.concatenate([learned(horizon) for learned in self._learned])
        return pd.DataFrame(
            {
                "unique_id": np.repeat(self._ids, horizon),
                "ds": (self._last[:, None] + steps).ravel(),
                "yhat": np.maximum(yhat, 0.0),
            }
        )


def _require_weekly(series: str, dates: NDArray[np.datetime64], y: Floats) -> None:
    if pd.Timestamp(dates[-1]).weekday() != _SUNDAY or (np.diff(dates) != WEEK).any():
        raise DataError(f"{series!r}: one row per week is needed, weeks ending on Sunday")
    if not (np.isfinite(y) & (y >= 0)).all():
        raise DataError(f"{series!r}: y must be a number of at least 0 in every row")
