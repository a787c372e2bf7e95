"""A candidate's warm-up over real HTTP: real questions, tickets that only the loop can make, and no answer that did not come."""

import json
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ratchet.observe.asked import Question
from ratchet.serve.replay import HEADER, is_genuine_ticket
from ratchet.stack.ports import free_port
from ratchet.trials import warming
from ratchet.trials.warming import WarmUp

SECRET = b"only the loop knows it"
KNOWN = {"a", "b"}


class Track(BaseHTTPRequestHandler):
    """Answers as a track does: 404 for a series that its release lacks, 500 once it is broken."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.reply(200, {"series": [{"depot": name, "target": "sent"} for name in sorted(KNOWN)]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        server.asked.append(body)
        server.tickets.append(self.headers[HEADER])
        time.sleep(server.seconds)
        if server.breaks_after is not None and len(server.asked) > server.breaks_after:
            self.reply(500, {})
            return
        self.reply(200 if body["depot"] in KNOWN else 404, {})

    def reply(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture
def track():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Track)
    server.asked, server.tickets, server.breaks_after, server.seconds, server.daemon_threads = [], [], None, 0.0, True
    server.handle_error = lambda *_: None  # who asked has gone
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def warm_up(track):
    return WarmUp(address=f"http://127.0.0.1:{track.server_address[1]}", secret=SECRET)


def question(name):
    return Question(unique_id=name, target="sent", horizon=4)


def test_questions_of_people_go_first_then_the_releases_own_again_and_again(track):
    assert warm_up(track).replay("parcels", "r1", [question("b")], 7) == 7
    assert [body["depot"] for body in track.asked] == ["b", "a", "b", "b", "a", "b", "b"]
    assert track.asked[0]["horizon"] == 4


def test_every_request_carries_a_ticket_that_the_track_can_check(track):
    warm_up(track).replay("parcels", "r1", [], 3)
    now = datetime.now(UTC)
    assert all(is_genuine_ticket(SECRET, ticket, now=now) for ticket in track.tickets)
    assert not is_genuine_ticket(b"another", track.tickets[0], now=now)


def test_a_series_that_the_release_lacks_is_no_fault_of_the_track(track):
    assert warm_up(track).replay("parcels", "r1", [question("gone"), question("a")], 5) == 5
    assert [body["depot"] for body in track.asked].count("gone") == 1


def test_an_answer_that_is_no_forecast_does_not_count(track):
    track.breaks_after = 4
    assert warm_up(track).replay("parcels", "r1", [], 10) == 4


def test_a_track_that_is_away_has_answered_nothing():
    nowhere = WarmUp(address=f"http://127.0.0.1:{free_port()}", secret=SECRET)
    assert nowhere.replay("parcels", "r1", [question("a")], 5) == 0


def test_a_slow_track_is_asked_for_the_seconds_of_a_round_and_the_next_round_goes_on_from_there(track, monkeypatch):
    monkeypatch.setattr(warming, "ROUND_SECONDS", 0.5)
    track.seconds, slow = 0.1, warm_up(track)
    began = time.monotonic()
    first = slow.replay("parcels", "r1", [question("b")], 8)
    assert time.monotonic() - began < 1.5, "the workload's lock is held meanwhile"
    assert 0 < first < 8
    rounds = [first]
    while rounds[-1] < 8 and len(rounds) < 20:
        rounds.append(slow.replay("parcels", "r1", [question("b")], 8))
    assert rounds == sorted(rounds)
    assert rounds[-1] == 8
    assert len(track.asked) == 8, "nothing is asked twice"


def test_what_another_release_answered_counts_for_no_other(track, monkeypatch):
    monkeypatch.setattr(warming, "ROUND_SECONDS", 0.3)
    track.seconds, slow = 0.1, warm_up(track)
    first = slow.replay("parcels", "r1", [], 8)
    assert slow.replay("parcels", "r2", [], 8) <= first + 1 < 8


def test_a_round_in_which_something_fails_has_the_next_begin_anew(track, monkeypatch):
    monkeypatch.setattr(warming, "ROUND_SECONDS", 0.5)
    track.seconds, slow = 0.1, warm_up(track)
    first = slow.replay("parcels", "r1", [], 50)
    track.breaks_after = first + 1
    assert slow.replay("parcels", "r1", [], 50) == first + 1
    track.breaks_after = None
    assert slow.replay("parcels", "r1", [], 50) <= 5


def test_a_track_whose_every_answer_takes_too_long_has_answered_nothing(track, monkeypatch):
    monkeypatch.setattr(warming, "TIMEOUT_SECONDS", 0.2)
    track.seconds = 0.5
    assert warm_up(track).replay("parcels", "r1", [], 10) == 0
