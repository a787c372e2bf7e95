from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from fakes import write_release
from ratchet.contracts.errors import ReleaseError, UnknownSeriesError
from ratchet.contracts.release import KEYS, NAME_OFFSETS, STATISTICS, issue_folder, series_key
from ratchet.register.pyfunc import _load_pyfunc

HOUR = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    write_release(tmp_path, workload="w", release_id="one", data_hour=HOUR)
    return tmp_path


def ask(folder, *rows):
    return _load_pyfunc(str(folder)).predict(pd.DataFrame(rows, columns=["unique_id", "target", "horizon"]))


def test_rows_come_back_in_order_with_the_arrays_own_numbers(folder):
    rows = [("b", "y", 3), ("a", "x", 1), ("b", "y", 1)]
    answer = ask(folder, *rows)
    assert list(answer[["unique_id", "target", "horizon"]].itertuples(index=False, name=None)) == rows
    keys = list(np.load(folder / KEYS))
    for statistic in STATISTICS:
        array = np.load(folder / issue_folder(1) / f"{statistic}.npy")
        expected = [array[keys.index(series_key(unique_id, target)), week - 1] for unique_id, target, week in rows]
        assert answer[statistic].tolist() == expected


def test_the_newest_issue_answers(folder):
    (folder / issue_folder(2)).mkdir()
    for path in (folder / issue_folder(1)).iterdir():
        (folder / issue_folder(2) / path.name).write_bytes(path.read_bytes())
    np.save(folder / issue_folder(2) / "median.npy", np.full((4, 3), 7, dtype=np.float32))
    assert ask(folder, ("a", "x", 2))["median"].tolist() == [7]


def test_name_offsets_need_not_end_with_the_end(folder):
    np.save(folder / NAME_OFFSETS, np.load(folder / NAME_OFFSETS)[:-1])
    assert len(ask(folder, *[(unique_id, target, 1) for unique_id in "ab" for target in "xy"])) == 4


def test_an_index_of_any_kind_is_no_hindrance(folder):
    frame = pd.DataFrame({"unique_id": ["a"], "target": ["x"], "horizon": [1]}, index=["some label"])
    assert _load_pyfunc(str(folder)).predict(frame)["median"].notna().all()


def test_an_unknown_series_is_named(folder):
    with pytest.raises(UnknownSeriesError, match="no x of c"):
        ask(folder, ("a", "x", 1), ("c", "x", 1))


def test_a_key_alone_is_not_enough(folder):
    """Two names with one key are told apart by the name."""
    keys = np.load(folder / KEYS)
    keys[0] = series_key("c", "x")
    np.save(folder / KEYS, np.sort(keys))
    with pytest.raises(UnknownSeriesError):
        ask(folder, ("c", "x", 1))


@pytest.mark.parametrize("horizon", [0, -1, 4])
def test_weeks_outside_the_release_are_refused(folder, horizon):
    with pytest.raises(ReleaseError, match="between 1 and 3"):
        ask(folder, ("a", "x", horizon))


def test_a_folder_without_an_issue_is_refused(tmp_path):
    with pytest.raises(ReleaseError, match="no issue"):
        _load_pyfunc(str(tmp_path))
