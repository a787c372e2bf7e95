"""One suite of checks for every family: a new file in `forecasters/` is tested by being there."""

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ratchet import forecasters, scores
from ratchet.contracts.errors import DataError
from ratchet.contracts.forecaster import Known

LAST = pd.Timestamp("2026-05-31")
WEEK = pd.Timedelta(7, "D")


def frame(series: dict[str, list[float]], *, last: pd.Timestamp = LAST) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {"unique_id": name, "ds": pd.date_range(end=last, periods=len(y), freq="7D"), "y": np.asarray(y, float)}
        )
        for name, y in series.items()
    ]
    return pd.concat(parts, ignore_index=True)


def simulated(count: int, weeks: int, *, seed: int) -> np.ndarray:
    """Draw counts around a slowly moving level: what repository activity looks like."""
    rng = np.random.default_rng(seed)
    level = rng.choice([0.5, 4.0, 30.0], size=(count, 1)) * np.exp(
        np.cumsum(rng.normal(0, 0.03, (count, weeks)), axis=1)
    )
    return rng.negative_binomial(2, 2 / (2 + level)).astype(float)


def run(family: str, history: pd.DataFrame, *, horizon: int = 26) -> pd.DataFrame:
    return forecasters.find(family).fit(history).forecast(horizon=horizon)


def dates_follow_each_series_own_last_week(family):
    early = LAST - 5 * WEEK
    history = pd.concat([frame({"a": [1.0] * 60}), frame({"b": [2.0, 3.0] * 30}, last=early)])
    answer = run(family, history, horizon=3)
    assert list(answer.columns) == ["unique_id", "ds", "median", "mean", "lo_80", "hi_80", "lo_95", "hi_95"]
    assert list(answer["unique_id"]) == ["a"] * 3 + ["b"] * 3
    assert list(answer["ds"]) == [LAST + i * WEEK for i in (1, 2, 3)] + [early + i * WEEK for i in (1, 2, 3)]
    assert (answer["ds"].dt.dayofweek == 6).all()


def forecasts_are_finite_and_never_negative(family):
    falling = [float(max(0, 120 - 2 * i)) for i in range(100)]
    bursts = [0.0] * 50 + [1e6] + [0.0] * 49
    rocket = [float(2**i) for i in range(30)]
    noise = dict(zip("cdefg", map(list, simulated(5, 120, seed=1)), strict=True))
    answer = run(family, frame({"falling": falling, "bursts": bursts, "rocket": rocket, **noise}), horizon=104)
    assert np.isfinite(answer["median"]).all()
    assert (answer["median"] >= 0).all()


def repeats_give_equal_answers(family):
    history = frame({f"s{i}": list(y) for i, y in enumerate(simulated(4, 90, seed=2))})
    forecaster = forecasters.find(family).fit(history)
    first = forecaster.forecast(horizon=8)
    pd.testing.assert_frame_equal(first, forecaster.forecast(horizon=8), check_exact=True)
    pd.testing.assert_frame_equal(first, forecaster.fit(history).forecast(horizon=8), check_exact=True)
    pd.testing.assert_frame_equal(first, run(family, history, horizon=8), check_exact=True)


def a_longer_horizon_begins_like_a_shorter_one(family):
    history = frame({"a": list(simulated(1, 90, seed=3)[0])})
    np.testing.assert_allclose(
        run(family, history, horizon=26)["median"][:8], run(family, history, horizon=8)["median"]
    )


def a_constant_stays_constant(family):
    np.testing.assert_allclose(run(family, frame({"a": [7.0] * 80}))["median"], 7.0)


def zeros_stay_zero(family):
    np.testing.assert_array_equal(run(family, frame({"a": [0.0] * 80}))["median"], 0.0)


def short_series_are_forecast_within_what_was_seen(family):
    for weeks in (1, 2, 3, 5, 9, 11):
        y = [4.0, 6.0, 5.0, 4.0, 6.0, 5.0, 5.0, 4.0, 6.0, 4.0, 5.0][:weeks]
        median = run(family, frame({"a": y}))["median"]
        assert len(median) == 26
        assert median.between(min(y) * 0.5, max(y) * 2).all(), weeks


def one_odd_series_leaves_the_others_alone(family):
    good = list(simulated(1, 120, seed=5)[0])
    odd = {"lone": [3.0], "zero": [0.0] * 4, "spike": [0.0] * 20 + [1e11]}
    both = run(family, frame({"good": good, **odd}))
    alone = run(family, frame({"good": good}))
    beside = both.loc[both["unique_id"] == "good", "median"].to_numpy()
    if forecasters.find(family).pooled:  # it learns from everyone: a neighbour may move it, not spoil it
        assert (np.abs(np.log1p(beside) - np.log1p(alone["median"])) < 1.0).all()
    else:
        np.testing.assert_array_equal(beside, alone["median"])


def a_series_is_told_the_same_whoever_is_beside_it(family):
    """To the last bit, of what learns each series by itself: it may be asked in any shard."""
    if forecasters.find(family).pooled:
        return
    y = simulated(24, 60, seed=11)
    y[::5, :23] = np.nan
    weeks = np.datetime64("2026-05-31", "ns") - np.arange(60)[::-1] * np.timedelta64(7, "D")
    known = Known(names=tuple(f"s{row}" for row in range(24)), weeks=weeks, counts=y)
    whole = forecasters.find(family).learn(known).forecast(known, horizon=8)
    for rows in (np.array([3]), np.array([0, 23]), np.arange(5, 22)):
        some = known.only(rows)
        np.testing.assert_array_equal(forecasters.find(family).learn(some).forecast(some, horizon=8), whole[rows])


def bounds_are_ordered_and_hold_the_median(family):
    answer = run(family, frame({f"s{i}": list(y) for i, y in enumerate(simulated(6, 120, seed=8))}))
    chain = [answer[name] for name in ("lo_95", "lo_80", "median", "hi_80", "hi_95")]
    assert all((low <= high).all() for low, high in itertools.pairwise(chain))
    assert (answer["lo_95"] >= 0).all()
    assert (answer["mean"] >= 0).all()


def what_it_explains_is_a_row_per_series(family):
    history = frame({f"s{i}": list(y) for i, y in enumerate(simulated(3, 90, seed=9))})
    assert list(forecasters.find(family).fit(history).explain()["unique_id"]) == ["s0", "s1", "s2"]


def never_sees_what_it_is_not_shown(family):
    """The future is planted behind the known weeks: what is learnt and forecast stays equal to the last byte."""
    y = simulated(6, 140, seed=10)
    planted = y.copy()
    planted[:, 120:] = 1e6
    weeks = np.datetime64("2026-05-31", "ns") - np.arange(140)[::-1] * np.timedelta64(7, "D")
    answers = []
    for values in (y, planted):
        known = Known(names=tuple("abcdef"), weeks=weeks, counts=values).until(120)
        answers.append(forecasters.find(family).learn(known).forecast(known, horizon=8).tobytes())
    assert answers[0] == answers[1]


def rows_may_come_in_any_order(family):
    history = frame({f"s{i}": list(y) for i, y in enumerate(simulated(3, 80, seed=6))})
    shuffled = history.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(run(family, shuffled), run(family, history), check_exact=True)


def broken_weeks_and_values_are_refused(family):
    history = frame({"a": [1.0, 2.0, 3.0, 4.0]})
    broken = {
        "gap": history.drop(index=1),
        "twice": pd.concat([history, history.iloc[[2]]]),
        "not Sunday": history.assign(ds=history["ds"] + pd.Timedelta(1, "D")),
        "negative": history.assign(y=[1.0, -1.0, 2.0, 3.0]),
        "unknown": history.assign(y=[1.0, np.nan, 2.0, 3.0]),
    }
    for bad in broken.values():
        with pytest.raises(DataError, match="'a'"):
            run(family, bad)


def nothing_to_learn_is_said(family):
    with pytest.raises(DataError, match="no series"):
        run(family, frame({"a": [1.0]}).iloc[:0])


def is_never_far_worse_than_naive(family):
    y = simulated(20, 182, seed=7)
    history = frame({f"s{i:02}": list(row) for i, row in enumerate(y[:, :156])})
    forecast = run(family, history)["median"].to_numpy().reshape(20, 26)
    naive = np.repeat(y[:, 155:156], 26, axis=1)
    ours, theirs = (float(np.mean(scores.mase(y[:, 156:], f, y[:, :156]))) for f in (forecast, naive))
    assert ours < 1.25 * theirs


CHECKS: tuple[Callable[[str], None], ...] = (
    dates_follow_each_series_own_last_week,
    forecasts_are_finite_and_never_negative,
    repeats_give_equal_answers,
    a_longer_horizon_begins_like_a_shorter_one,
    a_constant_stays_constant,
    zeros_stay_zero,
    short_series_are_forecast_within_what_was_seen,
    one_odd_series_leaves_the_others_alone,
    a_series_is_told_the_same_whoever_is_beside_it,
    rows_may_come_in_any_order,
    broken_weeks_and_values_are_refused,
    nothing_to_learn_is_said,
    is_never_far_worse_than_naive,
    bounds_are_ordered_and_hold_the_median,
    what_it_explains_is_a_row_per_series,
    never_sees_what_it_is_not_shown,
)
CASES = [
    pytest.param(family, check, id=f"{family}:{check.__name__}") for family in forecasters.names() for check in CHECKS
]


@pytest.mark.parametrize(("family", "check"), CASES)
def test_family(family, check):
    check(family)


@pytest.mark.parametrize("family", forecasters.names())
def test_a_family_answers_to_its_name(family):
    assert forecasters.find(family).name == family


def test_families_are_found_by_listing_the_folder():
    assert {"seasonal_naive", "ets", "theta"} <= set(forecasters.names())


def test_an_unknown_family_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match=r"no family 'prophecy'; there are: .*seasonal_naive"):
        forecasters.find("prophecy")


def test_private_files_are_no_families():
    with pytest.raises(DataError, match="no family"):
        forecasters.find("_family")
