"""Clients that are slow, silent or rude cost themselves an answer, and nobody else theirs: also on a track's own port, without a router."""

import time
from contextlib import ExitStack, suppress

import pytest
from gunicorns import BODY, HEAD, PLAIN, Gunicorn, connect, leave_home, read_answer, with_lines

HEALTH = b"GET /api/health HTTP/1.1\r\nHost: here\r\n\r\n"


def ask_both_ways(track):
    """Seconds that a plain question and one for gunicorn's threads take."""
    begun = time.monotonic()
    track.ask(body={"depot": "north/a", "target": "sent"})
    track.ask("/api/health")
    return time.monotonic() - begun


def is_closed(client):
    """Whether nobody hears what a client says."""
    try:
        for _ in range(3):
            client.sendall(b"x" * 65536)
            time.sleep(0.1)
    except ConnectionError:
        return True
    return False


@pytest.mark.parametrize(
    ("said", "status"),
    [
        pytest.param(with_lines(b"Connection: close"), 200, id="asks to be closed"),
        pytest.param(PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"), 200, id="HTTP/1.0"),
        pytest.param(b"no HTTP\r\n\r\n", 400, id="no HTTP"),
    ],
)
def test_whoever_has_its_answer_and_does_not_hang_up_holds_nobody_up(track, said, status):
    with ExitStack() as open_ones:
        clients = [open_ones.enter_context(connect(track)) for _ in range(3)]
        for client in clients:
            client.sendall(said)
        assert [read_answer(client)[0] for client in clients] == [status] * 3
        assert ask_both_ways(track) < 1.5, "gunicorn waits two seconds for each, where forecasts are answered"
        for client in clients:
            assert client.recv(1) == b"", "told that nothing more comes"
        time.sleep(4)
        assert is_closed(clients[0])


def test_whoever_is_refused_while_it_still_speaks_gets_its_answer(track):
    with connect(track) as client:
        client.sendall(b"no HTTP\r\n\r\n")
        for _ in range(20):  # a connection that is closed with words unread is reset, and its answer with it
            client.sendall(b"x" * 4096)
            time.sleep(0.01)
        assert read_answer(client)[0] == 400


def test_half_a_head_holds_nobody_up_and_is_answered_when_it_is_whole(track):
    with ExitStack() as open_ones:
        for number in range(40):
            said = (PLAIN, HEALTH)[number % 2]
            open_ones.enter_context(connect(track)).sendall(said[: 1 + number % 20] if number % 3 else HEAD)
        client = open_ones.enter_context(connect(track))
        client.sendall(HEALTH[:30])
        time.sleep(0.1)
        assert ask_both_ways(track) < 1.5
        client.sendall(HEALTH[30:])
        assert read_answer(client)[0] == 200


def test_whoever_is_slower_than_the_timeout_is_let_go_of(tmp_path):
    """Chunks are gunicorn's to read, in a thread; without an end, two such clients had both for good."""
    server = Gunicorn(leave_home(tmp_path), WEB_WORKERS="1", WEB_THREADS="2", GUNICORN_CMD_ARGS="--timeout 2")
    try:
        server.first_answer()
        with connect(server) as silent, connect(server) as slow:
            for client in (silent, slow):
                client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BODY))
            with suppress(ConnectionError):
                for byte in BODY[:12]:
                    time.sleep(0.3)
                    slow.sendall(bytes([byte]))
            assert ask_both_ways(server) < 1.5
            assert silent.recv(1) == b""
    finally:
        server.stop()
