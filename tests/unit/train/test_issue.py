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


@pytest.fixture
def issue(folder, history):
    """Issue the release again, as the registry would put it."""

    def again(known=history, *, data_hour=LATE, last=1):
        return issue_again(folder, known, last=last, data_hour=data_hour, out=folder / release.issue_folder(last + 1))

    return again


def load(folder, number, statistic="median"):
    return np.load(folder / release.issue_folder(number) / f"{statistic}.npy")


def test_a_new_issue_begins_after_the_new_weeks_and_the_old_one_stays(folder, issue):
    before = load(folder, 1)
    assert issue().number == 2
    opened = open_release(folder, verify=True)
    assert (opened.issue, opened.data_hour, opened.weeks[0]) == (2, LATE, "2026-06-07")
    np.testing.assert_array_equal(load(folder, 1), before)
    assert not np.array_equal(load(folder, 2), before)
    chain = [load(folder, 2, name) for name in ("lo_95", "lo_80", "median", "hi_80", "hi_95")]
    assert all((low <= high).all() and np.isfinite(low).all() for low, high in itertools.pairwise(chain))


def test_nothing_of_the_release_changes(folder, issue):
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    issue()
    assert {path: path.read_bytes() for path in kept} == kept
    assert bundle.find(folder) is not None


def test_a_family_says_of_the_same_weeks_what_the_issue_does(folder, issue):
    issue()
    families = {path.name for path in (folder / "families").iterdir()}
    assert {path.name for path in (folder / release.issue_folder(2) / "families").iterdir()} == families
    one = min(families).removesuffix(".npy")
    assert np.load(folder / release.family_file(one, 2)).shape == load(folder, 2).shape


def test_the_same_gold_gives_the_same_bytes(folder, history, tmp_path):
    made = [issue_again(folder, history, last=1, data_hour=LATE, out=tmp_path / name) for name in ("one", "two")]
    assert made[0] == made[1]


@pytest.mark.parametrize("hour", [datetime(2026, 4, 6, tzinfo=UTC), EARLY])
def test_an_hour_that_is_no_newer_is_refused(issue, hour):
    with pytest.raises(DataError, match="already issued"):
        issue(data_hour=hour)


def test_a_series_that_is_gone_keeps_what_was_said_of_its_coming_weeks(folder, issue, history):
    row = open_release(folder, verify=True).row("thing/003", "sales")
    issue(history[history["unique_id"] != "thing/003"])
    np.testing.assert_array_equal(load(folder, 2)[row][:-4], load(folder, 1)[row][4:])


def test_how_many_weeks_a_series_is_behind_is_told_until_gold_knows_them(folder, issue, history, caplog):
    odd = history["y"].where((history["unique_id"] != "thing/003") | (history["ds"] != history["ds"].min()), np.nan)
    broken = history.assign(y=odd)
    behind = []
    for number, (known, day) in enumerate(((broken, 11), (broken, 18), (broken, 19), (history, 25)), start=1):
        issue(known, data_hour=datetime(2026, 5, day, tzinfo=UTC), last=number)
        opened = open_release(folder, verify=True)
        rows = [opened.row("thing/003", "sales"), opened.row("thing/002", "sales")]
        behind.append([0 if opened.behind is None else int(opened.behind[row]) for row in rows])
    assert behind == [[1, 0], [2, 0], [2, 0], [0, 0]]
    assert "no new weeks are known of 2 series (thing/003 sales: " in caplog.text


def test_one_flipped_bit_in_an_issue_is_found_and_named(folder, issue):
    issue()
    path = folder / release.issue_folder(2) / "mean.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ReleaseError, match=r"0002/mean.npy: its SHA-256"):
        open_release(folder, verify=True)
    assert open_release(folder, verify=True, issue=1).data_hour == EARLY


def test_a_spoilt_release_is_not_issued(folder, issue):
    (folder / "model.json").write_text("{}")
    with pytest.raises(ReleaseError, match="no whole release"):
        issue()


def test_new_series_wait_for_the_next_training(folder, issue, history):
    extra = history[history["unique_id"] == "thing/001"].assign(unique_id="thing/new")
    issue(pd.concat([history, extra]))
    assert load(folder, 2).shape == load(folder, 1).shape
