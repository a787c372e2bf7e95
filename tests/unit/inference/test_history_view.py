"""Posted histories: every odd one has an outcome with a name, and the answer says what it was made from."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

FIRST = date(2026, 11, 8)


def dated(*values, end=FIRST - timedelta(weeks=1), skip=()):
    weeks = [end - timedelta(weeks=len(values) - 1 - n) for n in range(len(values))]
    return [
        {"week": str(week), "value": value}
        for n, (week, value) in enumerate(zip(weeks, values, strict=True))
        if n not in skip
    ]


def ask(house, history, **more):
    return house.predict({"depot": "new/one", "target": "sent", "history": history, "horizon": 3, **more})


def test_an_unseen_series_is_answered_from_its_history(house):
    body = ask(house, [20] * 60).get_json()
    assert body["family"] == "level"
    assert [week["week"] for week in body["weeks"]] == ["2026-11-08", "2026-11-15", "2026-11-22"]
    for week in body["weeks"]:
        assert week["median"] == pytest.approx(20, abs=0.01)
        assert week["lo_95"] < week["lo_80"] < week["median"] < week["hi_80"] < week["hi_95"]
    assert body["note"] == "from the posted history alone: its level, without trend or season"
    assert house.log.records[0]["unique_id"] == "new/one"


def test_dated_weeks_say_the_same_in_any_order_and_continue_where_they_end(house):
    plain = ask(house, [5, 7, 6, 9]).get_json()
    given = dated(5, 7, 6, 9)
    assert ask(house, given[::-1]).get_json()["weeks"] == plain["weeks"]
    older = ask(house, dated(5, 7, 6, 9, end=FIRST - timedelta(weeks=11))).get_json()
    assert older["weeks"][0]["week"] == "2026-08-30"


def test_recent_weeks_count_most(house):
    rising, falling = (
        ask(house, values).get_json()["weeks"][0]["median"] for values in ([0] * 20 + [50] * 8, [50] * 20 + [0] * 8)
    )
    assert rising > 2 * falling


@pytest.mark.parametrize(
    ("history", "note"),
    [
        ([5], "short history: 1 weeks; bounds from so few weeks hold less often than they say if weeks differ much"),
        ([0] * 60, "all weeks are zero"),
        ([1e9] * 60, None),
        (dated(*range(60), skip=(20, 30, 31)), "3 weeks of the last year are missing"),
        ([3] * 5000, None),
    ],
    ids=["one point", "all zeros", "large", "gaps", "long"],
)
def test_what_is_weak_is_answered_with_a_note(house, history, note):
    body = ask(house, history).get_json()
    assert body["note"].startswith("from the posted history alone")
    assert note is None or note in body["note"]
    for week in body["weeks"]:
        assert 0 <= week["lo_95"] <= week["lo_80"] <= week["median"] <= week["hi_80"] <= week["hi_95"]


def test_bounds_are_called_weak_only_where_they_are(house):
    weak = "bounds from so few weeks hold less often than they say if weeks differ much"
    assert ask(house, [3, 9] * 6).get_json()["note"].endswith(f"short history: 12 weeks; {weak}")
    assert ask(house, [3, 9] * 6 + [3]).get_json()["note"].endswith("short history: 13 weeks")


@pytest.mark.parametrize(
    ("history", "slug"),
    [
        ([], "invalid-request"),
        ([1] * 5001, "invalid-request"),
        ([-1], "invalid-request"),
        ([1e12], "invalid-request"),
        (["5"], "invalid-request"),
        ([None], "invalid-request"),
        ([True], "invalid-request"),
        (5, "invalid-request"),
        ([1, {"week": "2026-11-01", "value": 1}], "invalid-request"),
        ([{"week": "2026-11-01"}], "invalid-request"),
        ([{"week": 0, "value": 1}], "invalid-request"),
        (dated(1, 2) + dated(1), "bad-history"),
        (dated(1, end=FIRST + timedelta(weeks=4)), "bad-history"),
        (dated(1, end=date(2026, 10, 31)), "bad-history"),
    ],
    ids=["empty", "too long", "negative", "1e12", "text", "null", "boolean", "no list", "mixed", "no value", "no day",
         "duplicates", "future", "no sunday"],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_name(house, history, slug):
    answer = ask(house, history)
    assert (answer.status_code, answer.get_json()["type"]) == (422, f"/problems/{slug}")
    assert "history" in answer.get_json()["detail"]
    assert house.log.records == []


@pytest.mark.parametrize("figure", [b"NaN", b"Infinity", b"-Infinity", b"1e400"])
def test_what_is_no_number_is_refused(house, figure):
    answer = house.predict(b'{"depot": "new", "target": "sent", "history": [1, ' + figure + b"]}")
    assert answer.status_code in {400, 422}


def test_a_known_series_is_answered_by_its_release_and_says_so(house):
    body = house.predict({"depot": "north/a", "target": "sent", "history": [500] * 9}).get_json()
    assert body["weeks"] == house.predict().get_json()["weeks"]
    assert "the posted history was not used" in body["note"]


def test_a_release_that_never_learnt_it_says_so(house):
    house.load(2, posted=None)
    assert ask(house, [5, 6]).get_json()["type"] == "/problems/no-histories"


def test_histories_may_be_in_a_batch(house):
    items = [{"depot": "new", "target": "sent", "history": history} for history in ([5, 6], dated(1, 2) + dated(1))]
    answer = house.client.post("/api/parcels/predict/batch", json={"items": items}, headers={"X-API-Key": "rk_p"})
    first, second = answer.get_json()["results"]
    assert first["family"] == "level"
    assert second["type"] == "/problems/bad-history"


def test_only_wanted_levels_are_answered_and_all_are_logged(house):
    [week] = house.predict({"depot": "north/a", "target": "sent", "horizon": 1, "levels": [95]}).get_json()["weeks"]
    assert set(week) == {"week", "mean", "median", "lo_95", "hi_95"}
    assert "lo_80" in house.log.records[0]["weeks"][0]


def test_a_forecast_that_does_not_know_the_newest_weeks_of_its_series_says_so(house):
    opened = house.slot.current.opened
    behind = np.zeros(len(opened.keys), dtype=np.int32)
    behind[opened.row("north/a", "sent")] = 3
    house.slot.current = replace(house.slot.current, opened=replace(opened, behind=behind))
    assert house.predict().get_json()["note"] == "stale: the newest 3 weeks of this series are not known"
    assert house.predict({"depot": "north/b", "target": "sent"}).get_json()["note"] is None


@pytest.mark.parametrize("levels", [[], [90], ["80"], [80, 95, 80]])
def test_odd_levels_are_refused(house, levels):
    assert house.predict({"depot": "north/a", "target": "sent", "levels": levels}).status_code == 422


def test_a_weak_forecast_says_why(house):
    house.load(2, weeks=20, coverage={"80": 0.7, "95": 0.95})
    assert (
        house.predict().get_json()["note"] == "bounds of 80 % held in 70 % of held-out weeks; short history: 20 weeks"
    )
    house.load(3, seen=0.614)
    assert house.predict().get_json()["note"] == "of the newest weeks' data 61 % had been seen"
