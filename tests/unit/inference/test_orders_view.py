"""What operators order over HTTP, written down in a real database."""

from dataclasses import replace

import pytest
from houses import House

from inference import create_app
from ratchet.observe.orders import Orders


@pytest.fixture
def office(tmp_path, postgres):
    house = House(tmp_path)
    house.load()
    for waiting in Orders(postgres).waiting("parcels"):
        Orders(postgres).end("parcels", waiting.order_id, outcome="of an earlier test", at=waiting.at)
    house.app = create_app(replace(house.service, orders=Orders(postgres)))
    house.client = house.app.test_client()
    return house


def order(office, body, *, key="rk_o", path="orders"):
    return office.client.post(f"/api/parcels/{path}", json=body, headers={"X-API-Key": key})


def test_an_order_is_written_down_with_who_gave_it_and_can_be_taken_back(office):
    placed = order(office, {"kind": "promote", "why": "  it is better  "})
    assert placed.status_code == 202
    said = placed.get_json()
    assert (said["kind"], said["who"], said["why"], said["outcome"]) == ("promote", "an operator", "it is better", None)
    assert order(office, {"kind": "rollback", "why": "or not"}).status_code == 409
    assert order(office, {"order_id": said["order_id"]}, path="orders/withdraw").status_code == 200
    assert order(office, {"order_id": said["order_id"]}, path="orders/withdraw").status_code == 404
    assert office.get("/api/parcels/orders", key="rk_o").get_json()["orders"][0]["outcome"] == "withdrawn"


def test_a_users_key_orders_nothing(office):
    assert order(office, {"kind": "promote", "why": "please"}, key="rk_p").status_code == 403
    assert order(office, {"order_id": 1}, key="rk_p", path="orders/withdraw").status_code == 403
    assert office.get("/api/parcels/orders").status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "promote"}, "why"),
        ({"kind": "promote", "why": "  x "}, "why"),
        ({"kind": "delete", "why": "because"}, "kind"),
        ({"kind": "promote", "why": "a\x00b"}, "why"),
        ({"kind": "promote", "why": "because", "who": "me"}, "who"),
    ],
)
def test_an_odd_order_is_refused_by_field(office, body, field):
    answer = order(office, body)
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] == field


def test_a_reason_that_is_too_long_is_told_so_in_characters(office):
    detail = order(office, {"kind": "promote", "why": "x" * 501}).get_json()["detail"]
    assert detail == "why: String should have at most 500 characters"


def test_without_a_database_nothing_is_promised(tmp_path):
    house = House(tmp_path)
    house.load()
    answer = order(house, {"kind": "promote", "why": "because"})
    assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems/database-away")
