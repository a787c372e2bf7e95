"""What the worker reads itself is read as gunicorn would have read it, and what it does not is left to gunicorn, byte for byte."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gunicorn.config import Config
from gunicorn.http import RequestParser, wsgi
from gunicorns import BODY, HEAD, KEY, PATH, PLAIN, Gunicorn, connect, leave_home, read_answer, with_lines
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inference.plain import read_plain

NOT_PLAIN = {
    "nothing": b"",
    "half a head": PLAIN[:60],
    "half a body": PLAIN[:-1],
    "one byte more": PLAIN + b"x",
    "two at once": PLAIN + PLAIN,
    "no length": HEAD + b"\r\n" + BODY,
    "two lengths": with_lines(b"Content-Length: 38"),
    "a length with a sign": HEAD + b"Content-Length: +%d\r\n\r\n" % len(BODY) + BODY,
    "a length of thousands of digits": HEAD + b"Content-Length: " + b"0" * 5000 + b"38\r\n\r\n" + BODY,
    "chunked": with_lines(b"Transfer-Encoding: chunked"),
    "to be closed": with_lines(b"Connection: close"),
    "to be continued": with_lines(b"Expect: 100-continue"),
    "a folded line": with_lines(b"X-User-Id: a", b" b"),
    "a space before the colon": with_lines(b"X-User-Id : a"),
    "an underscore": with_lines(b"X_User_Id: a"),
    "twice the same": with_lines(b"X-User-Id: a", b"x-user-id: b"),
    "a bare line feed": PLAIN.replace(b"Host: here\r\n", b"Host: here\n"),
    "a carriage return in a value": with_lines(b"X-User-Id: a\rb"),
    "a NUL": with_lines(b"X-User-Id: a\0b"),
    "no name": with_lines(b": a"),
    "HTTP/1.0": PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "GET": PLAIN.replace(b"POST", b"GET"),
    "two spaces": PLAIN.replace(b"POST ", b"POST  "),
    "an address": PLAIN.replace(PATH.encode(), b"http://here" + PATH.encode()),
    "an escaped path": PLAIN.replace(b"predict", b"%70redict"),
    "a query": PLAIN.replace(b"predict", b"predict?a=b"),
    "no host": PLAIN.replace(b"Host: here\r\n", b""),
    "a field of more than gunicorn's 8,190 bytes": with_lines(b"X-User-Id: " + b"a" * 8178),
    "a name of as many": with_lines(b"X" * 8187 + b": a"),
    "many fields": with_lines(*(b"X-%d: a" % number for number in range(100))),
}


@pytest.mark.parametrize("case", NOT_PLAIN)
def test_what_is_not_beyond_doubt_is_not_read(case):
    assert read_plain(NOT_PLAIN[case]) is None


def test_a_plain_question_is_read():
    environ, body = read_plain(PLAIN)
    assert body == BODY
    assert environ["PATH_INFO"] == PATH
    assert environ["HTTP_X_API_KEY"] == KEY


NAMES = st.sampled_from(
    ["X-User-Id", "x-api-key", "X-Client-Key", "X-Request-ID", "Content-Type", "X-Track", "Accept", "TE", "A.b", "A b"]
)
LINES = st.tuples(
    NAMES,
    st.sampled_from([":", ": ", ":  ", " :"]),
    st.text(max_size=8) | st.sampled_from(["ü", "a ", "a\t", "\x7f", "a\r\nB: c"]),
)
REQUESTS = st.builds(
    lambda start, lines, length, body: b"".join(
        [start, *(f"{name}{colon}{value}\r\n".encode() for name, colon, value in lines), length, b"\r\n", body]
    ),
    st.sampled_from(
        [
            b"POST /api/parcels/predict HTTP/1.1\r\nHost: h\r\n",
            b"POST / HTTP/1.1\r\nHost: h\r\n",
            b"POST /a HTTP/1.1\r\n",
        ]
    ),
    st.lists(LINES, max_size=4),
    st.sampled_from(
        [b"Content-Length: 2\r\n", b"content-length:2\r\n", b"Content-Length: 02\r\n", b"Content-Length: 3\r\n"]
    ),
    st.sampled_from([b"{}", b"{}{", b""]),
)


@settings(max_examples=500, deadline=None)
@given(REQUESTS)
@example(PLAIN)
@example(with_lines(b"X-Forwarded-Proto: https"))
@example(with_lines(b"X-Forwarded-Proto: https", b"X-Forwarded-Ssl: off"))
@example(with_lines(b"Script-Name: /api"))
@example(with_lines(b"Content-Type: a"))
@example(with_lines(b"X-User-Id: " + b"a" * 8177))
def test_what_is_read_is_what_gunicorn_reads(said):
    found = read_plain(said)
    if found is None:
        return
    environ, body = found
    parser = RequestParser(Config(), iter([said]), ("127.0.0.1", 1))
    request = next(parser)
    _, theirs = wsgi.create(request, None, ("127.0.0.1", 1), ("here", "80"), Config())
    assert request.body.read() == body
    assert parser.unreader.read() == b""
    assert not request.should_close()
    own = {name: value for name, value in theirs.items() if name in environ or name.startswith("HTTP_")}
    assert own == {name: value for name, value in environ.items() if name != "HTTP_CONTENT_TYPE"}


def test_one_connection_takes_the_short_way_and_gunicorns_in_turn(track):
    with connect(track) as client:
        for said, status in [
            (PLAIN, 200),
            (with_lines(body=b"{}"), 422),
            (PLAIN, 200),
            (PLAIN.replace(b"predict", b"pretend"), 404),
            (PLAIN, 200),
        ]:
            client.sendall(said)
            answer = read_answer(client)
            assert (answer[0], answer[3]) == (status, b"")


def test_both_ways_answer_with_the_same_headers(track):
    names = []
    for said in (PLAIN, PLAIN.replace(b"predict", b"predict?a=b")):
        with connect(track) as client:
            client.sendall(said)
            status, headers, body, _ = read_answer(client)
            assert status == 200
            assert json.loads(body)["weeks"]
            names.append(list(headers))
    assert names[0] == names[1]


def test_a_question_in_pieces_is_answered(track):
    for at in (3, 40, len(PLAIN) - 1):
        with connect(track) as client:
            client.sendall(PLAIN[:at])
            time.sleep(0.05)
            client.sendall(PLAIN[at:])
            assert read_answer(client)[0] == 200
            client.sendall(PLAIN)
            assert read_answer(client)[0] == 200


ODD_ENDS = [
    b"zz\r\n",
    b"2\r\nabcd\r\n",
    b"-1\r\n\r\n",
    *(
        b"0\r\n%b\r\n\r\n" % line
        for line in (b"Content-Length: 1", b"Host: here", b" folded", b": a", b"a b: c", b"A: \0", b"A: " + b"b" * 9000)
    ),
]


@pytest.mark.parametrize("end", ODD_ENDS)
def test_a_body_that_ends_in_an_odd_way_is_its_clients_fault_and_its_last(track, end):
    """A track is judged by what goes wrong on its side; and where the body ends nobody knows, so what follows is no question."""
    with connect(track) as client:
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(BODY), BODY) + end)
        status, headers, body, rest = read_answer(client)
        assert (status, json.loads(body)["type"]) == (400, "/problems/bad-request")
        assert (headers["connection"], rest) == ("close", b"")
        client.sendall(PLAIN)
        assert client.recv(1) == b""


@pytest.mark.parametrize("end", ODD_ENDS)
def test_a_body_that_nobody_reads_is_answered_once_however_it_ends(track, end):
    with connect(track) as client:
        client.sendall(HEAD.replace(b"X-API-Key", b"X-API-Kez") + b"Transfer-Encoding: chunked\r\n\r\n" + end)
        status, _, _, rest = read_answer(client)
        assert (status, rest + client.recv(1)) == (401, b"")
    assert b"Traceback" not in Path(track.log.name).read_bytes()


@pytest.mark.parametrize(("path", "status"), [("/x/api/health", 404), ("/api/health", 200)])
def test_no_header_says_where_a_path_begins(track, path, status):
    """What a router lets pass would be another path here."""
    with connect(track) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\nSCRIPT_NAME: /x\r\n\r\n".encode())
        assert read_answer(client)[0] == status


def test_questions_sent_without_waiting_are_answered_in_their_order(track):
    horizons = (1, 2, 3)
    with connect(track) as client:
        client.sendall(
            b"".join(
                with_lines(body=b'{"depot": "north/a", "target": "sent", "horizon": %d}' % weeks) for weeks in horizons
            )
        )
        rest = b""
        for weeks in horizons:
            status, _, body, rest = read_answer(client, rest)
            assert (status, len(json.loads(body)["weeks"])) == (200, weeks)


def test_connections_that_say_nothing_hold_nobody_up(track):
    silent = [connect(track) for _ in range(40)]
    begun = time.monotonic()
    try:
        track.ask(body={"depot": "north/a", "target": "sent"})
        track.ask("/api/health")
    finally:
        for client in silent:
            client.close()
    assert time.monotonic() - begun < 4, "with a thread for each, both would wait five seconds"


def test_a_client_that_does_not_read_gets_all_of_it_later_and_holds_nobody_up(track):
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(5)
        client.connect(("127.0.0.1", track.port))
        sent = 0
        client.settimeout(0)
        for _ in range(3000):  # one after the other, each alone in its packet; the answers pile up
            try:
                client.send(PLAIN)
            except BlockingIOError:
                break
            sent += 1
            time.sleep(0.001)
        track.ask(body={"depot": "north/a", "target": "sent"})
        client.settimeout(10)
        rest, answered = b"", 0
        while answered < sent:
            status, _, _, rest = read_answer(client, rest)
            assert status == 200
            answered += 1


def test_a_silent_connection_is_closed_and_one_that_speaks_is_kept(tmp_path):
    server = Gunicorn(leave_home(tmp_path), WEB_WORKERS="1", GUNICORN_CMD_ARGS="--keep-alive 3")
    try:
        server.first_answer()
        with (
            connect(server) as silent,
            connect(server) as busy,
            connect(server) as mute,
            connect(server) as stuck,
            connect(server) as begun,
        ):
            for client in (silent, stuck):
                client.sendall(PLAIN)
                read_answer(client)
            for client in (stuck, begun):
                client.sendall(PLAIN[:-1])
            for _ in range(9):
                busy.sendall(PLAIN)
                assert read_answer(busy)[0] == 200
                time.sleep(0.6)
            for client in (silent, mute, stuck, begun):
                assert client.recv(1) == b""
    finally:
        server.stop()


def test_a_stop_answers_what_is_asked_and_waits_for_no_silence(tmp_path):
    server = Gunicorn(leave_home(tmp_path), WEB_WORKERS="1")
    try:
        server.first_answer()
        with connect(server) as idle, connect(server) as asking, connect(server):
            for client in (idle, asking):
                client.sendall(PLAIN)
                assert read_answer(client)[0] == 200
            begun = time.monotonic()
            server.process.terminate()
            time.sleep(0.2)
            asking.sendall(PLAIN)
            status, headers, _, _ = read_answer(asking)
            assert (status, headers["connection"]) == (200, "close")
            assert idle.recv(1) == b""
            server.process.wait(timeout=20)
            assert time.monotonic() - begun < 5, "gunicorn's own worker waits ten seconds"
    finally:
        server.stop()


def test_all_is_answered_while_many_ask_at_once(track):
    def ask(_):
        with connect(track) as client:
            for _ in range(20):
                client.sendall(PLAIN)
                assert read_answer(client)[0] == 200

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(32)))


def through(path, *requests):
    """What is answered to requests that come by a socket, one after the other on one connection."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        client_file = client.makefile("rb")
        answers = []
        for request in requests:
            client.sendall(request)
            head = [client_file.readline()]
            while head[-1] not in {b"\r\n", b""}:
                head.append(client_file.readline())
            length = next(int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length"))
            answers.append((head[0], json.loads(client_file.read(length))))
        return answers


def test_a_router_beside_it_comes_by_a_socket_also_after_a_death(tmp_path):
    """Plain questions and all others; who was killed leaves its socket behind, and the next one takes its place."""
    place = tmp_path / "track.sock"
    home = leave_home(tmp_path)
    health = b"GET /api/health HTTP/1.1\r\nHost: here\r\n\r\n"
    for kill in (True, False):
        server = Gunicorn(home, WEB_WORKERS="1", TRACK_SOCKET=str(place))
        server.first_answer()
        (first, forecast), (second, _), (third, _) = through(place, PLAIN, health, PLAIN)
        assert {first, second, third} == {b"HTTP/1.1 200 OK\r\n"}
        assert forecast["depot"] == "north/a"
        if kill:
            server.process.kill()
            server.process.wait()
            assert place.exists()
        server.stop()
    assert not place.exists()
