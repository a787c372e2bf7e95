"""The data behind the forecasts, from real Parquet files."""

import gc
import tracemalloc
from dataclasses import replace

import pytest
from houses import House

from gold import publish
from inference import create_app
from ratchet.observe.gold_tables import GoldTables


@pytest.fixture
def library(tmp_path):
    house = House(tmp_path)
    house.load()
    publish(tmp_path)
    house.app = create_app(replace(house.service, gold=GoldTables(tmp_path)))
    house.client = house.app.test_client()
    house.ask = lambda path, key="rk_o": house.get(f"/api/parcels/{path}", key=key)
    return house


def test_tables_with_what_is_said_of_them(library):
    found = library.ask("tables").get_json()
    assert (found["last_week"], found["series"], found["synthetic"], found["quality"]) == ("2026-11-01", 2, True, None)
    busy = found["tables"][0]
    assert (busy["name"], busy["description"], busy["rows"]) == ("busy_depots", "The busiest depots.", 3)
    assert [(one["name"], one["description"]) for one in busy["columns"]] == [
        ("name", ""),
        ("events", "How many."),
        ("parts", ""),
    ]


def test_a_page_of_rows_in_an_order(library):
    page = library.ask("tables/rows?table=busy_depots&order=events&limit=2").get_json()
    assert page["total"] == 3
    assert page["rows"] == [{"name": "b", "events": 3, "parts": None}, {"name": "c", "events": 2, "parts": []}]
    rest = library.ask("tables/rows?table=busy_depots&order=events&down=false&offset=2").get_json()
    assert rest["rows"][0]["name"] == "b"


def test_groups_are_over_all_rows_and_not_over_a_page_of_them(library):
    found = library.ask("tables/groups?table=series&by=unique_id,target&measure=y&limit=1").get_json()
    assert (found["total"], found["groups"]) == (2, [{"unique_id": "north/a", "target": "sent", "value": 12.0}])
    most = library.ask("tables/groups?table=series&by=unique_id&measure=y&how=max").get_json()["groups"]
    assert [one["value"] for one in most] == [7.0, 1.0]
    of_x = library.ask("tables/groups?table=series&by=target&measure=y&only=unique_id&holds=x").get_json()["groups"]
    assert of_x == [{"target": "sent", "value": 1.0}]


@pytest.mark.parametrize(
    ("path", "status", "slug"),
    [
        ("tables/rows?table=none", 404, "unknown-table"),
        ("tables/rows?table=busy_depots&order=1%3BDROP", 404, "unknown-table"),
        ("tables/rows?table=..%2Fseries", 422, "invalid-request"),
        ("tables/groups?table=none&by=name&measure=events", 404, "unknown-table"),
        ("tables/groups?table=busy_depots&by=name,place&measure=events", 404, "unknown-table"),
        ("tables/groups?table=busy_depots&by=events&measure=name", 404, "unknown-table"),
        ("tables/groups?table=busy_depots&by=name&measure=events&only=place", 404, "unknown-table"),
        ("tables/groups?table=busy_depots&by=name,name&measure=events", 422, "invalid-request"),
        ("tables/groups?table=busy_depots&by=name&measure=events&how=median", 422, "invalid-request"),
        ("tables/rows?table=busy_depots&limit=1001", 422, "invalid-request"),
        ("series/detail?unique_id=nobody&target=sent", 404, "unknown-series"),
    ],
)
def test_what_is_not_there_is_named(library, path, status, slug):
    answer = library.ask(path, "rk_p" if path.startswith("series") else "rk_o")
    assert (answer.status_code, answer.get_json()["type"]) == (status, f"/problems/{slug}")


def test_whoever_looks_for_a_series_that_is_not_there_is_told_where_they_are_listed(library):
    detail = library.ask("series/detail?unique_id=nobody&target=sent", "rk_p").get_json()["detail"]
    assert ("GET /api/parcels/series lists" in detail, "history" in detail) == (True, False)


def test_a_series_with_its_history_oldest_first(library):
    found = library.ask("series/detail?unique_id=north/a&target=sent&weeks=5", "rk_p").get_json()
    assert found["history"] == [{"week": "2026-10-25", "value": 5.0}, {"week": "2026-11-01", "value": 7.0}]
    assert (found["depot"], found["family"], found["families"]) == ("north/a", "seasonal_naive", {})
    assert (found["mase"], found["scores"], found["explained"]) == ({}, {}, {})


def test_a_user_sees_series_and_no_tables(library):
    assert library.ask("tables", "rk_p").status_code == 403
    assert library.ask("release/scores", "rk_p").get_json()["series"] == []
    assert library.ask("series/detail?unique_id=north/a&target=sent", None).status_code == 401


def scored(level, count=1):
    ids = ("north/a", "south/ä", *(f"depot/{number}" for number in range(count)))
    mase = dict.fromkeys(("seasonal_naive", "theta", "ets"), level)
    told = {"farima": {"d": 0.31, "d_error": level / 100}}
    of_one = {"family": "seasonal_naive", "size": "mid", "mase": mase, "scores": {"mae": level}, "explained": told}
    return [{"unique_id": unique_id, "target": "sent", **of_one} for unique_id in ids]


def test_scores_are_of_the_release_that_answers(library):
    for version in (2, 3):
        library.load(version, series=scored(float(version)))
        found = library.ask("release/scores?limit=1&order=best", "rk_p").get_json()
        [best] = found["series"]
        assert (found["release"], best["family"], best["mase"]) == (f"BO{version}", "seasonal_naive", version)
        detail = library.ask("series/detail?unique_id=south/ä&target=sent", "rk_p").get_json()
        assert detail["mase"] == {"seasonal_naive": version, "theta": version, "ets": version}
        assert detail["scores"] == {"mae": version}
        assert detail["explained"] == {"farima": {"d": 0.31, "d_error": version / 100}}


def test_scores_of_earlier_releases_are_not_kept(library):
    kept = []
    tracemalloc.start()
    try:
        for version in range(2, 5):
            library.load(version, series=scored(float(version), 500))
            assert library.ask("release/scores", "rk_p").status_code == 200
            gc.collect()
            kept.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert kept[-1] - kept[0] < 500_000


def test_no_gold_is_said(tmp_path):
    house = House(tmp_path)
    house.load()
    house.app = create_app(replace(house.service, gold=GoldTables(tmp_path / "elsewhere")))
    house.client = house.app.test_client()
    answer = house.get("/api/parcels/tables", key="rk_o")
    assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems/no-gold")
