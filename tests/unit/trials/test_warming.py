"""A candidate's warm-up over real HTTP: real questions, tickets that only the loop can make, and no answer that did not come."""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ratchet.observe.asked import Question
from ratchet.serve.replay import HEADER, is_genuine_ticket
from ratchet.stack.ports import free_port
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
    server.asked, server.tickets, server.breaks_after, server.daemon_threads = [], [], None, True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def warm_up(track):
    return WarmUp(address=f"http://127.0.0.1:{track.server_address[1]}", secret=SECRET)


def question(name):
    return Question(unique_id=name, target="sent", horizon=4)


def test_questions_of_people_go_first_then_the_releases_own_again_and_again(track):
    assert warm_up(track).replay("parcels", [question("b")], 7) == 7
    assert [body["depot"] for body in track.asked] == ["b", "a", "b", "b", "a", "b", "b"]
    assert track.asked[0]["horizon"] == 4


def test_every_request_carries_a_ticket_that_the_track_can_check(track):
    warm_up(track).replay("parcels", [], 3)
    now = datetime.now(UTC)
    assert all(is_genuine_ticket(SECRET, ticket, now=now) for ticket in track.tickets)
    assert not is_genuine_ticket(b"another", track.tickets[0], now=now)


def test_a_series_that_the_release_lacks_is_no_fault_of_the_track(track):
    assert warm_up(track).replay("parcels", [question("gone"), question("a")], 5) == 5
    assert [body["depot"] for body in track.asked].count("gone") == 1


def test_an_answer_that_is_no_forecast_does_not_count(track):
    track.breaks_after = 4
    assert warm_up(track).replay("parcels", [], 10) == 4


def test_a_track_that_is_away_has_answered_nothing():
    nowhere = WarmUp(address=f"http://127.0.0.1:{free_port()}", secret=SECRET)
    assert nowhere.replay("parcels", [question("a")], 5) == 0
