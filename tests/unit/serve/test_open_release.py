import itertools
import json
import shutil
import time

import numpy as np
import pytest

from ratchet.contracts.errors import ReleaseError, UnknownSeriesError
from ratchet.contracts.release import CARD, KEYS, NAMES, series_key, series_name, split_name
from ratchet.serve import release as serve_release
from ratchet.serve.release import open_release
from releases import DATA_HOUR, issue_again, make_release


@pytest.fixture
def folder(tmp_path):
    make_release(tmp_path / "r1")
    return tmp_path / "r1"


def test_a_forecast_has_the_weeks_and_figures_that_were_written(folder):
    weeks = open_release(folder, verify=True).forecast("north/b", "lost", 2)
    assert weeks == [
        {"week": "2026-11-08", "mean": 15.5, "median": 15, "lo_80": 14, "hi_80": 16, "lo_95": 13, "hi_95": 17.25},
        {"week": "2026-11-15", "mean": 16.5, "median": 16, "lo_80": 15, "hi_80": 17, "lo_95": 14, "hi_95": 18.25},
    ]


def test_every_series_is_found_and_answers_with_its_own_figures(tmp_path):
    ids = tuple(f"depot/{number}" for number in range(200))
    make_release(tmp_path / "many", ids=ids)
    opened = open_release(tmp_path / "many", verify=True)
    for number, unique_id in enumerate(ids):
        assert opened.forecast(unique_id, "lost", 1)[0]["median"] == 10 + 2 * number + 1 + 2


@pytest.mark.parametrize(
    ("unique_id", "target"),
    [("north/c", "sent"), ("north/a", "found"), ("", "sent"), ("north/a\x1fsent", ""), ("NORTH/A", "sent")],
)
def test_an_unknown_series_is_named(folder, unique_id, target):
    with pytest.raises(UnknownSeriesError, match="no forecast for"):
        open_release(folder, verify=True).forecast(unique_id, target, 1)


def test_a_series_that_only_shares_the_key_is_not_answered(folder, monkeypatch):
    known = series_key("north/a", "sent")
    monkeypatch.setattr(serve_release, "series_key", lambda *_: known)
    with pytest.raises(UnknownSeriesError):
        open_release(folder, verify=True).forecast("somebody/else", "sent", 1)


def test_series_are_listed_by_name_and_paged(folder):
    opened = open_release(folder, verify=True)
    page = opened.series(limit=2, offset=1)
    assert page.total == 6
    assert page.series == (("north/a", "sent"), ("north/b", "lost"))
    assert opened.series(offset=99).series == ()


@pytest.mark.parametrize(
    ("search", "total"),
    [
        pytest.param("NORTH", 4, id="any case"),
        pytest.param("th/", 6, id="anywhere in the id"),
        pytest.param("sent", 0, id="never in the target"),
        pytest.param("/bs", 0, id="never across two names"),
        pytest.param("ä", 2, id="more than ASCII"),
        pytest.param(".*", 0, id="no pattern"),
    ],
)
def test_search_looks_into_ids(folder, search, total):
    assert open_release(folder, verify=True).series(search=search).total == total


def test_search_finds_a_name_after_one_that_ends_with_half_a_hit(tmp_path):
    make_release(tmp_path / "r", ids=("xaa", "aab", "zzz"))
    found = open_release(tmp_path / "r", verify=True).series(search="aa")
    assert {unique_id for unique_id, _ in found.series} == {"xaa", "aab"}


def test_search_finds_what_looking_at_each_name_finds(tmp_path):
    ids = tuple("".join(letters) for size in range(1, 6) for letters in itertools.product("aAä/", repeat=size))
    make_release(tmp_path / "r", ids=ids)
    opened = open_release(tmp_path / "r", verify=False)
    assert len(opened.keys) > 2 * serve_release.SLICE
    for search in ("a", "aa", "ä", "Aä/", "/a/A/", "aaaaaa"):
        wanted = search.encode().lower()
        fitting = [
            series_name(one, target) for one in ids for target in ("sent", "lost") if wanted in one.encode().lower()
        ]
        found = opened.series(search=search, limit=len(ids) * 2)
        assert found.total == len(fitting)
        assert [series_name(*one) for one in found.series] == sorted(fitting)


def test_a_broad_search_costs_about_what_looking_at_each_name_costs(tmp_path):
    make_release(tmp_path / "r", ids=tuple(f"organisation-{n % 977}/repository-{n}" for n in range(10_000)))
    opened = open_release(tmp_path / "r", verify=False)
    opened.series()
    begin = time.process_time()
    assert opened.series(search="o").total == 20_000
    searched = time.process_time()
    assert sum("o" in split_name(opened._name(row))[0] for row in range(20_000)) == 20_000
    assert searched - begin < 3 * (time.process_time() - searched)


def test_what_a_release_says_of_itself(folder):
    opened = open_release(folder, verify=True)
    assert opened.data_hour == DATA_HOUR
    assert opened.card.id_name == "depot"
    opened.smoke()


def test_the_newest_issue_answers_unless_another_is_asked_for(folder):
    issue_again(folder, 2, add=0.5)
    assert open_release(folder, verify=True).forecast("north/a", "sent", 1)[0]["median"] == 12.5
    assert open_release(folder, verify=True, issue=1).forecast("north/a", "sent", 1)[0]["median"] == 12


def test_the_tenth_issue_is_newer_than_the_ninth(folder):
    for number in range(2, 11):
        issue_again(folder, number, add=float(number))
    assert open_release(folder, verify=True).forecast("north/a", "sent", 1)[0]["median"] == 22


def test_an_issue_without_checksums_is_refused(folder):
    shutil.copytree(folder / "forecasts" / "0001", folder / "forecasts" / "0002")
    with pytest.raises(ReleaseError, match="no checksum of forecasts/0002"):
        open_release(folder, verify=True)


@pytest.mark.parametrize("name", [CARD, KEYS, NAMES, "forecasts/0001/issue.json", "forecasts/0001/hi_95.npy"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ReleaseError, match=name.split("/")[-1] if name != "forecasts/0001/issue.json" else "no issue"):
        open_release(folder, verify=True)


@pytest.mark.parametrize("name", [KEYS, NAMES, "scores.json", "forecasts/0001/hi_95.npy"])
def test_one_flipped_bit_is_found_and_named(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ReleaseError, match=f"{name}: its SHA-256"):
        open_release(folder, verify=True)


@pytest.mark.parametrize("name", [KEYS, NAMES, "forecasts/0001/mean.npy", "forecasts/0001/issue.json"])
def test_a_truncated_file_is_refused_even_unverified(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ReleaseError, match=name.split("/")[-1]):
        open_release(folder, verify=False)


def test_figures_of_another_shape_are_refused(folder):
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps({**card, "horizon": 13}))
    with pytest.raises(ReleaseError, match=r"mean.npy: holds float32 \(6, 12\)"):
        open_release(folder, verify=True)


@pytest.mark.parametrize("value", [np.nan, -1.0, np.inf])
def test_the_smoke_forecast_refuses_what_is_no_forecast(folder, value):
    path = folder / "forecasts" / "0001" / "mean.npy"
    np.save(path, np.full_like(np.load(path), value))
    with pytest.raises(ReleaseError, match="is no forecast"):
        open_release(folder, verify=False).smoke()


def test_the_smoke_forecast_refuses_keys_of_other_names(folder):
    np.save(folder / KEYS, np.arange(6, dtype=np.uint64))
    with pytest.raises(ReleaseError, match="do not belong together"):
        open_release(folder, verify=False).smoke()


def test_series_names_keep_their_parts_apart():
    assert series_name("a", "b") != series_name("ab", "")
