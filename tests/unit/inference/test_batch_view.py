"""`predict/batch` says of many what `predict` says of one, and keeps the wrong ones from spoiling the right ones."""

import csv
import io

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import tables
from ratchet.serve.many import render_rows

SERIES = [("north/a", "sent"), ("south/ä", "lost"), ("north/b", "sent")]


def ask(house, items, key="rk_p", **headers):
    return house.client.post("/api/parcels/predict/batch", json={"items": items}, headers={"X-API-Key": key, **headers})


def ask_csv(house, text, **headers):
    body = text.encode() if isinstance(text, str) else text
    headers = {"X-API-Key": "rk_p", "Content-Type": "text/csv", **headers}
    return house.client.post("/api/parcels/predict/batch", data=body, headers=headers)


def test_each_item_gets_what_a_single_question_gets(house):
    items = [{"depot": depot, "target": target, "horizon": 1 + n * 4} for n, (depot, target) in enumerate(SERIES)]
    body = ask(house, items).get_json()
    assert (body["answered"], body["failed"]) == (3, 0)
    for item, result in zip(items, body["results"], strict=True):
        single = house.predict(item).get_json()
        assert result.pop("prediction_id") != single.pop("prediction_id")
        assert result == single


@pytest.mark.parametrize(
    "item",
    [
        3,
        [],
        {"depot": "no/where", "target": "sent"},
        {"depot": "north/a", "target": "received", "horizon": "4"},
        {"depot": "new/one", "target": "sent", "history": [-1]},
        {"depot": "new/one", "target": "sent", "history": [{"week": "2026-11-03", "value": 1}]},
    ],
    ids=["a number", "a list", "unknown", "two wrong fields", "a wrong count", "a wrong day"],
)
def test_what_is_wrong_with_an_item_is_said_as_of_a_single_question(house, item):
    single = house.predict(orjson.dumps(item)).get_json()
    assert single.pop("request_id")
    assert ask(house, [item]).get_json()["results"] == [single]


@pytest.mark.parametrize("can_be_posted", [True, False])
def test_whoever_asks_for_what_is_not_known_is_told_the_ways_on_in_the_same_words_everywhere(house, can_be_posted):
    house.load(2, **({} if can_be_posted else {"posted": None}))
    unknown = {"depot": "no/where", "target": "sent"}
    told = house.predict(unknown).get_json()["detail"]
    [in_batch] = ask(house, [unknown]).get_json()["results"]
    [in_table] = csv.DictReader(io.StringIO(ask_csv(house, "depot,target\nno/where,sent\n", Accept="text/csv").text))
    assert (in_batch["detail"], in_table["problem"]) == (told, f"unknown-series: {told}")
    assert house.get(told.split("GET ")[1].split()[0]).get_json()["total"] == 6
    assert ("`history`" in told) == can_be_posted
    if can_be_posted:
        assert house.predict({**unknown, "history": [1, 2, 3]}).status_code == 200


def test_rounding_many_is_rounding_each(house):
    opened = house.slot.current.opened
    figures = np.random.default_rng(1).gamma(0.3, 4000, (6, 12)).astype(np.float32)
    figures[0] = [0.0005, 0.0015, 0.0625, 0.1875, 1e-9, 1e6 + 0.0625, 3.4e7, 0, 2.5e-4, 99.9995, 1 / 3, 2 / 3]
    object.__setattr__(opened, "statistics", tuple(figures + n for n in range(6)))
    horizons = [12, 1, 5, 12, 8, 2]
    many = list(render_rows(opened, list(range(6)), horizons))
    names = [opened._name(row).split("\x1f") for row in range(6)]
    assert many == [orjson.dumps(opened.forecast(*name, weeks)) for name, weeks in zip(names, horizons, strict=True)]


def test_a_wrong_item_gets_its_own_problem(house):
    items = [
        {"depot": "north/a", "target": "sent"},
        {"depot": "nowhere", "target": "sent"},
        {"depot": "north/a", "target": "found"},
        "north/a",
        None,
    ]
    answer = ask(house, items)
    body = answer.get_json()
    assert answer.status_code == 200
    assert (body["answered"], body["failed"]) == (1, 4)
    _, unknown, *invalid = body["results"]
    assert (unknown["type"], unknown["status"]) == ("/problems/unknown-series", 404)
    assert {problem["type"] for problem in invalid} == {"/problems/invalid-request"}
    assert invalid[0]["errors"][0]["field"] == "target"
    assert len(house.log.records) == 1


def test_a_batch_of_wrong_histories_is_answered_in_less_than_its_own_size(house):
    items = [{"depot": "new", "target": "sent", "history": [{}] * 5000}] * 20
    answer = ask(house, items)
    assert answer.get_json()["failed"] == 20
    assert [error["field"] for error in answer.get_json()["results"][7]["errors"]] == [
        "history.0.week",
        "history.0.value",
    ]
    assert len(answer.data) < 20_000


def test_every_forecast_of_a_batch_is_in_the_log_and_counted(house):
    body = ask(house, [{"depot": depot, "target": target} for depot, target in SERIES]).get_json()
    one = house.predict().get_json()
    *logged, single = house.log.records
    assert [record["prediction_id"] for record in logged] == [result["prediction_id"] for result in body["results"]]
    assert [record["weeks"] for record in logged] == [result["weeks"] for result in body["results"]]
    assert {frozenset(record) for record in logged} == {frozenset(single)}
    assert single["prediction_id"] == one["prediction_id"]
    labels = {"workload": "parcels", "track": "production", "release": "BO1"}
    assert house.registry.get_sample_value("ratchet_forecasts_total", {**labels, "target": "sent"}) == 3
    assert house.registry.get_sample_value("ratchet_forecasts_total", {**labels, "target": "lost"}) == 1


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_holds_one_to_a_thousand_items(house, count):
    answer = ask(house, [{"depot": "north/a", "target": "sent"}] * count)
    assert answer.status_code == 422
    assert str(count) in answer.get_json()["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"{", 400), (b"[]", 422), (b"{}", 422), (b'{"items": 5}', 422), (b'{"items": [], "x": 1}', 422)],
)
def test_what_is_no_batch_is_refused_as_a_whole(house, body, status):
    answer = house.client.post("/api/parcels/predict/batch", data=body, headers={"X-API-Key": "rk_p"})
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


@pytest.mark.parametrize("depth", [300, 100_000])
def test_json_too_deep_is_refused(house, depth):
    body = b'{"items": ' + b"[" * depth + b"]" * depth + b"}"
    answer = house.client.post("/api/parcels/predict/batch", data=body, headers={"X-API-Key": "rk_p"})
    assert answer.status_code == 400


def test_csv_in_and_csv_out(house):
    text = "depot,target,horizon\r\nnorth/a,sent,2\r\nsouth/ä,lost,\r\nnowhere,sent,1\r\nnorth/b,sent,x\r\n"
    answer = ask_csv(house, text, Accept="text/csv")
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True), newline="")))
    single = house.predict({"depot": "north/a", "target": "sent", "horizon": 2}).get_json()["weeks"]
    assert [{name: row[name] for name in ("week", "mean", "hi_95")} for row in rows[:2]] == [
        {name: str(week[name]) for name in ("week", "mean", "hi_95")} for week in single
    ]
    assert [row["depot"] for row in rows] == ["north/a"] * 2 + ["south/ä"] * 8 + ["nowhere", "north/b"]
    assert rows[-2]["problem"].startswith("unknown-series: ")
    assert rows[-1]["problem"].startswith("invalid-request: horizon")
    assert rows[0]["prediction_id"] == house.log.records[0]["prediction_id"]


def test_a_page_of_series_as_csv_is_a_batch_of_questions(house):
    page = house.client.get("/api/parcels/series?limit=4&offset=1", headers={"X-API-Key": "rk_p", "Accept": "text/csv"})
    listed = [tuple(one.values()) for one in house.get("/api/parcels/series?limit=4&offset=1").get_json()["series"]]
    assert (page.mimetype, page.text.splitlines()[0], len(listed)) == ("text/csv", "depot,target", 4)
    body = ask_csv(house, page.text).get_json()
    assert [(one["depot"], one["target"]) for one in body["results"]] == listed
    assert body["failed"] == 0


def test_csv_in_may_be_json_out(house):
    body = ask_csv(house, "target,depot\nsent,north/a\n").get_json()
    assert body["results"][0]["depot"] == "north/a"


def test_rows_that_a_spreadsheet_left_empty_are_no_questions(house):
    """It writes one for each that ever had a cell, with nothing but commas; they do not count towards the thousand."""
    answer = ask_csv(house, "depot,target,horizon\n" + "north/a,sent,1\n" * 1000 + ",,\n   \n\n ,,\n").get_json()
    assert (answer["answered"], answer["failed"]) == (1000, 0)


def test_spaces_after_commas_are_nobodys_names(house):
    for text in ("depot, target, horizon\nnorth/a, sent, 2\n", 'depot, target, horizon\n"north/a", "sent", "2"\n'):
        [result] = ask_csv(house, text).get_json()["results"]
        assert (result["depot"], len(result.get("weeks", ()))) == ("north/a", 2)


def test_a_row_with_more_cells_than_the_header_is_told_so_beside_what_it_asks(house):
    text = ask_csv(house, "depot,target\nnorth/a,sent,3\n", Accept="text/csv").text
    [row] = csv.DictReader(io.StringIO(text))
    problem = "invalid-request: a cell without a column: Extra inputs are not permitted"
    assert (row["depot"], row["target"], row["problem"]) == ("north/a", "sent", problem)


def test_another_separator_is_told_which_one_is_wanted(house):
    assert "separated by commas" in ask_csv(house, "depot;target\nnorth/a;sent\n").get_json()["detail"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "depot\nnorth/a\n",
        "depot,target,colour\n",
        "depot,target,target\n",
        b"depot,target\n\xff",
        'depot,target\n"a',
    ],
)
def test_odd_csv_is_refused_as_a_whole(house, text):
    assert ask_csv(house, text).status_code == 422


@given(
    st.lists(
        st.tuples(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"), min_size=1))
    )
)
def test_any_text_survives_csv(pairs):
    text = io.StringIO(newline="")
    rows = csv.writer(text, quoting=csv.QUOTE_ALL)
    rows.writerows([("depot", "target"), *pairs])
    found = tables.read(text.getvalue().encode(), id_name="depot")
    assert found == [{"depot": depot, "target": target} for depot, target in pairs]
    refused = [{"type": "/problems/x", "detail": "y"}] * len(pairs)
    back = list(csv.DictReader(io.StringIO(tables.write(refused, found, id_name="depot"), newline="")))
    assert [(row["depot"], row["target"]) for row in back] == pairs


def test_a_batch_counts_as_one_request_and_leaves_the_latency_of_single_forecasts_alone(house):
    ask(house, [{"depot": "north/a", "target": "sent"}] * 30)
    ask(house, [])
    assert (house.requests("200"), house.requests("422")) == (1, 1)
    labels = {"workload": "parcels", "track": "production", "release": "BO1"}
    assert house.registry.get_sample_value("ratchet_request_seconds_count", labels) == 0


KNOWN = {"depot": "north/a", "target": "sent", "horizon": 3}


def without_ids(results):
    return [{name: said for name, said in one.items() if name != "prediction_id"} for one in results]


def test_what_was_said_once_is_said_again_under_another_id_and_logged_again(house):
    single = house.predict(KNOWN).get_json()
    items = [{**KNOWN, "depot": depot} for depot in ("north/a", "north/b", "north/a")]
    for _ in range(2):
        first, other, last = ask(house, items).get_json()["results"]
        assert without_ids([first, last]) == without_ids([single, single])
        assert other["weeks"] != first["weeks"]
    assert len({record["prediction_id"] for record in house.log.records}) == 7
    assert [record["unique_id"] for record in house.log.records[-3:]] == ["north/a", "north/b", "north/a"]


@pytest.mark.parametrize(
    "odd",
    [
        {**KNOWN, "horizon": True},
        {**KNOWN, "horizon": 3.0},
        {**KNOWN, "target": ["sent"]},
        {"depot": "north/a", "target": "sent"},
        {"depot": "north/a", "target": "sent", "levels": [80]},
        {**KNOWN, "statistic": "mean"},
        {**KNOWN, "history": [1, 2, 3]},
        {"target": "sent", "horizon": 3, "depot": "north/a"},
        [],
        "depot",
        None,
    ],
    ids=repr,
)
def test_an_item_that_resembles_one_that_was_answered_is_judged_by_itself(house, odd):
    fresh = ask(house, [odd]).get_json()["results"]
    ask(house, [KNOWN, {**KNOWN, "horizon": 1}])
    assert without_ids(ask(house, [odd]).get_json()["results"]) == without_ids(fresh)
    assert without_ids(ask(house, [KNOWN, odd, KNOWN]).get_json()["results"])[1:2] == without_ids(fresh)


def test_another_release_says_other_things_of_the_same_items(house):
    before, again = (ask(house, [KNOWN]).get_json()["results"][0] for _ in range(2))
    house.load(2)
    after = ask(house, [KNOWN]).get_json()["results"][0]
    assert before["weeks"] == again["weeks"] != after["weeks"]
    assert (before["release"], after["release"]) == ("BO1", "BO2")
