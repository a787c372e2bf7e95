from datetime import date

import pytest

from ratchet.contracts.ports import Track
from ratchet.serve.prediction_ids import mint
from releases import DATA_HOUR


@pytest.fixture
def prediction_id(house):
    answer = house.predict(X_User_Id="ann").get_json()["prediction_id"]
    house.log.records.clear()
    return answer


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ({"kind": "rating", "value": 4}, 4),
        ({"kind": "accurate", "value": False}, False),
        ({"kind": "actual", "week": "2026-11-08", "value": 12}, {"week": date(2026, 11, 8), "value": 12.0}),
        ({"kind": "comment", "value": "gut, 👍"}, "gut, 👍"),
    ],
)
def test_feedback_of_every_kind_is_kept(house, prediction_id, said, value):
    answer = house.feedback({"prediction_id": prediction_id, **said}, X_User_Id="ann")
    assert answer.status_code == 202
    assert answer.get_json() == {"prediction_id": prediction_id, "kind": said["kind"], "status": "accepted"}
    [record] = house.log.records
    assert record == {
        "record": "feedback",
        "prediction_id": prediction_id,
        "kind": said["kind"],
        "client": record["client"],
        "workload": "parcels",
        "value": value,
        "at": DATA_HOUR,
    }


def test_either_track_takes_it_and_counts_it_for_the_one_that_answered(candidate, prediction_id):
    answer = candidate.feedback({"prediction_id": prediction_id, "kind": "rating", "value": 2})
    assert answer.status_code == 202
    assert answer.headers["X-Track"] == "candidate"
    of_answering = {"workload": "parcels", "track": "production", "release": "BO1"}
    assert candidate.registry.get_sample_value("ratchet_feedback_ratings_sum", of_answering) == 2


def test_feedback_needs_no_loaded_release(house, prediction_id):
    house.slot.current = None
    assert house.feedback({"prediction_id": prediction_id, "kind": "rating", "value": 5}).status_code == 202


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"kind": "rating", "value": 0}, "value"),
        ({"kind": "rating", "value": 6}, "value"),
        ({"kind": "rating", "value": "5"}, "value"),
        ({"kind": "rating", "value": 4.5}, "value"),
        ({"kind": "rating", "value": True}, "value"),
        ({"kind": "rating"}, "value"),
        ({"kind": "accurate", "value": 1}, "value"),
        ({"kind": "actual", "value": 5}, "week"),
        ({"kind": "actual", "week": "2026-11-08", "value": -1}, "value"),
        ({"kind": "actual", "week": "2026-11-08", "value": 1e20}, "value"),
        ({"kind": "comment", "value": ""}, "value"),
        ({"kind": "comment", "value": "x" * 2001}, "value"),
        ({"kind": "comment", "value": "a\x00b"}, "value"),
        ({"kind": "praise", "value": 1}, "kind"),
        ({"value": 1}, "kind"),
        ({"kind": "rating", "value": 1, "more": 1}, "more"),
        ({"kind": "rating", "value": 1, "rating": 1}, "rating"),
        ({"kind": "rating", "value": 1, "list[x]": 1}, "list[x]"),
    ],
)
def test_what_is_wrong_with_feedback_is_named_by_field(house, prediction_id, said, field):
    answer = house.feedback({"prediction_id": prediction_id, **said})
    assert answer.status_code == 422
    assert field in {error["field"] for error in answer.get_json()["errors"]}
    assert house.log.records == []


def test_feedback_without_a_kind_is_told_so_without_the_words_of_a_library(house, prediction_id):
    assert house.feedback({"prediction_id": prediction_id, "value": 1}).get_json()["detail"] == "kind: Field required"


def test_a_comment_that_is_too_long_is_told_so_in_characters(house, prediction_id):
    answer = house.feedback({"prediction_id": prediction_id, "kind": "comment", "value": "x" * 2001})
    assert answer.get_json()["detail"] == "value: String should have at most 2000 characters"


def test_a_long_word_is_not_repeated_in_full(house, prediction_id):
    answer = house.feedback({"prediction_id": prediction_id, "kind": "x" * 10_000, "value": 1})
    assert answer.status_code == 422
    assert len(answer.data) < 1000


def test_a_forged_id_is_unknown(house, prediction_id):
    forged = ("B" if prediction_id[0] == "A" else "A") + prediction_id[1:]
    other = mint(b"another secret", DATA_HOUR, workload="parcels", track=Track.PRODUCTION, release="BO1")
    renamed = prediction_id.replace(".BO1", ".BO2")
    for made_up in (forged, other, renamed):
        answer = house.feedback({"prediction_id": made_up, "kind": "rating", "value": 5})
        assert (answer.status_code, answer.get_json()["type"]) == (404, "/problems/unknown-prediction")
    assert house.log.records == []


def test_an_id_of_another_workload_is_unknown(house, prediction_id):
    answer = house.feedback({"prediction_id": prediction_id, "kind": "rating", "value": 5}, workload="letters")
    assert answer.status_code == 404


@pytest.mark.parametrize("made_up", ["", "x", "1" * 300, "ä" * 44 + ".p.BO1", 5, None])
def test_a_malformed_id_is_invalid(house, made_up):
    answer = house.feedback({"prediction_id": made_up, "kind": "rating", "value": 5})
    assert (answer.status_code, answer.get_json()["type"]) == (422, "/problems/invalid-request")


def test_feedback_that_cannot_be_kept_is_not_accepted(house, prediction_id):
    house.log.full = True
    answer = house.feedback({"prediction_id": prediction_id, "kind": "rating", "value": 5})
    assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems/log-full")


def test_the_same_client_is_the_same_in_both_logs(house):
    prediction_id = house.predict(X_User_Id="ann").get_json()["prediction_id"]
    house.feedback({"prediction_id": prediction_id, "kind": "rating", "value": 5}, X_User_Id="ann")
    forecast, feedback = house.log.records
    assert forecast["client"] == feedback["client"]
