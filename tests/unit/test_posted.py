"""The bounds of a posted history mean what they say, on simulated series that no release has seen."""

import numpy as np
import pandas as pd
import pytest

from ratchet import posted
from ratchet.contracts.release import series_name
from ratchet.train import calibrate, folds, unseen
from ratchet.train.panel import Panel

HORIZON = 12


def simulate(series, weeks, seed):
    """Over-dispersed counts whose level drifts slowly, from a few a year to hundreds a week."""
    random = np.random.default_rng(seed)
    levels = np.exp(random.uniform(np.log(0.1), np.log(300), series))[:, None]
    drift = np.exp(np.cumsum(random.normal(0, 0.04, (series, weeks)), axis=1))
    return random.poisson(random.gamma(4, levels * drift / 4)).astype(float)


def panel_of(values):
    weeks = pd.date_range("2023-01-01", periods=values.shape[1], freq="W-SUN")
    return Panel(names=tuple(series_name(f"s{n}", "sent") for n in range(len(values))), weeks=weeks, values=values)


@pytest.fixture(scope="module")
def yardstick():
    panel = panel_of(simulate(300, 130, seed=1))
    plan = folds.plan(130, horizon=HORIZON)
    actual = np.array([fold.actual(panel) for fold in plan])
    natures = [calibrate.describe(fold.known(panel).values) for fold in plan]
    nature = calibrate.Nature(
        size=np.array([one.size for one in natures]), spread=np.array([one.spread for one in natures])
    )
    held = calibrate.HeldOut(point=actual, actual=actual, nature=nature, cutoffs=tuple(fold.cutoff for fold in plan))
    return posted.Yardstick.from_json(unseen.learn(panel, held))


@pytest.mark.parametrize("known", [1, 2, 4, 8, 26, 104])
def test_bounds_hold_about_as_often_as_they_say(yardstick, known):
    truth = simulate(400, known + HORIZON, seed=2)
    inside = {80: [], 95: []}
    for row in truth:
        found = posted.forecast(row[:known], HORIZON, yardstick)
        for level, hits in inside.items():
            hits.append((row[known:] >= found[f"lo_{level}"]) & (row[known:] <= found[f"hi_{level}"]))
    assert 0.74 < np.mean(inside[80]) < 0.90, np.mean(inside[80])
    assert 0.88 < np.mean(inside[95]) < 0.99, np.mean(inside[95])


@pytest.mark.parametrize("known", [1, 2, 4, 13, 52])
def test_a_mean_is_right_on_average_however_short_the_history(yardstick, known):
    truth = simulate(1500, known + HORIZON, seed=4)
    said = np.array([posted.forecast(row[:known], HORIZON, yardstick)["mean"] for row in truth])
    came = truth[:, known:]
    # Each series in its own size: else the few busiest would be all that is seen.
    off = (said - came).mean(axis=1) / (came.mean(axis=1) + 1)
    assert abs(off.mean()) < 0.1, off.mean()


def test_a_year_or_more_is_answered_as_it_was_and_a_gap_as_so_many_weeks_fewer(yardstick):
    year = simulate(1, 120, seed=5)[0]
    assert posted.forecast(year, 4, yardstick) == posted.forecast(year[-52:], 4, yardstick)
    with_gap = np.concatenate([year[-52:-2], [np.nan, year[-1]]])
    with_gap[:-1] = np.nan
    assert posted.forecast(with_gap, 4, yardstick) == posted.forecast(year[-1:], 4, yardstick)


def test_bounds_are_not_merely_wide(yardstick):
    found = posted.forecast(np.full(60, 100.0) + np.tile([-9.0, 9.0], 30), 4, yardstick)
    assert found["lo_95"][0] > 40
    assert found["hi_95"][0] < 200


def test_sizes_and_spreads_are_those_of_training():
    values = simulate(60, 80, seed=3)
    nature, shared = calibrate.describe(values), float(posted.spreads(values).mean())
    for row, history in enumerate(values):
        known = history[-posted.YEAR :]
        assert posted.size_of(known) == calibrate.SIZES[nature.size[row]]
        assert posted._spread(known, shared) == pytest.approx(nature.spread[row])
    ours = (posted.YEAR, posted.PRIOR_WEEKS, posted.MIN_SPREAD, posted.BLOCK_ENDS)
    assert ours == (calibrate.YEAR, calibrate.PRIOR_WEEKS, calibrate.MIN_SPREAD, calibrate.BLOCK_ENDS)


def test_weeks_that_nobody_knows_do_not_count():
    assert posted.level(np.array([[4.0, np.nan, 4.0, np.nan]])) == pytest.approx(4.0)
    assert np.isnan(posted.level(np.array([np.nan, np.nan])))


def test_pools_are_kept_as_far_stretched_as_folds_left_out_have_needed():
    pool = calibrate.Pool(
        bounds={"80": (-1.0, 2.0), "95": (-2.0, 4.0)}, mean=0.0, square=1.0, stretch={"80": 1.5, "95": 0.5}
    )
    kept = unseen._write(pool)
    assert [kept[name] for name in posted.BOUNDS] == [-1.5, 3.0, -1.0, 2.0]


def test_bounds_stay_in_order_where_those_of_80_were_stretched_further():
    """As weeks in blocks of eight have it: their sparse series learn nearly the same quantile for both levels."""
    pool = {"lo_80": -1.5, "hi_80": 3.9, "lo_95": -1.0, "hi_95": 3.5, "mean": 0.0, "square": 1.0}
    yardstick = posted.Yardstick(spread=1.0, pools=dict.fromkeys(calibrate.SIZES, (pool,) * 3))
    found = posted.forecast(np.array([9.0, 16.0, 4.0, 30.0, 20.0]), HORIZON, yardstick)
    lo_95, lo_80, median, hi_80, hi_95 = (found[name] for name in ("lo_95", "lo_80", "median", "hi_80", "hi_95"))
    in_order = [lo_95[week] <= lo_80[week] < median[week] < hi_80[week] <= hi_95[week] for week in range(HORIZON)]
    assert all(in_order)
