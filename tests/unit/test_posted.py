"""The bounds of a posted history mean what they say, on simulated series that no release has seen."""

import numpy as np
import pandas as pd
import pytest

from ratchet import posted
from ratchet.contracts.release import series_name
from ratchet.train import calibrate, unseen
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
    return posted.Yardstick.from_json(unseen.learn(panel_of(simulate(300, 130, seed=1)), HORIZON))


def held(yardstick, truth, known):
    """How often bounds of 80 and of 95 % hold, over all weeks that follow the known ones."""
    inside = {80: [], 95: []}
    for row in truth:
        found = posted.forecast(row[:known], HORIZON, yardstick)
        for level, hits in inside.items():
            hits.append((row[known:] >= found[f"lo_{level}"]) & (row[known:] <= found[f"hi_{level}"]))
    return np.mean(inside[80]), np.mean(inside[95])


@pytest.mark.parametrize("known", [1, 2, 4, 8, 26, 104])
def test_bounds_hold_about_as_often_as_they_say(yardstick, known):
    of_80, of_95 = held(yardstick, simulate(400, known + HORIZON, seed=2), known)
    assert 0.77 < of_80 < 0.84, of_80
    assert 0.93 < of_95 < 0.97, of_95


@pytest.mark.parametrize(
    ("known", "least", "most"), [(8, 0.7, 0.94), (13, 0.7, 0.92), (26, 0.76, 0.88), (52, 0.76, 0.86)]
)
@pytest.mark.parametrize("shape", [1, 1e6], ids=["bursty", "calm"])
def test_the_longer_a_history_the_less_it_matters_what_other_series_are_like(yardstick, shape, known, least, most):
    """Counts far more and far less dispersed than any that the release learnt from."""
    random = np.random.default_rng(6)
    levels = random.lognormal(2.5, 1.2, (500, 1))
    truth = random.negative_binomial(shape, shape / (shape + levels), (500, known + HORIZON)).astype(float)
    of_80, of_95 = held(yardstick, truth, known)
    assert least < of_80 < most, of_80
    assert 0.9 < of_95 < 0.99, of_95


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


def test_sizes_and_blocks_are_those_of_training():
    values = simulate(60, 80, seed=3)
    sizes = calibrate.describe(values).size
    assert [posted.size_of(history[-posted.YEAR :]) for history in values] == [calibrate.SIZES[size] for size in sizes]
    ours = (posted.YEAR, posted.SIZES, posted.MIN_SPREAD, posted.BLOCK_ENDS)
    assert ours == (calibrate.YEAR, calibrate.SIZES, calibrate.MIN_SPREAD, calibrate.BLOCK_ENDS)


def test_weeks_that_nobody_knows_do_not_count():
    assert posted.level(np.array([[4.0, np.nan, 4.0, np.nan]])) == pytest.approx(4.0)
    assert np.isnan(posted.level(np.array([np.nan, np.nan])))


def pools_of(**figures):
    pool = {"lo_80": -1.0, "hi_80": 2.0, "lo_95": -2.0, "hi_95": 3.0, "mean": 0.0, "square": 1.0} | figures
    return {size: [pool] * 3 for size in posted.SIZES}


def test_a_length_between_two_that_were_measured_is_answered_between_them():
    shorter = {"4": pools_of(lo_80=-1.5, hi_80=4.0)}
    measured = posted.Yardstick.from_json({"spread": 1.0, "prior_weeks": 4, "pools": pools_of(), "shorter": shorter})
    widths = [
        found["hi_80"][0] - found["lo_80"][0]
        for found in (posted.forecast(np.full(weeks, 400.0), 1, measured) for weeks in (1, 4, 5, 20, 51, 52))
    ]
    # Of one week nothing was measured: what four weeks need is carried on.
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == len(widths)


def test_a_release_of_before_answers_as_it_did():
    before = posted.Yardstick.from_json({"spread": 0.5, "pools": pools_of(mean=0.1)})
    found = posted.forecast(np.array([9.0, np.nan, 4.0, 30.0, 20.0]), 1, before)
    assert {name: round(week, 3) for name, [week] in found.items()} == {
        "median": 15.038, "mean": 15.707, "lo_80": 10.271, "hi_80": 27.212, "lo_95": 6.383, "hi_95": 34.618,
    }  # fmt: skip


def test_a_release_of_little_history_takes_what_it_measured_for_longer_ones():
    young = panel_of(simulate(60, 30, seed=7))
    known = unseen.learn(young, HORIZON)
    assert known["pools"]["mid"][0] == known["shorter"]["26"]["mid"][0] | unseen.SCATTER
    found = posted.forecast(np.full(52, 9.0), HORIZON, posted.Yardstick.from_json(known))
    assert found["lo_95"][0] < found["lo_80"][0] < 9 < found["hi_80"][0] < found["hi_95"][0]


def test_bounds_stay_in_order_where_those_of_80_reach_further():
    """As weeks in blocks of eight have it: their sparse series learn nearly the same quantile for both levels."""
    pools = pools_of(lo_80=-1.5, hi_80=3.9, lo_95=-1.0, hi_95=3.5)
    yardstick = posted.Yardstick.from_json({"spread": 1.0, "pools": pools})
    found = posted.forecast(np.array([9.0, 16.0, 4.0, 30.0, 20.0]), HORIZON, yardstick)
    lo_95, lo_80, median, hi_80, hi_95 = (found[name] for name in ("lo_95", "lo_80", "median", "hi_80", "hi_95"))
    in_order = [lo_95[week] <= lo_80[week] < median[week] < hi_80[week] <= hi_95[week] for week in range(HORIZON)]
    assert all(in_order)
