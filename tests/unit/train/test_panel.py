import dataclasses
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from ratchet.contracts.errors import DataError
from ratchet.contracts.release import series_name
from ratchet.train.accepting import accept, newest_seen
from ratchet.train.folds import Fold

LAST = pd.Timestamp("2026-05-31")
TARGETS = ("visits", "sales")


def add(good, bad):
    # Microseconds reach back further than nanoseconds, which end in 1677.
    return pd.concat([frame.astype({"ds": "datetime64[us]"}) for frame in (good, bad)], ignore_index=True)


@pytest.fixture
def good(gold, counts):
    return gold(counts(3, 20, seed=3))


def moved_by_years(one, years):
    return one.assign(ds=one["ds"].astype("datetime64[us]") - np.timedelta64(7 * 52 * years, "D"))


def since(one, first):
    weeks = np.arange(np.datetime64(first), np.datetime64("2026-06-01"), np.timedelta64(7, "D"))
    return pd.DataFrame({"unique_id": one["unique_id"].iloc[0], "target": "visits", "ds": weeks, "y": 1.0})


BROKEN = {
    "gap": (lambda one: one.drop(index=5), "weeks are missing"),
    "twice": (lambda one: pd.concat([one, one.iloc[[5]]]), "more than one row"),
    "monday": (lambda one: one.assign(ds=one["ds"] - pd.Timedelta(6, "D")), "does not end on Sunday"),
    "long-ago": (
        lambda one: one.assign(ds=one["ds"].where(one.index != 0, pd.Timestamp("1700-01-03"))),
        "weeks are missing",
    ),
    "ended-long-ago": (lambda one: moved_by_years(one, 400), "one before 1678"),
    "began-long-ago": (lambda one: since(one, "1600-01-02"), "one before 1678"),
    "no-week": (lambda one: one.assign(ds=one["ds"].where(one.index != 5)), "no week"),
    "ended-early": (lambda one: one.iloc[:-3], "its last week is 2026-05-10, not 2026-05-31"),
    "short": (lambda one: one.iloc[-3:], "shorter than 4 weeks"),
    "unknown-y": (lambda one: one.assign(y=one["y"].where(one.index != 5)), "not a number"),
    "infinite-y": (lambda one: one.assign(y=one["y"].where(one.index != 5, np.inf)), "not a number"),
    "text-y": (lambda one: one.assign(y="many"), "not a number"),
    "negative-y": (lambda one: one.assign(y=one["y"].where(one.index != 5, -1.0)), "negative"),
    "huge-y": (lambda one: one.assign(y=one["y"].where(one.index != 5, 1e30)), "beyond any plausible"),
    "other-target": (lambda one: one.assign(target="smiles"), "no such target: 'smiles'"),
    "no-target": (lambda one: one.assign(target=None), "no such target"),
    "no-name": (lambda one: one.assign(unique_id=None), "no usable name"),
    "line-break": (lambda one: one.assign(unique_id="a\nb"), "no usable name"),
    "separator": (lambda one: one.assign(unique_id="a\x1fb"), "no such target"),
    "half-a-character": (lambda one: one.assign(unique_id="a\ud800"), "no usable name"),
}


@pytest.mark.parametrize(("spoil", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_bad_series_is_rejected_with_its_reason_and_the_others_are_kept(spoil, reason, good, gold, counts):
    bad = spoil(gold(counts(1, 20, seed=4), prefix="bad"))
    panel, rejected = accept(add(good, bad), targets=TARGETS, data_hour=datetime(2026, 6, 1, tzinfo=UTC))
    assert panel.names == tuple(series_name(f"thing/{row:03}", "visits") for row in range(3))
    assert len(rejected) == 1
    assert reason in next(iter(rejected.values()))


def test_series_start_when_they_start_and_end_together(gold, counts, data_hour):
    young, old = counts(1, 9, seed=5), counts(1, 20, seed=6)
    panel, _ = accept(add(gold(old), gold(young, prefix="young")), targets=TARGETS, data_hour=data_hour)
    assert list(panel.ages()) == [20, 9]
    np.testing.assert_array_equal(panel.values, [old[0], [*[np.nan] * 11, *young[0]]])
    assert panel.weeks[-1] == LAST


def test_weeks_that_end_after_the_data_hour_are_not_known_yet(good):
    panel, _ = accept(good, targets=TARGETS, data_hour=datetime(2026, 5, 18, 3, tzinfo=UTC))
    assert panel.weeks[-1] == pd.Timestamp("2026-05-17")
    assert list(panel.ages()) == [18, 18, 18]


def test_the_order_of_rows_and_a_time_zone_change_nothing(good, data_hour):
    panel, _ = accept(good, targets=TARGETS, data_hour=data_hour)
    moved = good.sample(frac=1, random_state=0).assign(ds=lambda frame: frame["ds"].dt.tz_localize("UTC"))
    again, _ = accept(moved, targets=TARGETS, data_hour=data_hour)
    assert again.digest() == panel.digest()


def test_the_digest_tells_a_changed_value(good, data_hour):
    panel, _ = accept(good, targets=TARGETS, data_hour=data_hour)
    changed, _ = accept(good.assign(y=good["y"] + (good.index == 7)), targets=TARGETS, data_hour=data_hour)
    assert changed.digest() != panel.digest()


def test_the_callers_frame_is_left_alone(good, data_hour):
    before = good.copy(deep=True)
    accept(good, targets=TARGETS, data_hour=data_hour)
    pd.testing.assert_frame_equal(good, before)


def test_families_are_shown_what_the_panel_holds(gold, counts, data_hour):
    history = add(gold(counts(2, 12, seed=7)), gold(counts(1, 5, seed=8), prefix="young"))
    panel, _ = accept(history, targets=TARGETS, data_hour=data_hour)
    known = panel.known()
    assert known.names == panel.names
    assert list(known.counts[np.isfinite(known.counts)]) == list(history["y"])
    assert known.weeks[-1] == np.datetime64(history["ds"].max())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda frame: frame.drop(columns="y"), "columns missing: y", id="no-column"),
        pytest.param(lambda frame: frame.assign(ds="soon"), "ds must be a date", id="no-dates"),
        pytest.param(lambda frame: frame.assign(y=-1.0), "no series can be trained on: y is negative", id="all-bad"),
        pytest.param(lambda frame: frame.iloc[:0], "no week is complete", id="empty"),
    ],
)
def test_a_history_with_nothing_to_train_on_is_refused(spoil, message, good, data_hour):
    with pytest.raises(DataError, match=message):
        accept(spoil(good), targets=TARGETS, data_hour=data_hour)


# ------------------------------------------------------- what was known when

GREW = (
    ("thing/001", "2026-04-12", "2026-04-13 00:00", 1.0),
    ("thing/001", "2026-04-12", "2026-04-15 12:00", 2.0),
    ("thing/001", "2026-04-12", "2026-05-04 00:00", 3.0),
    ("thing/002", "2026-03-01", "2026-05-10 23:00", 7.0),
    ("thing/002", "2026-03-01", "2026-05-11 00:00", 8.0),
    ("thing/000", "2026-05-31", "2026-06-01 00:00", 4.0),
)
"""The weeks of `good` end on 2026-01-18 … 2026-05-31: the first of these is its 13th, the second its 7th, the last its 20th."""


def cells(panel):
    return np.asarray(panel.values)


@pytest.fixture
def grown(good, told, data_hour):
    """A panel of which three weeks were told otherwise before, two of them twice."""
    newest = {("thing/001", "2026-04-12"): 3.0, ("thing/002", "2026-03-01"): 8.0, ("thing/000", "2026-05-31"): 5.0}
    for (name, week), y in newest.items():
        good.loc[(good["unique_id"] == name) & (good["ds"] == week), "y"] = y
    last = ("thing/000", "2026-05-31", "2026-06-01 02:00", 5.0)
    return accept(good, targets=TARGETS, data_hour=data_hour, vintages=told(*GREW, last))[0]


@pytest.mark.parametrize(
    ("weeks", "first", "second"),
    [
        pytest.param(13, 2.0, 7.0, id="the newest before the next week was complete"),
        pytest.param(15, 2.0, 7.0, id="before it was told again"),
        pytest.param(16, 3.0, 7.0, id="as soon as it was told again"),
        pytest.param(17, 3.0, 8.0, id="the other one too"),
        pytest.param(20, 3.0, 8.0, id="the newest"),
    ],
)
def test_a_week_is_shown_as_it_was_known_after_so_many_weeks(grown, weeks, first, second):
    shown = grown.until(weeks)
    assert (cells(shown)[1, 12], cells(shown)[2, 6]) == (first, second)
    expected = cells(grown)[:, :weeks].copy()
    expected[[1, 2], [12, 6]] = first, second
    np.testing.assert_array_equal(cells(shown), expected)


def test_of_a_week_that_was_told_only_later_what_came_first_is_shown(grown):
    assert cells(grown.until(8))[2, 6] == 7.0


def test_going_back_twice_is_going_back_once(grown):
    for weeks in range(8, 20):
        once = grown.until(weeks)
        for later in range(weeks, 21):
            twice = grown.until(later).until(weeks)
            np.testing.assert_array_equal(cells(twice), cells(once))
            assert twice.digest() == once.digest()


def test_what_was_told_later_leaves_no_trace(good, told, data_hour):
    panels = []
    for last in (3.0, 99.0):
        good.loc[(good["unique_id"] == "thing/001") & (good["ds"] == "2026-04-12"), "y"] = last
        vintages = told(*GREW[:2], (*GREW[2][:3], last))
        panels.append(accept(good, targets=TARGETS, data_hour=data_hour, vintages=vintages)[0])
    for weeks in (9, 12, 13, 15):
        assert panels[0].until(weeks).digest() == panels[1].until(weeks).digest()
    assert panels[0].until(16).digest() != panels[1].until(16).digest()


def test_what_is_known_is_of_its_time_and_what_happened_is_the_newest(grown):
    fold = Fold(cutoff=12, horizon=8)
    np.testing.assert_array_equal(fold.actual(grown), cells(grown)[:, 12:])
    assert fold.actual(grown)[1, 0] == 3.0
    assert cells(Fold(cutoff=13, horizon=7).known(grown))[1, 12] == 2.0


def test_some_of_the_series_keep_what_was_said_of_them_in_any_order(grown):
    rows = np.array([2, 1])
    for weeks in (9, 13, 16, 17, 20):
        np.testing.assert_array_equal(cells(grown.only(rows).until(weeks)), cells(grown.until(weeks))[rows])
    assert len(grown.only(np.array([0])).revisions) == 2


def test_weeks_that_follow_change_nothing_of_what_was_known(grown):
    more = grown.and_then(np.ones((3, 4)))
    for weeks in (13, 16, 20):
        assert more.until(weeks).digest() == grown.until(weeks).digest()


def test_the_digest_tells_revisions_and_nothing_else(grown, good, told, data_hour):
    plain, _ = accept(good, targets=TARGETS, data_hour=data_hour)
    assert grown.digest() != plain.digest()
    y = float(good[good["unique_id"] == "thing/000"]["y"].iloc[-1])
    nothing_new = (
        ("thing/000", "2026-05-31", "2026-06-01 00:00", y),
        ("thing/009", "2026-05-31", "2026-06-01 00:00", 1.0),
        ("thing/000", "2025-12-28", "2026-06-01 00:00", 1.0),
        ("thing/000", "2026-06-07", "2026-06-08 00:00", 1.0),
        ("thing/001", "2026-05-24", "2026-06-01 00:00", -1.0),
        ("thing/001", "2026-05-24", "2026-06-01 01:00", 1e30),
        ("thing/001", "2026-05-24", "2026-06-01 02:00", np.nan),
    )
    same, _ = accept(good, targets=TARGETS, data_hour=data_hour, vintages=told(*nothing_new))
    assert same.digest() == plain.digest()
    assert len(same.revisions) == 0
    none, _ = accept(good, targets=TARGETS, data_hour=data_hour, vintages=told(*nothing_new).iloc[:0])
    assert none.digest() == plain.digest()


def test_the_digest_of_what_was_never_revised_is_what_it_always_was(panel_of):
    """Releases are named after it: without vintages they keep their names."""
    assert panel_of(np.arange(4.0)[None]).digest() == "ae72a573772eb7e2fcadb52b1a8e0142"


def test_a_week_before_a_series_began_is_not_made_up(gold, counts, told, data_hour):
    history = add(gold(counts(1, 20, seed=1)), gold(counts(1, 5, seed=2), prefix="young"))
    vintages = told(("young/000", "2026-04-12", "2026-04-13", 9.0))
    panel, _ = accept(history, targets=TARGETS, data_hour=data_hour, vintages=vintages)
    assert list(panel.until(20).ages()) == [20, 5]


def partly(y, coverage):
    weeks = pd.date_range("2026-01-04", periods=len(y), freq="7D")
    frame = pd.DataFrame({"unique_id": "a", "target": "sent", "ds": weeks, "y": np.array(y, dtype=float)})
    return frame.assign(coverage=np.array(coverage, dtype=float))


def test_a_week_seen_in_part_counts_as_it_would_have_as_a_whole():
    frame = partly([10, 10, 5, 10, 7], [1, 1, 0.5, np.nan, 0.9])
    panel, rejected = accept(frame, targets=("sent",), data_hour=datetime(2026, 2, 2, tzinfo=UTC))
    assert not rejected
    assert panel.newest(len(panel.weeks)).tolist() == [[10, 10, 10, 10, 8]]


def test_a_week_of_which_hardly_anything_was_seen_is_a_typical_one():
    frame = partly([0, 4, 6, 8, 0, 9, 1], [0, 1, 1, 1, 0, 1, 0.2])
    panel, _ = accept(frame, targets=("sent",), data_hour=datetime(2026, 2, 16, tzinfo=UTC))
    assert panel.newest(len(panel.weeks)).tolist() == [[7, 4, 6, 8, 7, 9, 7]]


def test_of_a_series_of_which_nothing_was_seen_nothing_is_made_up():
    frame = partly([0, 0, 0, 0], [0, 0, 0, 0])
    panel, _ = accept(frame, targets=("sent",), data_hour=datetime(2026, 1, 26, tzinfo=UTC))
    assert panel.newest(len(panel.weeks)).tolist() == [[0, 0, 0, 0]]


def test_a_young_series_stays_young_beside_weeks_that_were_not_seen():
    old = partly([3, 3, 3, 3, 3, 3], [1, 0, 1, 1, 1, 1])
    young = old.iloc[2:].assign(unique_id="b")
    panel, _ = accept(pd.concat([old, young]), targets=("sent",), data_hour=datetime(2026, 2, 9, tzinfo=UTC))
    assert panel.ages().tolist() == [6, 4]


def test_how_much_was_seen_of_the_newest_weeks():
    frame = partly([5] * 20, [0.1] * 7 + [1] * 12 + [0.35])
    assert newest_seen(frame, datetime(2026, 5, 18, tzinfo=UTC)) == 0.95
    assert newest_seen(frame.drop(columns="coverage"), datetime(2026, 5, 18, tzinfo=UTC)) == 1.0


def test_a_week_that_was_guessed_is_learnt_from_and_never_scored_by():
    old = partly([3, 3, 9, 3, 3, 3], [1, 0, 1, 1, 0.1, 1])
    panel, _ = accept(
        pd.concat([old, old.assign(unique_id="b", coverage=1.0)]),
        targets=("sent",),
        data_hour=datetime(2026, 2, 9, tzinfo=UTC),
    )
    nan = np.nan
    np.testing.assert_array_equal(panel.happened(0, 6), [[3, nan, 9, 3, nan, 3], [3, 3, 9, 3, 3, 3]])
    np.testing.assert_array_equal(Fold(cutoff=3, horizon=2).actual(panel), [[3, nan], [3, 3]])
    np.testing.assert_array_equal(panel.until(2).happened(0, 2), [[3, nan], [3, 3]])
    np.testing.assert_array_equal(panel.only(np.array([1])).happened(1, 2), [[3]])
    further = panel.and_then(np.array([[8.0], [8.0]]))
    np.testing.assert_array_equal(further.happened(4, 7), [[nan, 3, 8], [3, 3, 8]])
    assert np.isfinite(further.values).all()
    assert panel.digest() != dataclasses.replace(panel, unseen=None).digest()
