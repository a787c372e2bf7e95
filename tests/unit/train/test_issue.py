"""A release issued again: fresh forecasts, the same model, whole or not at all."""

import itertools
import shutil
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from ratchet.contracts import release
from ratchet.contracts.errors import DataError, ReleaseError
from ratchet.serve.release import open_release
from ratchet.train import bundle, train
from ratchet.train.issue import issue_again

RECIPE = ("naive", "window_median", "tsb", "farima", "trees", "neural")
EARLY, LATE = datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def trained(history, workload, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    known = {"workload": workload, "recipe": RECIPE, "data_hour": EARLY, "code_version": "1", "synthetic": True}
    return out / train(history, out=out, **known).release_id


@pytest.fixture
def folder(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / trained.name)


def load(folder, number, statistic="median"):
    return np.load(folder / release.issue_folder(number) / f"{statistic}.npy")


def test_a_new_issue_begins_after_the_new_weeks_and_the_old_one_stays(folder, history):
    before = load(folder, 1)
    card = issue_again(folder, history, data_hour=LATE)
    opened = open_release(folder, verify=True)
    assert opened.data_hour == LATE
    assert opened.weeks[0] == "2026-06-07"
    assert bundle.find(folder) == card
    np.testing.assert_array_equal(load(folder, 1), before)
    assert not np.array_equal(load(folder, 2), before)
    chain = [load(folder, 2, name) for name in ("lo_95", "lo_80", "median", "hi_80", "hi_95")]
    assert all((low <= high).all() and np.isfinite(low).all() for low, high in itertools.pairwise(chain))


def test_the_model_stays_as_it_was(folder, history):
    kept = {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in {".onnx", ".txt"} or path.name == "model.json"
    }
    issue_again(folder, history, data_hour=LATE)
    assert kept
    assert {path: path.read_bytes() for path in kept} == kept


def test_the_same_hour_again_changes_nothing(folder, history):
    issue_again(folder, history, data_hour=LATE)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    issue_again(folder, history, data_hour=LATE)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_an_older_hour_is_refused(folder, history):
    with pytest.raises(DataError, match="already issued"):
        issue_again(folder, history, data_hour=datetime(2026, 4, 6, tzinfo=UTC))


def test_a_series_that_is_gone_keeps_what_was_said_of_its_coming_weeks(folder, history):
    known = open_release(folder, verify=True)
    row = known.row("thing/003", "sales")
    issue_again(folder, history[history["unique_id"] != "thing/003"], data_hour=LATE)
    np.testing.assert_array_equal(load(folder, 2)[row][:-4], load(folder, 1)[row][4:])


def test_an_issue_that_was_cut_short_is_written_again(folder, history):
    torn = folder / release.issue_folder(2)
    torn.mkdir()
    (torn / "median.npy").write_bytes(b"half")
    issue_again(folder, history, data_hour=LATE)
    open_release(folder, verify=True)


def test_a_spoilt_release_is_not_issued(folder, history):
    (folder / "model.json").write_text("{}")
    with pytest.raises(ReleaseError, match="no whole release"):
        issue_again(folder, history, data_hour=LATE)


def test_new_series_wait_for_the_next_training(folder, history):
    extra = history[history["unique_id"] == "thing/001"].assign(unique_id="thing/new")
    issue_again(folder, pd.concat([history, extra]), data_hour=LATE)
    assert load(folder, 2).shape == load(folder, 1).shape
