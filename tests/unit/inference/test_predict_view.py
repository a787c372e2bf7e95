from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from ratchet.contracts.ports import Track
from ratchet.serve.prediction_ids import Minted, verify
from ratchet.serve.replay import issue_ticket
from releases import DATA_HOUR

SECRET = b"of the tests"


def test_a_forecast_says_what_it_is(house):
    answer = house.predict({"depot": "north/b", "target": "lost", "horizon": 2})
    body = answer.get_json()
    minted = verify(SECRET, body.pop("prediction_id"), workload="parcels")
    assert answer.status_code == 200
    assert minted == Minted(at=DATA_HOUR, track=Track.PRODUCTION, release="BO1")
    assert body == {
        "workload": "parcels",
        "depot": "north/b",
        "target": "lost",
        "track": "production",
        "release": "BO1",
        "release_id": "r1",
        "family": "seasonal_naive",
        "data_hour": "2026-11-02T05:00:00+00:00",
        "synthetic": False,
        "weeks": [
            {"week": "2026-11-08", "mean": 15.5, "median": 15, "lo_80": 14, "hi_80": 16, "lo_95": 13, "hi_95": 17.25},
            {"week": "2026-11-15", "mean": 16.5, "median": 16, "lo_80": 15, "hi_80": 17, "lo_95": 14, "hi_95": 18.25},
        ],
        "note": None,
    }


def test_eight_weeks_are_usual_and_the_releases_horizon_is_the_most(house):
    assert len(house.predict().get_json()["weeks"]) == 8
    assert len(house.predict({"depot": "north/a", "target": "sent", "horizon": 12}).get_json()["weeks"]) == 12


def test_one_statistic_may_be_enough(house):
    [week] = house.predict({"depot": "north/a", "target": "sent", "horizon": 1, "statistic": "mean"}).get_json()[
        "weeks"
    ]
    assert set(week) == {"week", "mean", "lo_80", "hi_80", "lo_95", "hi_95"}
    assert "median" in house.log.records[0]["weeks"][0], "the log keeps everything"


def test_synthetic_data_is_named_as_such(house):
    house.load(2, synthetic=True)
    body = house.predict().get_json()
    assert body["synthetic"] is True
    assert "synthetic" in body["note"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"target": "sent"}, "depot"),
        ({"depot": "", "target": "sent"}, "depot"),
        ({"depot": 5, "target": "sent"}, "depot"),
        ({"depot": "x" * 501, "target": "sent"}, "depot"),
        ({"unique_id": "north/a", "target": "sent"}, "unique_id"),
        ({"depot": "north/a"}, "target"),
        ({"depot": "north/a", "target": "found"}, "target"),
        ({"depot": "north/a", "target": "sent", "horizon": 0}, "horizon"),
        ({"depot": "north/a", "target": "sent", "horizon": 13}, "horizon"),
        ({"depot": "north/a", "target": "sent", "horizon": "8"}, "horizon"),
        ({"depot": "north/a", "target": "sent", "horizon": True}, "horizon"),
        ({"depot": "north/a", "target": "sent", "statistic": "mode"}, "statistic"),
        ({"depot": "north/a", "target": "sent", "colour": "red"}, "colour"),
        ([], "body"),
        (b"null", "body"),
    ],
)
def test_what_is_wrong_with_a_question_is_named_by_field(house, body, field):
    answer = house.predict(body)
    problem = answer.get_json()
    assert (answer.status_code, problem["type"]) == (422, "/problems/invalid-request")
    assert field in {error["field"] for error in problem["errors"]}
    assert house.log.records == []
    assert house.requests("422") == 1


DAY = "2026-11-01"


@pytest.mark.parametrize(
    ("history", "fields"),
    [
        (3, ["history"]),
        ([], ["history"]),
        (["a"], ["history.0", "history.0"]),
        ([1, -2, 3], ["history.1"]),
        pytest.param([1] * 5001, ["history"], id="too many numbers"),
        pytest.param([{"week": DAY, "value": 2}] * 5001, ["history"], id="too many weeks"),
        pytest.param([*[1] * 5000, -1], ["history"], id="too many, and the last one is wrong"),
        ([1, {"week": DAY, "value": 2}], ["history.1"]),
        ([{"week": DAY, "value": 2}, 1], ["history.1"]),
        ([{"week": "x", "value": -1}], ["history.0.week", "history.0.value"]),
        ([{"week": DAY, "value": 1, "list[x]": 2}], ["history.0.list[x]"]),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_history_is_named_as_it_was_written(house, history, fields):
    problem = house.predict({"depot": "me/mine", "target": "sent", "history": history}).get_json()
    assert [error["field"] for error in problem["errors"]] == fields
    assert "list[" not in problem["detail"].replace("list[x]", "")


def test_the_first_of_many_errors_are_named_and_the_others_counted(house):
    problem = house.predict(dict.fromkeys("abcdefghijkl", "red")).get_json()
    named = [error["field"] for error in problem["errors"]]
    assert named == ["depot", "target", *"abcdefgh"]
    assert problem["detail"].startswith("depot: Field required; target: Field required; a: ")
    assert problem["detail"].endswith("; and 11 more")


def test_an_error_answer_does_not_outgrow_its_question(house):
    for body in (
        {str(n): 1 for n in range(5000)},
        {"x" * 10_000: 1},
        {"depot": "x", "target": "sent", "history": [{}] * 5000},
    ):
        answer = house.predict(body)
        assert (answer.status_code, answer.get_json()["type"]) == (422, "/problems/invalid-request")
        assert len(answer.data) < 1000
    assert house.predict({str(n): 1 for n in range(5000)}).get_json()["detail"].startswith("5002 things")


@pytest.mark.parametrize("depot", ["x" * 501, "\x00" * 501], ids=["letters", "what no text may hold"])
def test_a_text_that_is_too_long_is_told_so_in_characters(house, depot):
    detail = house.predict({"depot": depot, "target": "sent"}).get_json()["detail"]
    assert detail == "depot: String should have at most 500 characters"


def test_what_is_wrong_is_said_without_the_words_of_a_library(house):
    assert house.predict({"depot": "a\x00", "target": "sent"}).get_json()["detail"] == (
        "depot: must not hold the character U+0000"
    )


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"depot": "north/a", "target": "sent"', b"[" * 5000])
def test_what_is_not_json_is_said_to_be_none(house, body):
    answer = house.predict(body)
    assert (answer.status_code, answer.get_json()["type"]) == (400, "/problems/malformed-json")


@pytest.mark.parametrize("depot", ["south/z", "north/a\x1fsent", "../../etc/passwd", "'; DROP TABLE x"])
def test_an_unknown_series_is_a_404(house, depot):
    answer = house.predict({"depot": depot, "target": "sent"})
    assert (answer.status_code, answer.get_json()["type"]) == (404, "/problems/unknown-series")
    assert house.requests("404") == 1


def test_an_unknown_workload_is_a_404_and_no_label(house):
    answer = house.predict(workload="made-up")
    assert (answer.status_code, answer.get_json()["type"]) == (404, "/problems/unknown-workload")
    assert b"made-up" not in house.get("/metrics").data


def test_a_workload_without_a_release_is_not_ready(house):
    answer = house.predict(workload="letters")
    assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems/not-ready")
    assert answer.headers["Retry-After"] == "2"


def test_every_answered_forecast_is_in_the_log_and_counted(house):
    answer = house.predict(
        X_Client_Key="user:ann", X_Assigned_Track="candidate", X_Request_ID="req-1", X_User_Id="somebody else"
    )
    [record] = house.log.records
    latency = record.pop("latency_ms")
    assert 0 < latency < 1000
    assert record.pop("weeks") == answer.get_json()["weeks"]
    assert record == {
        "record": "forecast",
        "prediction_id": answer.get_json()["prediction_id"],
        "at": DATA_HOUR.isoformat(),
        "workload": "parcels",
        "unique_id": "north/a",
        "target": "sent",
        "horizon": 8,
        "family": "seasonal_naive",
        "track": "production",
        "assigned": "candidate",
        "release": "BO1",
        "release_id": "r1",
        "client": record["client"],
        "request_id": "req-1",
        "data_hour": DATA_HOUR.isoformat(),
    }
    assert house.requests("200") == 1
    labels = {"workload": "parcels", "track": "production", "release": "BO1"}
    assert house.registry.get_sample_value("ratchet_forecasts_total", {**labels, "target": "sent"}) == 1
    assert house.registry.get_sample_value("ratchet_request_seconds_count", labels) == 1


def test_a_client_is_the_routers_else_the_user_else_the_key_and_never_in_clear(house):
    for headers in ({"X_Client_Key": "user:ann"}, {"X_User_Id": "ann"}, {"X_User_Id": "bob"}, {}):
        house.predict(**headers)
    by_router, ann, bob, by_key = [record["client"] for record in house.log.records]
    assert by_router == ann
    assert len({ann, bob, by_key}) == 3
    assert not {"ann", "bob"} & {part for client in (ann, bob) for part in client.split(":")}


def test_an_assignment_nobody_knows_is_not_logged(house):
    house.predict(X_Assigned_Track="elsewhere")
    assert house.log.records[0]["assigned"] is None


def test_a_full_log_costs_no_answer(house):
    house.log.full = True
    assert house.predict().status_code == 200


def test_a_swap_under_concurrent_requests_fails_none_and_mixes_none(house):
    with ThreadPoolExecutor(4) as pool:
        asked = [
            pool.submit(
                lambda: house.app.test_client().post(
                    "/api/parcels/predict", json={"depot": "north/a", "target": "sent"}, headers={"X-API-Key": "rk_p"}
                )
            )
            for _ in range(400)
        ]
        for version in range(2, 12):
            house.load(version)
        answers = [future.result() for future in asked]
    assert {answer.status_code for answer in answers} == {200}
    for answer in answers:
        body = answer.get_json()
        version = int(body["release"].removeprefix("BO"))
        assert body["release_id"] == f"r{version}"
        assert answer.headers["X-Release"] == body["release"]
        assert body["weeks"][0]["median"] == pytest.approx(10 * version + 2)


def test_a_replayed_request_is_answered_without_a_key_and_leaves_no_trace(house):
    before = house.requests("200")
    answer = house.predict(key=None, X_Replay=issue_ticket(SECRET, now=DATA_HOUR))
    assert (answer.status_code, house.log.records, house.requests("200")) == (200, [], before)


@pytest.mark.parametrize("ticket", ["1.x", "x.1", "9" * 30 + ".ab", issue_ticket(b"another secret", now=DATA_HOUR)])
def test_a_forged_ticket_is_no_key(house, ticket):
    assert house.predict(key=None, X_Replay=ticket).status_code == 401


@pytest.mark.parametrize("seconds", [-61, 61])
def test_a_ticket_is_good_for_a_minute(house, seconds):
    ticket = issue_ticket(SECRET, now=DATA_HOUR + timedelta(seconds=seconds))
    assert house.predict(key=None, X_Replay=ticket).status_code == 401


def test_a_ticket_opens_nothing_but_forecasts(house):
    assert (
        house.get("/api/parcels/experiments", key=None, X_Replay=issue_ticket(SECRET, now=DATA_HOUR)).status_code == 401
    )
