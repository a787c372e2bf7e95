"""Who goes to which track, and who stays there."""

import json
from collections import Counter

import pytest

from ratchet.serve.split import FlagFileSplit

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("percent", [5, 20, 50])
def test_the_split_can_be_recomputed_offline_for_every_user(house, percent):
    house.rig.share(percent)
    client, users = house.client(), [f"user-{number}" for number in range(600)]
    tracks = {user: house.track_of(client, X_User_Id=user) for user in users}
    assert tracks == {user: house.predicted(f"user:{user}", percent) for user in users}
    # Each house has a salt of its own: six deviations, as four were left once in some ten thousand runs.
    expected, spread = 600 * percent / 100, 6 * (600 * percent / 100 * (1 - percent / 100)) ** 0.5
    assert abs(Counter(tracks.values())["candidate"] - expected) <= spread


def test_each_of_sixteen_salts_picks_people_of_its_own_and_can_be_recomputed(house):
    client, users, picked = house.client(), [f"user-{number}" for number in range(100)], set()
    for salt in range(16):
        FlagFileSplit(house.rig.stack.home.weights).set_share(20, salt=salt)
        chosen = frozenset(user for user in users if house.track_of(client, X_User_Id=user) == "candidate")
        assert chosen == {user for user in users if house.predicted(f"user:{user}", 20, salt) == "candidate"}
        picked.add(chosen)
    FlagFileSplit(house.rig.stack.home.weights).set_share(20, salt=0)
    assert len(picked) == 16


def test_a_user_id_comes_before_a_key_and_a_key_before_a_cookie(house):
    client, cookie = house.client(), "ratchet_client=" + "a" * 32
    seen = [
        json.loads(house.ask(client, **headers)[2])["X-Client-Key"]
        for headers in (
            {"X_User_Id": "me", "X_API_Key": "k", "Cookie": cookie},
            {"X_API_Key": "k", "Cookie": cookie},
            {"Cookie": cookie},
            {},
        )
    ]
    assert seen == ["user:me", "key:k", "cookie:" + "a" * 32, "address:127.0.0.1"]


def test_a_larger_share_only_adds_clients(house):
    client, members = house.client(), []
    for percent in (5, 10, 20, 50):
        house.rig.share(percent)
        users = [f"user-{number}" for number in range(300)]
        members.append({user for user in users if house.track_of(client, X_User_Id=user) == "candidate"})
    assert members[0] < members[1] < members[2] < members[3]


def test_a_browser_keeps_the_track_of_its_first_visit(house):
    client, first = house.client(), Counter()
    for _ in range(100):
        _, headers, body = house.ask(client, method="GET", path="/docs", Accept="text/html")
        cookie = headers["Set-Cookie"].split(";")[0]
        first[json.loads(body)["track"]] += 1
        assert house.track_of(client, Cookie=cookie) == json.loads(body)["track"]
        again = house.ask(client, method="GET", path="/docs", Accept="text/html", Cookie=cookie)
        assert again[1]["Set-Cookie"] is None
    assert min(first["production"], first["candidate"]) > 0


def test_a_browser_s_cookie_is_not_told_by_its_request_id(house):
    _, headers, body = house.ask(house.client(), method="GET", path="/docs", Accept="text/html")
    cookie = headers["Set-Cookie"].split(";")[0].removeprefix("ratchet_client=")
    track = house.tracks[json.loads(body)["track"]]
    assert cookie not in track.request_ids[-1]


def test_a_program_without_cookies_is_given_none_and_stays(house):
    client = house.client()
    seen = {(house.ask(client)[1]["Set-Cookie"], house.track_of(client)) for _ in range(20)}
    assert len(seen) == 1
    assert seen.pop()[0] is None


def test_a_client_says_neither_its_track_nor_who_the_split_knows_it_as(house):
    told = json.loads(
        house.ask(house.client(), X_User_Id="me", X_Client_Key="other", X_Assigned_Track="nowhere", X_Replay="1.ab")[2]
    )
    assert told["X-Client-Key"] == "user:me"
    assert told["X-Assigned-Track"] == house.predicted("user:me", 20)
    assert told["X-Replay"] is None, "nobody from outside is answered without being counted"


@pytest.mark.parametrize("asked_for", ["candidate", "production"])
def test_an_operator_who_asks_for_a_track_is_still_known_by_the_address_it_comes_from(house, asked_for):
    status, _, body = house.ask(house.client(), X_Track=asked_for, X_Forwarded_For="6.6.6.6")
    assert (status, json.loads(body)["track"], json.loads(body)["X-Forwarded-For"]) == (200, asked_for, "127.0.0.1")


def test_weights_change_without_a_failed_request_on_connections_that_stay(house):
    clients, statuses = [house.client() for _ in range(5)], Counter()
    for change in range(40):
        FlagFileSplit(house.rig.stack.home.weights).set_share((0, 5, 10, 20, 50)[change % 5], salt=change % 16)
        for client in clients:
            for _ in range(5):
                statuses[house.ask(client, X_User_Id="me")[0]] += 1
    FlagFileSplit(house.rig.stack.home.weights).set_share(20, salt=0)
    assert statuses == {200: 1000}
