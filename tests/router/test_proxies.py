"""Whom a request comes from: limits for each address, and proxies that are named."""

import http.client
import json
from contextlib import contextmanager

import pytest
from two_tracks import PREDICT, House

from rig import Rig

pytestmark = pytest.mark.stack


@contextmanager
def opened(stack):
    """A router of these settings, and production's track behind it."""
    rig = Rig(stack)
    house = House(rig)
    rig.write_configuration()
    house.tracks["production"].start()
    rig.start_router()
    yield house
    while house.clients:
        house.clients.pop().close()
    house.tracks["production"].stop()
    rig.close()


@pytest.fixture
def strict(make_stack):
    with opened(make_stack(rate_limit_per_address=60)) as house:
        yield house


def test_a_flood_from_one_address_reaches_a_track_no_more_often_than_an_address_may_ask(strict):
    """Also of what no track counts, as documents and paths that are not there are."""
    client = strict.client()
    answers = [strict.ask(client, method="GET", path=path) for path in ("/openapi.json", "/api/nowhere") * 60]
    passed = [status for status, _, _ in answers].count(200)
    assert len(strict.tracks["production"].request_ids) == passed
    assert 55 <= passed <= 65, "some were spent when the router started; some came back meanwhile"
    status, headers, body = answers[-1]
    assert (status, headers["Retry-After"], json.loads(body)["type"]) == (429, "5", "/problems/too-many-requests")
    other = http.client.HTTPConnection("127.0.0.1", strict.port, timeout=15, source_address=("127.0.0.2", 0))
    strict.clients.append(other)
    assert strict.ask(other)[0] == 200


@pytest.fixture(scope="module")
def behind_a_proxy(make_stack):
    """A router that is told of two proxies, one on its own machine; everybody else is a client."""
    with opened(make_stack(rate_limit_per_address=60, trusted_proxies="127.0.0.1, 127.0.8.0/24")) as house:
        yield house


def seen_as(house, come_from, forwarded, path=PREDICT):
    """What a track is told of a request from this address: whom it comes from, and whom the split knows it as."""
    client = http.client.HTTPConnection("127.0.0.1", house.port, timeout=15, source_address=(come_from, 0))
    house.clients.append(client)
    status, _, body = house.ask(client, path=path, X_Forwarded_For=forwarded)
    told = json.loads(body)
    return status, told.get("X-Forwarded-For"), told.get("X-Client-Key")


def test_behind_a_proxy_that_is_named_a_client_is_known_by_its_own_address(behind_a_proxy):
    for proxy in ("127.0.0.1", "127.0.8.7"):
        assert seen_as(behind_a_proxy, proxy, "203.0.113.5") == (200, "203.0.113.5", "address:203.0.113.5")
    assert seen_as(behind_a_proxy, "127.0.0.1", "2001:db8::7")[1] == "2001:db8::7"


def test_nobody_says_through_a_proxy_that_it_is_somebody_else(behind_a_proxy):
    """A proxy adds whom it heard; what stands before that was the client's own word. Two proxies in a row are passed over."""
    assert seen_as(behind_a_proxy, "127.0.0.1", "127.0.0.1, 198.51.100.1, 203.0.113.6")[1] == "203.0.113.6"
    assert seen_as(behind_a_proxy, "127.0.0.1", "198.51.100.1, 203.0.113.6, 127.0.8.2")[1] == "203.0.113.6"


def test_who_is_no_proxy_that_is_named_speaks_for_nobody(behind_a_proxy):
    assert seen_as(behind_a_proxy, "127.0.0.9", "203.0.113.5")[1] == "127.0.0.9"


def test_clients_behind_one_proxy_have_a_limit_each(behind_a_proxy):
    flood = [seen_as(behind_a_proxy, "127.0.0.1", "203.0.113.20", path="/api/nowhere")[0] for _ in range(80)]
    assert (flood[0], flood[-1]) == (200, 429)
    assert seen_as(behind_a_proxy, "127.0.0.1", "203.0.113.21")[0] == 200


@pytest.mark.parametrize(
    "said", [{"X_Forwarded_For": "127.0.0.1"}, {"Via": "1.1 front"}, {"Forwarded": "for=127.0.0.1"}]
)
@pytest.mark.parametrize("told", [True, False], ids=["told of its proxy", "not told"])
def test_the_router_s_own_figures_are_for_this_machine_and_never_handed_on(request, told, said):
    house = request.getfixturevalue("behind_a_proxy" if told else "house")
    assert house.ask(house.client(), method="GET", path="/nginx_status")[0] == 200
    status, _, body = house.ask(house.client(), method="GET", path="/nginx_status", **said)
    assert (status, json.loads(body)["type"]) == (404, "/problems/not-found")
