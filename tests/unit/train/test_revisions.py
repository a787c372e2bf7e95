"""Folds learn from what was known at their cutoff: old counts are planted, and forecasts compared to the last bit."""

import numpy as np
import pandas as pd
import pytest

from ratchet import forecasters
from ratchet.contracts.release import issue_folder
from ratchet.train.accepting import accept
from ratchet.train.folds import plan
from ratchet.train.validation import validate

FAMILIES = ("seasonal_naive", "window_median", "ets", "trees")
REVISED = pd.Timestamp("2025-10-26")
"""The 79th of 110 weeks: folds have their cutoffs 8 weeks apart."""
KNOWN = pd.Timestamp("2026-01-26")
"""The 92nd week is complete: what was told then of the 79th is news to the folds from there on."""


@pytest.fixture(scope="module")
def panels(gold, counts, told, data_hour):
    """What was revised, the same as it was told first, and as it was told last: twelve series, two of them revised."""
    newest = gold(counts(12, 110, seed=3))
    here = (newest["ds"] == REVISED) & newest["unique_id"].isin(["thing/003", "thing/007"])
    newest["y"] = newest["y"].where(~here, 40.0)
    first = newest.assign(y=newest["y"].where(~here, 900.0))
    rows = [
        (name, REVISED, at, y)
        for name in ("thing/003", "thing/007")
        for at, y in ((REVISED + pd.Timedelta(1, "D"), 900.0), (KNOWN, 40.0))
    ]
    make = {"targets": ("visits",), "data_hour": data_hour}
    return (
        accept(newest, vintages=told(*rows), **make)[0],
        accept(first, **make)[0],
        accept(newest, **make)[0],
    )


def test_a_fold_learns_from_what_was_known_and_is_scored_by_what_happened(panels):
    folds = plan(110, horizon=8)
    families = [forecasters.find(name, season_length=52) for name in FAMILIES]
    both = [validate(panel, families, folds, say=lambda _: None) for panel in panels]
    said = [np.concatenate([part.forecasts for part in parts], axis=1) for parts in both]
    scales = [np.concatenate([part.scale for part in parts]) for parts in both]
    revised, first, newest = zip(said, scales, strict=True)
    cutoffs = np.array([fold.cutoff for fold in folds])
    before, between, after = cutoffs < 79, (cutoffs >= 79) & (cutoffs < 92), cutoffs >= 92
    assert before.any()
    assert between.any()
    assert after.any()
    local = slice(FAMILIES.index("trees"))
    for seen, expected in ((before, newest), (between, first), (after, newest)):
        np.testing.assert_array_equal(revised[0][local, seen], expected[0][local, seen])
        np.testing.assert_array_equal(revised[1][seen], expected[1][seen])
    # A pooled family learns for several folds at once: by the same rule, as of the first of them.
    untouched = cutoffs < cutoffs[len(folds) * 2 // 5]
    np.testing.assert_array_equal(revised[0][:, untouched & between], first[0][:, untouched & between])
    assert not np.array_equal(revised[0][:, between], newest[0][:, between])
    for part, expected in zip(both[0], both[2], strict=True):
        np.testing.assert_array_equal(part.actual, expected.actual)


def test_what_was_never_told_otherwise_changes_no_byte_of_a_release(run, history, tmp_path):
    last = history[history["ds"] == history["ds"].max()]
    vintages = last.assign(known_at=pd.Timestamp("2026-06-01", tz="UTC"))
    cards = [run(history, tmp_path / name, vintages=given) for name, given in (("a", None), ("b", vintages))]
    assert cards[0] == cards[1]
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_release_forecasts_from_the_newest_counts_whatever_was_told_before(run, gold, counts, told, tmp_path):
    history = gold(counts(4, 60, seed=5))
    newest = float(history[history["unique_id"] == "thing/000"]["y"].iloc[-1])
    rows = [("thing/000", "2026-05-31", f"2026-06-01 0{hour}:00", y) for hour, y in ((0, 5e5), (2, newest))]
    recipe = ("seasonal_naive", "window_median")
    cards = [run(history, tmp_path, recipe=recipe, vintages=given) for given in (None, told(*rows))]
    assert cards[0].release_id != cards[1].release_id
    medians = [np.load(tmp_path / card.release_id / issue_folder(1) / "median.npy") for card in cards]
    np.testing.assert_array_equal(*medians)


def files(folder):
    """All but how long it took."""
    every = (path for path in folder.rglob("*") if path.is_file() and path.name != "training.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in every}


def test_a_fold_sees_a_typical_week_where_hardly_anything_had_been_seen(gold, told, data_hour):
    """It was filled in three weeks later: until then everybody learnt from a guess."""
    counts = np.full((1, 60), 100.0)
    counts[0, 50] = 900.0
    newest = gold(counts)
    at = newest["ds"].iloc[50]
    first = told(("thing/000", at, at + pd.Timedelta(1, "D"), 90.0)).assign(coverage=0.1)
    late = told(("thing/000", at, at + pd.Timedelta(23, "D"), 900.0)).assign(coverage=1.0)
    known = {"targets": ("visits",), "data_hour": data_hour}
    panel, _ = accept(newest, vintages=pd.concat([first, late]), **known)
    live = newest.iloc[:51].assign(coverage=[1.0] * 50 + [0.1], y=[100.0] * 50 + [90.0])
    assert accept(live, **known)[0].newest(1).item() == 100
    assert [panel.until(weeks).newest(weeks)[0, 50] for weeks in (51, 53, 54)] == [100, 100, 900]
    assert panel.newest(60)[0, 50] == 900


def test_a_fold_sees_a_week_that_had_been_seen_in_part_as_live_training_did(gold, told, data_hour):
    newest = gold(np.full((1, 60), 100.0))
    at = newest["ds"].iloc[50]
    vintages = told(("thing/000", at, at + pd.Timedelta(1, "D"), 45.0)).assign(coverage=0.5)
    late = told(("thing/000", at, at + pd.Timedelta(9, "D"), 100.0)).assign(coverage=1.0)
    panel, _ = accept(newest, targets=("visits",), data_hour=data_hour, vintages=pd.concat([vintages, late]))
    assert panel.until(51).newest(1).item() == 90
    assert panel.until(53).newest(3)[0, 0] == 100


def test_a_typical_week_of_a_fold_is_typical_of_the_weeks_as_they_were_told_then(gold, told, data_hour):
    """Weeks 42 to 49 were told half of what they are until week 55; nothing was ever seen of week 50, of week 51 only later."""
    newest = gold(np.full((1, 60), 100.0)).assign(coverage=1.0)
    newest.loc[50, ["y", "coverage"]] = 0.0
    ds = newest["ds"]
    day = pd.Timedelta(1, "D")
    rows = [(ds[week], at, y) for week in range(42, 50) for at, y in ((ds[week] + day, 50.0), (ds[54] + day, 100.0))]
    known = told(*(("thing/000", *row) for row in rows)).assign(coverage=1.0)
    hardly = told(("thing/000", ds[51], ds[51] + day, 9.0)).assign(coverage=0.1)
    filled = told(("thing/000", ds[51], ds[54] + day, 100.0)).assign(coverage=1.0)
    vintages = pd.concat([known, hardly, filled])
    panel, _ = accept(newest, targets=("visits",), data_hour=data_hour, vintages=vintages)
    kept = (ds >= ds[39]) & (ds <= ds[51])
    live = newest[kept].assign(y=[100.0] * 3 + [50.0] * 8 + [0.0, 9.0], coverage=[1.0] * 11 + [0.0, 0.1])
    then, _ = accept(live, targets=("visits",), data_hour=data_hour)
    np.testing.assert_array_equal(panel.until(52).newest(13), then.newest(13))
    assert panel.until(52).newest(2).tolist() == [[50, 50]]
    assert panel.newest(60).tolist() == [[100] * 60]


def test_a_fold_guesses_by_nothing_that_came_later(gold, data_hour):
    """Of the first weeks nothing was seen, so they are guessed by those after: by those of a fold alone."""
    counts = np.full((1, 30), 10.0)
    counts[0, 8:] = 900.0
    frame = gold(counts).assign(coverage=[0.0] * 4 + [1.0] * 26)
    panel, _ = accept(frame, targets=("visits",), data_hour=data_hour)
    assert panel.newest(30)[0, 0] == 900
    assert panel.until(8).newest(8).tolist() == [[10] * 8]
