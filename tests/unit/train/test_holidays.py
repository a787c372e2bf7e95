"""Weeks of the year that are unlike others are found where they are, nowhere else, and from nothing later than a cutoff."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from ratchet import forecasters
from ratchet.contracts import release
from ratchet.train import holidays
from ratchet.train.folds import plan
from ratchet.train.panel import Panel
from ratchet.train.validation import Validation

QUIET = 0.4
"""What is left of a usual week."""


def panel(*, series=40, years=5, quiet=(0,), last="2026-05-31", level=20.0, seed=3):
    weeks = pd.date_range(end=last, periods=52 * years, freq="7D")
    share = np.where(np.isin(holidays.places(weeks), quiet), QUIET, 1.0)
    values = np.random.default_rng(seed).poisson(level * share, (series, len(weeks))).astype(float)
    return Panel(names=tuple(f"s{row}\x1fv" for row in range(series)), weeks=weeks, values=values)


@pytest.mark.parametrize(
    ("week", "place"),
    [
        pytest.param("2022-12-25", 0, id="christmas on a sunday"),
        pytest.param("2023-12-31", 0, id="christmas on a monday"),
        pytest.param("2024-01-07", 1, id="new year"),
        pytest.param("2023-12-24", 52, id="the week before is of the year before"),
        pytest.param("1969-12-28", 0, id="before 1970"),
    ],
)
def test_weeks_are_counted_from_the_one_that_holds_christmas(week, place):
    assert holidays.places(pd.DatetimeIndex([week])).tolist() == [place]


def test_what_comes_every_year_is_found_and_how_much_it_changes():
    found = holidays.learn(panel(quiet=(0, 1))).changes
    assert set(found) == {0, 1}
    assert list(found.values()) == pytest.approx([np.log(QUIET)] * 2, abs=0.1)


@pytest.mark.parametrize("quiet_targets", [1, 3])
@pytest.mark.parametrize("series", [160, 1600, 4000])
def test_a_holiday_is_one_of_most_series_and_not_of_one_target_in_four(series, quiet_targets):
    """Names are in order: every fourth series, or every second, is of the same target."""
    quiet, usual = panel(series=series), panel(series=series, quiet=())
    of_quiet = np.arange(series)[:, None] % 4 < quiet_targets
    found = holidays.learn(replace(usual, values=np.where(of_quiet, quiet.values, usual.values)))
    assert (found.changes.get(0, 0.0) < np.log(QUIET) / 2) == (quiet_targets == 3)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"quiet": ()}, id="no such week"),
        pytest.param({"years": 2}, id="seen twice"),
        pytest.param({"series": holidays.LEAST_SERIES - 1}, id="too few series"),
        pytest.param({"level": 1.0}, id="hardly any activity"),
    ],
)
def test_where_no_week_is_surely_unlike_others_nothing_changes(changes):
    known = panel(**changes)
    found = holidays.learn(known)
    assert found == holidays.NONE
    forecasts = np.random.default_rng(0).uniform(0, 9, (40, 26))
    np.testing.assert_array_equal(found.ahead(forecasts, known), forecasts)


def test_one_odd_year_is_no_holiday():
    known = panel(quiet=())
    values = known.newest(len(known.weeks))
    odd = np.arange(len(known.weeks)) == np.flatnonzero(holidays.places(known.weeks) == 20)[2]
    assert holidays.learn(replace(known, values=np.where(odd, QUIET, 1.0) * values)) == holidays.NONE


def test_only_the_holiday_of_the_weeks_ahead_changes():
    year = holidays.Holidays(changes={0: float(np.log(QUIET))})
    weeks = pd.date_range("2025-12-14", periods=4, freq="7D")
    said = year.apply(np.array([[9.0] * 4, [0.0] * 4, [np.nan] * 4]), weeks)
    np.testing.assert_allclose(said[0], [9.0, 9.0, 10 * QUIET - 1, 9.0])
    np.testing.assert_array_equal(said[1], 0.0)
    assert np.isnan(said[2]).all()


def test_a_fold_knows_no_later_year():
    """What comes after the last cutoff may be anything: no fold says anything else because of it."""
    known = panel(years=5, last="2026-02-22")
    folds = plan(len(known.weeks), horizon=8)
    later = np.arange(len(known.weeks)) >= folds[-1].cutoff
    shape = (1, len(folds), len(known.names), 8)

    def changed(panel):
        validation = Validation(
            families=("naive",),
            folds=folds,
            forecasts=np.full(shape, 20.0),
            actual=np.zeros(shape[1:]),
            scale=np.ones(shape[1:3]),
            ends={0: np.full((len(folds), 4, *shape[2:]), 20.0)},
        )
        holidays.on_folds(panel, validation, [forecasters.find("naive")])
        return validation

    planted = replace(known, values=np.where(later, 1e6, known.values))
    said = changed(known).forecasts
    np.testing.assert_array_equal(changed(planted).forecasts, said)
    quiet = holidays.places(known.weeks)[np.array([fold.cutoff + np.arange(8) for fold in folds])] == 0
    assert quiet.any()
    assert (said[0].transpose(0, 2, 1)[quiet] < 12).all()
    assert (said[0].transpose(0, 2, 1)[~quiet] == 20).all()
    told = changed(known).ends[0]
    np.testing.assert_array_equal(told, np.repeat(said[0][:, None], 4, axis=1))


def test_it_is_kept_as_json():
    found = holidays.learn(panel())
    assert holidays.Holidays.from_json(found.to_json()) == found


def test_a_release_says_less_for_christmas_and_keeps_how_much(gold, run, tmp_path):
    known = panel(last="2025-11-30", series=12)
    history = gold(known.newest(len(known.weeks)), last=known.weeks[-1])
    card = run(history, tmp_path, data_hour=datetime(2025, 12, 1, 3, tzinfo=UTC), recipe=("naive", "recent_median"))
    folder = tmp_path / card.release_id
    median = np.load(folder / release.issue_folder(1) / "median.npy")
    christmas, before = median[:, 3], median[:, 2]
    np.testing.assert_allclose(christmas, (before + 1) * QUIET - 1, atol=2)
    kept = json.loads((folder / "model.json").read_bytes())["holidays"]
    assert kept == holidays.learn(known).to_json()


def test_what_repeats_a_year_ago_has_its_holidays_already(gold, run, tmp_path):
    """A release of the seasonal naive, the first there is, took Christmas off twice: 6.3 was said where 16 came."""
    known = panel(last="2025-11-30", series=9, level=40.0)
    history = gold(known.newest(len(known.weeks)), last=known.weeks[-1])
    card = run(history, tmp_path, data_hour=datetime(2025, 12, 1, 3, tzinfo=UTC), recipe=("seasonal_naive",))
    median = np.load(tmp_path / card.release_id / release.issue_folder(1) / "median.npy")
    assert sorted(median[:, :8].tolist()) == sorted(known.newest(52)[:, :8].tolist())


def test_a_season_that_has_the_holidays_in_it_is_not_changed_by_them_again(gold, run, tmp_path):
    """Prophet's yearly season said 19 and 20 where 16 came; Christmas was taken off that once more, and 7 and 8 were left."""
    known = panel(last="2025-11-30", series=5, level=40.0, quiet=(0, 1))
    history = gold(known.newest(len(known.weeks)), last=known.weeks[-1])
    card = run(history, tmp_path, data_hour=datetime(2025, 12, 1, 3, tzinfo=UTC), recipe=("prophet",))
    median = np.load(tmp_path / card.release_id / release.issue_folder(1) / "median.npy")
    assert median[:, 3:5].mean() == pytest.approx(16, abs=6)
