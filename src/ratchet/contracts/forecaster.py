"""What every family of forecasters offers."""

from typing import Protocol, Self

import pandas as pd


class Forecaster(Protocol):
    """A family: learns all series at once and forecasts a typical week (the median) of each."""

    @property
    def name(self) -> str:
        """The family's name in cards, metrics and screens, such as `seasonal_naive`."""

    def fit(self, history: pd.DataFrame) -> Self:
        """Learn from `unique_id, ds, y`: one row per series and week, no gaps, weeks ending on Sunday."""

    def forecast(self, *, horizon: int) -> pd.DataFrame:
        """`unique_id, ds, yhat` for the `horizon` weeks after each series' last one; never below 0."""
