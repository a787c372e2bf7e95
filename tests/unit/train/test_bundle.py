import json
import resource
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from ratchet.contracts import release
from ratchet.contracts.errors import ReleaseError
from ratchet.contracts.release import Card, file_digest, issue_folder, series_key, series_name
from ratchet.train import bundle

NAMES = tuple(series_name(f"thing/{row}ü", target) for row in range(40) for target in ("visits", "sales"))


@pytest.fixture
def content():
    card = Card(
        release_id="20260601T03-00000000",
        workload="simulated",
        id_name="thing",
        targets=("visits", "sales"),
        horizon=5,
        data_hour=datetime(2026, 6, 1, 3, tzinfo=UTC),
        code_version="1",
        recipe=("ets", "seasonal_naive"),
        series=len(NAMES),
        synthetic=True,
        families={"ets": 40, "seasonal_naive": 40},
    )
    base = np.arange(len(NAMES) * 5.0).reshape(len(NAMES), 5)
    return bundle.Content(
        card=card,
        names=NAMES,
        family=np.arange(len(NAMES)) % 2,
        forecasts={name: base + index * 1000 for index, name in enumerate(release.STATISTICS)},
        first_week=date(2026, 6, 7),
        series=[{"unique_id": "x"}],
    )


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_series_is_found_by_its_key_with_its_name_family_and_forecasts(content, tmp_path):
    bundle.write(content, tmp_path / "r")
    keys = np.load(tmp_path / "r" / release.KEYS, mmap_mode="r")
    offsets = np.load(tmp_path / "r" / release.NAME_OFFSETS, mmap_mode="r")
    names = (tmp_path / "r" / release.NAMES).read_bytes()
    family = np.load(tmp_path / "r" / release.FAMILY, mmap_mode="r")
    issue = tmp_path / "r" / issue_folder(1)
    arrays = {name: np.load(issue / f"{name}.npy", mmap_mode="r") for name in release.STATISTICS}
    assert keys.dtype == np.uint64
    assert family.dtype == np.uint8
    assert (np.diff(keys) > 0).all()
    for row, name in enumerate(NAMES):
        at = int(np.searchsorted(keys, np.uint64(series_key(*release.split_name(name)))))
        assert names[offsets[at] : offsets[at + 1]].decode() == name
        assert family[at] == row % 2
        for statistic, array in arrays.items():
            np.testing.assert_array_equal(array[at], content.forecasts[statistic][row].astype(np.float32))
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in arrays.values())


def test_the_issue_says_its_data_hour_first_week_and_horizon(content, tmp_path):
    bundle.write(content, tmp_path / "r")
    issue = json.loads((tmp_path / "r" / issue_folder(1) / release.ISSUE).read_bytes())
    assert issue == {"data_hour": "2026-06-01T03:00:00+00:00", "first_week": "2026-06-07", "horizon": 5}


def test_the_card_has_the_checksum_of_every_other_file(content, tmp_path):
    card = bundle.write(content, tmp_path / "r")
    others = set(files(tmp_path / "r")) - {release.CARD}
    assert card.checksums == {name: file_digest(tmp_path / "r" / name) for name in others}
    assert Card.from_json((tmp_path / "r" / release.CARD).read_bytes()) == card
    assert bundle.find(tmp_path / "r") == card


def test_the_same_content_gives_the_same_bytes(content, tmp_path):
    bundle.write(content, tmp_path / "one")
    bundle.write(content, tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_series_that_share_a_key_are_refused_and_nothing_is_left(content, tmp_path):
    twins = replace(content, names=(NAMES[1], *NAMES[1:]))
    with pytest.raises(ReleaseError, match="share a key"):
        bundle.write(twins, tmp_path / "r")
    assert list(tmp_path.iterdir()) == []


def test_a_crash_half_way_leaves_nothing(content, tmp_path):
    incomplete = replace(content, forecasts={"mean": content.forecasts["mean"]})
    with pytest.raises(KeyError):
        bundle.write(incomplete, tmp_path / "r")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_said_in_a_line_and_leaves_nothing(content, tmp_path):
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, usual[1]))
    try:
        with pytest.raises(ReleaseError, match="r cannot be written, is the disk full"):
            bundle.write(content, tmp_path / "r")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda folder: (folder / release.CARD).unlink(), id="no-card"),
        pytest.param(lambda folder: (folder / release.CARD).write_text("{"), id="half-a-card"),
        pytest.param(lambda folder: (folder / release.KEYS).unlink(), id="a-file-is-missing"),
        pytest.param(lambda folder: (folder / release.SCORES).write_text("other"), id="a-file-was-changed"),
    ],
)
def test_a_release_that_does_not_verify_is_not_found_and_is_replaced(spoil, content, tmp_path):
    bundle.write(content, tmp_path / "whole")
    bundle.write(content, tmp_path / "r")
    spoil(tmp_path / "r")
    assert bundle.find(tmp_path / "r") is None
    bundle.write(content, tmp_path / "r")
    assert files(tmp_path / "r") == files(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r", "whole"]


def test_a_release_that_another_process_wrote_meanwhile_stands(content, tmp_path):
    first = bundle.write(content, tmp_path / "r")
    inode = (tmp_path / "r").stat().st_ino
    assert bundle.write(content, tmp_path / "r") == first
    assert (tmp_path / "r").stat().st_ino == inode
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_others_may_read_a_release(content, tmp_path):
    bundle.write(content, tmp_path / "r")
    assert (tmp_path / "r").stat().st_mode & 0o055 == 0o055


def test_no_release_is_no_card(tmp_path):
    assert bundle.find(tmp_path / "nothing") is None
