from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from ratchet.contracts.errors import DataError
from ratchet.contracts.release import series_name
from ratchet.train.panel import accept

LAST = pd.Timestamp("2026-05-31")
TARGETS = ("visits", "sales")


def add(good, bad):
    return pd.concat([good, bad], ignore_index=True)


@pytest.fixture
def good(gold, counts):
    return gold(counts(3, 20, seed=3))


BROKEN = {
    "gap": (lambda one: one.drop(index=5), "weeks are missing"),
    "twice": (lambda one: pd.concat([one, one.iloc[[5]]]), "more than one row"),
    "monday": (lambda one: one.assign(ds=one["ds"] - pd.Timedelta(6, "D")), "does not end on Sunday"),
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
