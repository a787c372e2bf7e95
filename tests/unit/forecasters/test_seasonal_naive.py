import numpy as np
import pandas as pd
import pytest

from ratchet import forecasters

LAST = pd.Timestamp("2026-05-31")


def forecast(y, *, season_length, horizon):
    history = pd.DataFrame({"unique_id": "a", "ds": pd.date_range(end=LAST, periods=len(y), freq="7D"), "y": y})
    return list(
        forecasters.find("seasonal_naive", season_length=season_length).fit(history).forecast(horizon=horizon)["median"]
    )


@pytest.mark.parametrize(
    ("weeks", "expected"),
    [
        pytest.param(9, [5.0, 6.0, 7.0, 8.0, 5.0, 6.0], id="one-season-ago-and-round-again"),
        pytest.param(4, [0.0, 1.0, 2.0, 3.0, 0.0, 1.0], id="exactly-one-season"),
        pytest.param(3, [2.0] * 6, id="shorter-than-a-season-is-naive"),
    ],
)
def test_each_week_is_as_it_was_one_season_ago(weeks, expected):
    assert forecast(np.arange(float(weeks)), season_length=4, horizon=6) == expected
