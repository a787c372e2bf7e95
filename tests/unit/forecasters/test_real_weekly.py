"""A cross-check on real activity: what simulations say must hold there too."""

import numpy as np
import pandas as pd
import pytest

from ratchet import forecasters, scores

HORIZON = 8
CUTOFFS_BACK = (8, 24, 40, 56)


@pytest.fixture(scope="module")
def real_series(shared_data):
    path = shared_data / "real_weekly" / "real_weekly.csv"
    if not path.is_file():
        pytest.skip("real weekly activity (../shared/data/real_weekly) is not on this machine")
    frame = pd.read_csv(path, parse_dates=["ds"])
    return [group[["unique_id", "ds", "commits"]] for _, group in frame.groupby("unique_id") if len(group) > 200]


@pytest.mark.parametrize("family", ["ets", "theta", "ces", "farima", "window_median", "tsb", "croston"])
def test_a_family_beats_naive_on_real_activity(family, real_series):
    ours, naive = [], []
    for back in CUTOFFS_BACK:
        for series in real_series:
            known, actual = series.iloc[:-back], series["commits"].to_numpy()[-back:][:HORIZON]
            history = known.rename(columns={"commits": "y"})
            median = forecasters.find(family).fit(history).forecast(horizon=HORIZON)["median"]
            last = np.full(HORIZON, history["y"].iloc[-1])
            ours.append(float(scores.mase(actual, median, history["y"])))
            naive.append(float(scores.mase(actual, last, history["y"])))
    assert np.mean(ours) / np.mean(naive) < 1
