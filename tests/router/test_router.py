"""The real nginx with two tiny tracks behind it: who goes where, who stays, and what happens when a track is not well."""

import http.client
import http.server
import json
import re
import socket
import socketserver
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from ratchet.serve.split import FlagFileSplit
from rig import Rig

pytestmark = pytest.mark.stack

PREDICT = "/api/parcels/predict"
TOLD = ("X-Client-Key", "X-Assigned-Track", "X-Replay", "X-Forwarded-For")
MASK = 0xFFFFFFFF
FORGIVEN_AFTER = {"production": 2.2, "candidate": 5.2}  # seconds until the router tries a track again


def murmur2(data):
    """MurmurHash2 with seed 0, as nginx hashes the key of a split."""
    value = len(data) & MASK
    while len(data) >= 4:
        word = int.from_bytes(data[:4], "little") * 0x5BD1E995 & MASK
        word = (word ^ word >> 24) * 0x5BD1E995 & MASK
        value = (value * 0x5BD1E995 & MASK) ^ word
        data = data[4:]
    if data:
        value = (value ^ int.from_bytes(data, "little")) * 0x5BD1E995 & MASK
    value = (value ^ value >> 13) * 0x5BD1E995 & MASK
    return value ^ value >> 15


class SocketServer(http.server.ThreadingHTTPServer):
    """An HTTP server where the router of an embedded stack looks for a track."""

    address_family = socket.AF_UNIX

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # http.server's own asks for a host's name
        Path(self.server_address).chmod(0o777)

    def server_close(self):
        super().server_close()
        Path(self.server_address).unlink()


class Tiny:
    """A track that says who it is and what the router told it; it can hang."""

    def __init__(self, name, place):
        self.name, self.place, self.hangs = name, place, threading.Event()
        self.drops, self.status, self.status_of_others = 0, 200, 200
        self.request_ids = []
        self.server = None

    def start(self):
        tiny = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # an answer leaves in one packet

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                tiny.request_ids.append(self.headers["X-Request-ID"])
                if tiny.hangs.is_set():
                    time.sleep(4)
                if tiny.drops:
                    tiny.drops -= 1
                    self.close_connection = True
                    return
                told = {name: self.headers.get(name) for name in TOLD}
                body = json.dumps({"track": tiny.name, **told}).encode()
                self.send_response(tiny.status if self.path == PREDICT else tiny.status_of_others)
                if "X-Track" in self.headers:
                    self.send_header("X-Accel-Redirect", f"@{self.headers['X-Track']}")
                self.send_header("X-Track", tiny.name)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST  # noqa: N815  # its name is http.server's

            def log_message(self, *_):
                pass

        self.server = SocketServer(str(self.place), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


class House:
    """The router and its two tracks."""

    def __init__(self, rig):
        self.rig, self.port, self.clients = rig, rig.stack.settings.router_port, []
        self.tracks = {name: Tiny(name, rig.stack.home.track_socket(name)) for name in ("production", "candidate")}

    def client(self):
        self.clients.append(http.client.HTTPConnection("127.0.0.1", self.port, timeout=15))
        return self.clients[-1]

    def ask(self, client, *, path=PREDICT, method="POST", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client.request(method, path, b"{}" if method == "POST" else None, named)
        answer = client.getresponse()
        return answer.status, answer.headers, answer.read()

    def track_of(self, client, **headers):
        status, _, body = self.ask(client, **headers)
        assert status == 200
        return json.loads(body)["track"]

    def predicted(self, client_key, percent, salt=0):
        letters = "".join(letter for bit, letter in zip((1, 2, 4, 8), "abcd", strict=True) if salt & bit)
        hashed = murmur2(f"{self.rig.stack.secrets.split_salt}{letters}:{client_key}".encode())
        return "candidate" if hashed < percent * 100 * MASK // 10000 else "production"


@pytest.fixture(scope="module")
def running(make_stack):
    rig = Rig(make_stack())
    house = House(rig)
    rig.write_configuration()
    for track in house.tracks.values():
        track.start()
    rig.share(20)
    rig.start_router()
    yield house
    for track in house.tracks.values():
        track.stop()
    rig.close()


@pytest.fixture
def house(running):
    """Both tracks well, 20 percent on the candidate, and no earlier failure remembered."""
    running.rig.share(20)
    yield running
    while running.clients:
        running.clients.pop().close()
    wait = 0
    for track in running.tracks.values():
        if track.hangs.is_set() or track.server is None:
            wait = FORGIVEN_AFTER[track.name]
        track.hangs.clear()
        if track.server is None:
            track.start()
    time.sleep(wait)


@pytest.mark.parametrize("percent", [5, 20, 50])
def test_the_split_can_be_recomputed_offline_for_every_user(house, percent):
    house.rig.share(percent)
    client, users = house.client(), [f"user-{number}" for number in range(600)]
    tracks = {user: house.track_of(client, X_User_Id=user) for user in users}
    assert tracks == {user: house.predicted(f"user:{user}", percent) for user in users}
    expected, spread = 600 * percent / 100, 4 * (600 * percent / 100 * (1 - percent / 100)) ** 0.5
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


def test_weights_change_without_a_failed_request_on_connections_that_stay(house):
    clients, statuses = [house.client() for _ in range(5)], Counter()
    for change in range(40):
        FlagFileSplit(house.rig.stack.home.weights).set_share((0, 5, 10, 20, 50)[change % 5], salt=change % 16)
        for client in clients:
            for _ in range(5):
                statuses[house.ask(client, X_User_Id="me")[0]] += 1
    FlagFileSplit(house.rig.stack.home.weights).set_share(20, salt=0)
    assert statuses == {200: 1000}


def test_the_documents_pass_and_the_metrics_do_not(house):
    client = house.client()
    paths = ("/openapi.json", "/docs", "/", "/metrics")
    assert [house.ask(client, method="GET", path=path)[0] for path in paths] == [200, 200, 200, 404]


@pytest.mark.parametrize("given", [None, "mine.1", "not sane"])
@pytest.mark.parametrize(
    ("path", "method", "told"),
    [
        ("/", "GET", {}),
        ("/metrics", "GET", {}),
        ("/", "POST", {}),
        (PREDICT, "POST", {"X_User_Id": "x" * 9000}),
    ],
    ids=["a page", "not found", "not allowed", "too large"],
)
def test_what_the_router_answers_itself_carries_a_request_id(house, path, method, told, given):
    named = {"X_Request_ID": given} if given else {}
    _, headers, _ = house.ask(house.client(), path=path, method=method, **named, **told)
    [found] = headers.get_all("X-Request-ID")
    # Headers too large are not read to their end: an id among them may not have been seen.
    assert found == given if given == "mine.1" and not told else re.fullmatch("mine.1|[0-9a-f]{24}", found)


def test_both_tracks_know_a_request_by_one_id_when_the_second_one_answers_it(house):
    time.sleep(2.5)  # until a track that was ill in a test before is forgiven
    house.rig.share(0)
    house.tracks["production"].drops = 1
    assert house.track_of(house.client()) == "candidate"
    first, second = (house.tracks[name].request_ids[-1] for name in ("production", "candidate"))
    assert first == second
    assert re.fullmatch("[0-9a-f]{24}", first)


def test_a_browser_s_cookie_is_not_told_by_its_request_id(house):
    _, headers, body = house.ask(house.client(), method="GET", path="/docs", Accept="text/html")
    cookie = headers["Set-Cookie"].split(";")[0].removeprefix("ratchet_client=")
    track = house.tracks[json.loads(body)["track"]]
    assert cookie not in track.request_ids[-1]


@pytest.fixture
def strict(make_stack):
    rig = Rig(make_stack(rate_limit_per_address=60))
    house = House(rig)
    rig.write_configuration()
    house.tracks["production"].start()
    rig.start_router()
    yield house
    while house.clients:
        house.clients.pop().close()
    house.tracks["production"].stop()
    rig.close()


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
    rig = Rig(make_stack(rate_limit_per_address=60, trusted_proxies="127.0.0.1, 127.0.8.0/24"))
    house = House(rig)
    rig.write_configuration()
    house.tracks["production"].start()
    rig.start_router()
    yield house
    while house.clients:
        house.clients.pop().close()
    house.tracks["production"].stop()
    rig.close()


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


def test_headers_of_more_than_eight_kilobytes_are_refused_as_a_problem(house):
    status, _, body = house.ask(house.client(), X_User_Id="x" * 9000)
    assert (status, json.loads(body)["type"]) == (431, "/problems/headers-too-large")


@pytest.mark.parametrize("ill", ["candidate", "production"])
def test_a_dead_track_fails_no_post(house, ill):
    house.tracks[ill].stop()
    client = house.client()
    statuses = Counter(house.ask(client, X_User_Id=f"user-{number}")[0] for number in range(300))
    assert statuses == {200: 300}


def test_a_connection_that_production_drops_is_tried_again_where_no_candidate_serves(house):
    time.sleep(2.5)  # the router leaves a track that was dead, as in the test before, alone for two seconds
    house.rig.share(0)
    assert house.track_of(house.client()) == "production"
    production, candidate = house.tracks["production"], house.tracks["candidate"]
    candidate.status, production.drops = 503, 1
    try:
        assert house.track_of(house.client()) == "production"
        assert production.drops == 0
    finally:
        candidate.status = 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_order_that_a_track_may_have_taken_is_not_given_to_the_other_one(house, method):
    house.rig.share(0)
    production, candidate = house.tracks["production"], house.tracks["candidate"]
    before = len(production.request_ids), len(candidate.request_ids)
    production.drops = 1
    status, headers, _ = house.ask(house.client(), path="/api/parcels/orders", method=method)
    seen = len(production.request_ids) - before[0], len(candidate.request_ids) - before[1]
    assert (status, headers["Retry-After"], seen) == {"POST": (503, "2", (1, 0)), "GET": (200, None, (1, 1))}[method]


def test_an_order_reaches_the_other_track_where_one_is_not_there(house):
    house.tracks["production"].stop()
    house.rig.share(0)
    status, _, body = house.ask(house.client(), path="/api/parcels/orders")
    assert (status, json.loads(body)["track"]) == (200, "candidate")


@pytest.mark.parametrize("ill", ["candidate", "production"])
def test_refusals_of_other_questions_move_nobody_to_the_other_track(house, ill):
    time.sleep(5.5)  # until a track that was ill in a test before is forgiven
    track, client = house.tracks[ill], house.client()
    users = [f"user-{number}" for number in range(50)]
    before = [house.track_of(client, X_User_Id=user) for user in users]
    whose = users[before.index(ill)]
    try:
        for track.status_of_others in (500, 503, 503, 503, 503):
            house.ask(client, method="GET", path="/api/parcels/series/detail", X_User_Id=whose)
            house.ask(client, path=PREDICT + "/batch", X_User_Id=whose)
    finally:
        track.status_of_others = 200
    assert [house.track_of(client, X_User_Id=user) for user in users] == before
    assert set(before) == {"candidate", "production"}


@pytest.mark.parametrize("asked_for", ["candidate", "production"])
def test_an_operator_who_asks_for_a_track_is_still_known_by_the_address_it_comes_from(house, asked_for):
    status, _, body = house.ask(house.client(), X_Track=asked_for, X_Forwarded_For="6.6.6.6")
    assert (status, json.loads(body)["track"], json.loads(body)["X-Forwarded-For"]) == (200, asked_for, "127.0.0.1")


def test_a_hung_candidate_fails_no_post_and_costs_about_two_seconds(house):
    time.sleep(2.5)  # the router leaves a track that was dead, as in the test before, alone for two seconds
    house.tracks["candidate"].hangs.set()
    client, started = house.client(), time.monotonic()
    users = [f"user-{number}" for number in range(100)]
    answers = [house.track_of(client, X_User_Id=user) for user in users]
    assert set(answers) == {"production"}
    assert time.monotonic() - started < 11, "three waits of two seconds, then the candidate is left alone for a while"
