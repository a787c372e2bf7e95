"""One family over arrays, with the frames that people use around it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.contracts.errors import DataError
from ratchet.contracts.forecaster import Floats, Known, Learned
from ratchet.forecasters._bounds import Bounds, backtest

Forecast = Callable[[Floats, int], Floats]
"""[series, week] and a horizon to [series, step]."""
Explain = Callable[[Floats], Mapping[str, Floats]]
WEEK = np.timedelta64(7, "D")
_SUNDAY = 6


def _nothing(_values: Floats) -> Mapping[str, Floats]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """A model that is nothing but arithmetic on each series' own past: there is nothing to keep."""

    arithmetic: Forecast
    figures: Explain = _nothing

    def forecast(self, known: Known, *, horizon: int) -> Floats:
        """Forecast a typical week, [series, step]."""
        return self.arithmetic(known.counts, horizon)

    def explain(self, known: Known) -> Mapping[str, Floats]:
        """Return the model's figures of each series."""
        return self.figures(known.counts)

    def files(self) -> Mapping[str, bytes]:
        """Return nothing."""
        return {}


class Family:
    """A family as `contracts.forecaster` has it. Frames may hold series that end in different weeks; rows come in any order."""

    def __init__(
        self,
        *,
        name: str,
        learn: Callable[[Known], Learned],
        pooled: bool = False,
        expects: bool = False,
        repeats: bool = False,
    ) -> None:
        self._name, self._learn = name, learn
        self._pooled, self._expects, self._repeats = pooled, expects, repeats
        self._options: Mapping[str, Any] = {}
        self._groups: list[tuple[Known, Learned, Bounds]] = []

    @property
    def name(self) -> str:
        """The family's name."""
        return self._name

    @property
    def pooled(self) -> bool:
        """Whether one model serves all series."""
        return self._pooled

    @property
    def expects(self) -> bool:
        """Whether it forecasts the expected week rather than a typical one."""
        return self._expects

    @property
    def repeats(self) -> bool:
        """Whether it says what was in years before, holidays and all."""
        return self._repeats

    @property
    def options(self) -> Mapping[str, Any]:
        """What it was made with."""
        return self._options

    def made_with(self, options: Mapping[str, Any]) -> Self:
        """Note what it was made with."""
        self._options = dict(options)
        return self

    def learn(self, known: Known) -> Learned:
        """Learn from everything in `known`."""
        return self._learn(known)

    def fit(self, history: pd.DataFrame) -> Self:
        """Learn every series of `unique_id, ds, y`; `DataError` where a week is missing or y is not a count."""
        groups = read_frame(history)
        if not groups:
            raise DataError(f"{self._name}: no series was given")
        self._groups = [(known, self._learn(known), backtest(self._learn, known)) for known in groups]
        return self

    def forecast(self, *, horizon: int, levels: Sequence[int] = (80, 95)) -> pd.DataFrame:
        """`unique_id, ds, median, mean` and bounds per level, sorted, for the weeks after each series' last one."""
        parts = []
        for known, learned, bounds in self._required():
            median = learned.forecast(known, horizon=horizon)
            columns = {"median": median, **bounds.around(median, known.counts, levels)}
            steps = known.weeks[-1] + np.arange(1, horizon + 1) * WEEK
            part = pd.DataFrame(
                {
                    "unique_id": np.repeat(np.array(known.names, dtype=object), horizon),
                    "ds": np.tile(steps, len(median)),
                }
            )
            parts.append(part.assign(**{name: array.ravel() for name, array in columns.items()}))
        return pd.concat(parts).sort_values(["unique_id", "ds"], ignore_index=True)

    def explain(self) -> pd.DataFrame:
        """`unique_id` and the family's figures; only `unique_id` where it has none to tell."""
        parts = [
            pd.DataFrame({"unique_id": known.names, **learned.explain(known)}) for known, learned, _ in self._required()
        ]
        return pd.concat(parts).sort_values("unique_id", ignore_index=True)

    def _required(self) -> list[tuple[Known, Learned, Bounds]]:
        if not self._groups:
            raise DataError(f"{self._name}: no series was learnt")
        return self._groups


def read_frame(history: pd.DataFrame) -> list[Known]:
    """Read `unique_id, ds, y` as arrays, one `Known` per last week; `DataError` names the series that breaks the rules."""
    frame = history.sort_values(["unique_id", "ds"], kind="stable")
    ids, starts = np.unique(frame["unique_id"].to_numpy(dtype=str), return_index=True)
    weeks = np.split(frame["ds"].to_numpy(dtype="datetime64[ns]"), starts[1:]) if len(ids) else []
    values = np.split(frame["y"].to_numpy(dtype=float), starts[1:]) if len(ids) else []
    by_last: dict[np.datetime64, list[int]] = {}
    for index, (series, dates, y) in enumerate(zip(ids, weeks, values, strict=True)):
        _require_weekly(str(series), dates, y)
        by_last.setdefault(dates[-1], []).append(index)
    return [
        _align([str(ids[index]) for index in rows], last, [values[index] for index in rows])
        for last, rows in sorted(by_last.items())
    ]


def _align(names: list[str], last: np.datetime64, series: list[Floats]) -> Known:
    longest = max(len(y) for y in series)
    aligned = np.full((len(series), longest), np.nan)
    for row, y in enumerate(series):
        aligned[row, longest - len(y) :] = y
    return Known(names=tuple(names), weeks=last - np.arange(longest)[::-1] * WEEK, counts=aligned)


def _require_weekly(series: str, dates: NDArray[np.datetime64], y: Floats) -> None:
    if pd.Timestamp(dates[-1]).weekday() != _SUNDAY or (np.diff(dates) != WEEK).any():
        raise DataError(f"{series!r}: one row per week is needed, weeks ending on Sunday")
    if not (np.isfinite(y) & (y >= 0)).all():
        raise DataError(f"{series!r}: y must be a number of at least 0 in every row")
