from dataclasses import replace

import pytest

from inference import create_app
from ratchet.serve.limits import Limits, RateLimits


@pytest.fixture
def limited(house, tmp_path):
    """Makes the house limited; the time stands still unless a test says so."""
    now = [60_000_015.0]
    counts = RateLimits(tmp_path / "limits.bin", clock=lambda: now[0])

    def make(*, per_key=0, per_address=0):
        limits = Limits(counts=counts, per_key=per_key, per_address=per_address)
        house.app = create_app(replace(house.service, limits=limits))
        house.client = house.app.test_client()
        return house

    make.now = now
    yield make
    counts.close()


def test_a_key_gets_its_limit_and_then_a_429_that_says_when_to_come_back(limited):
    house = limited(per_key=3)
    answers = [house.predict() for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"3"}
    last = answers[-1]
    assert last.headers["RateLimit-Reset"] == "45"
    assert 45 <= int(last.headers["Retry-After"]) <= 65
    assert last.get_json()["type"] == "/problems/too-many-requests"
    assert len(house.log.records) == 3


def test_an_address_is_limited_whatever_keys_it_tries(limited):
    house = limited(per_address=2)
    assert [house.predict(key=f"rk_{n}").status_code for n in range(3)] == [401, 401, 429]
    assert house.predict(X_Forwarded_For="10.0.0.9").status_code == 200


def test_the_address_is_the_one_that_the_router_saw(limited):
    house = limited(per_address=1)
    assert house.predict(X_Forwarded_For="1.1.1.1, 10.0.0.9").status_code == 200
    assert house.predict(X_Forwarded_For="2.2.2.2, 10.0.0.9").status_code == 429


def test_twenty_items_of_a_batch_count_as_one_request(limited):
    house = limited(per_key=10)
    items = {"items": [{"depot": "north/a", "target": "sent"}] * 101}
    answer = house.client.post("/api/parcels/predict/batch", json=items, headers={"X-API-Key": "rk_p"})
    assert (answer.status_code, answer.headers["RateLimit-Remaining"]) == (200, "4")
    assert house.client.post("/api/parcels/predict/batch", json=items, headers={"X-API-Key": "rk_p"}).status_code == 429


def ask_many(house, items):
    asked = {"items": [{"depot": "north/a", "target": "sent"}] * items}
    return house.client.post("/api/parcels/predict/batch", json=asked, headers={"X-API-Key": "rk_p"})


@pytest.mark.parametrize("limits", [{"per_key": 10}, {"per_address": 10}, {"per_key": 60, "per_address": 10}], ids=str)
@pytest.mark.parametrize("items", [161, 200])
def test_whoever_comes_back_when_told_gets_the_largest_batch(limited, items, limits):
    """It was refused for ever: each try counted before it was found to be too much, and too much it was by that count."""
    house = limited(**limits)
    assert house.predict().status_code == 200
    tries = [ask_many(house, items)]
    while tries[-1].status_code == 429 and len(tries) < 6:
        limited.now[0] += int(tries[-1].headers["Retry-After"])
        tries.append(ask_many(house, items))
    assert [answer.status_code for answer in tries] in ([200], [429, 200])


def test_a_batch_that_no_minute_has_room_for_is_told_so_and_not_when_to_come_back(limited):
    answer = ask_many(limited(per_key=10), 201)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (429, None)
    assert answer.get_json()["detail"].startswith("These 201 items count as 11 requests")


def test_a_batch_that_is_refused_costs_nothing(limited):
    house = limited(per_key=10, per_address=20)
    house.predict()
    assert [ask_many(house, 200).status_code for _ in range(5)] == [429] * 5
    assert house.predict().headers["RateLimit-Remaining"] == "8"


def test_the_tighter_of_both_limits_is_told(limited):
    house = limited(per_key=5, per_address=100)
    assert house.predict().headers["RateLimit-Limit"] == "5"


def test_health_is_never_limited(limited):
    house = limited(per_address=1)
    assert {house.get("/api/health").status_code for _ in range(5)} == {200}
    assert "RateLimit-Limit" not in house.get("/api/health").headers


def test_without_a_limit_nothing_is_counted_or_told(limited):
    answer = limited().predict()
    assert answer.status_code == 200
    assert "RateLimit-Limit" not in answer.headers
