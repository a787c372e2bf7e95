"""Whoever has begun to say something is waited for without a thread, and without an end only as long as silence is borne."""

import json
import time
from contextlib import ExitStack

import psutil
import pytest
from gunicorns import BODY, HEAD, PATH, PLAIN, connect, read_answer, with_lines

from inference.arrivals import MOST, is_begun

BEGUN = {
    "a letter": PLAIN[:1],
    "half a head": PLAIN[:60],
    "half the head of another method": b"GET /api/health HTTP/1.0\r\nHost",
    "a head": PLAIN[: -len(BODY)],
    "a head and most of a body": PLAIN[:-1],
    "a body that looks like an end": with_lines(body=BODY + b"\r\n\r\n ")[:-1],
    "a length in small letters": PLAIN[:-1].replace(b"Content-Length", b"content-length"),
}
NOT_BEGUN = {
    "a letter": PLAIN[:1],
    "half a head": PLAIN[:60],
    "half the head of another method": b"GET /api/health HTTP/1.0\r\nHost",
    "nothing": b"",
    "half a head of much": PLAIN[:60] + b"x" * 16_384,
    "no first line of ours": b"POST /\r\nHost",
    "all of it": PLAIN,
    "more than that": PLAIN + b"x",
    "no length": HEAD + b"\r\n" + BODY,
    "two lengths": with_lines(b"Content-Length: 38")[:-1],
    "a length that is none": HEAD + b"Content-Length: 3x\r\n\r\n",
    "too much to come": HEAD + b"Content-Length: %d\r\n\r\n" % (MOST + 1),
    "chunks": with_lines(b"Transfer-Encoding: chunked")[:-1],
    "to be asked for the rest": with_lines(b"Expect: 100-continue")[:-1],
    "GET": PLAIN[:-1].replace(b"POST", b"GET"),
    "no HTTP": b"\x16\x03\x01" + PLAIN[:-1],
}


@pytest.mark.parametrize("case", [*BEGUN, *NOT_BEGUN])
def test_what_has_begun_is_known_by_its_length(case):
    assert is_begun((BEGUN | NOT_BEGUN)[case]) == (case in BEGUN)


def test_whoever_has_begun_and_goes_silent_holds_nobody_up(track):
    with ExitStack() as open_ones:
        for number in range(40):
            open_ones.enter_context(connect(track)).sendall(PLAIN[: -1 - number % len(BODY)])
        time.sleep(0.1)
        begun = time.monotonic()
        track.ask(body={"depot": "north/a", "target": "sent"})
        track.ask("/api/health")
        assert time.monotonic() - begun < 4


def test_whoever_leaves_in_the_middle_is_forgotten(track):
    """A connection that has ended is readable for ever: nobody may look at it again and again."""
    worker = psutil.Process(track.process.pid).children()[0]
    for _ in range(5):
        with connect(track) as client:
            client.sendall(PLAIN)
            assert read_answer(client)[0] == 200
            client.sendall(PLAIN[:-1])
            time.sleep(0.02)
    time.sleep(0.3)
    before, spent = len(worker.net_connections()), sum(worker.cpu_times()[:2])
    time.sleep(1)
    assert sum(worker.cpu_times()[:2]) - spent < 0.5
    assert (
        len(worker.net_connections())
        == before
        == len([one for one in worker.net_connections() if one.status == "LISTEN"])
    )


def test_what_has_begun_to_be_said_otherwise_is_gunicorns(track):
    """Not valid, of another address, or without a key: in parts it is told the same as in one piece."""
    for said in (
        with_lines(body=b"{}" + b" " * 500),
        PLAIN.replace(PATH.encode(), b"/api/nobody/predict"),
        PLAIN.replace(b"X-API-Key", b"X-API-Kez"),
    ):
        answers = []
        for size in (len(said), len(said) - 3, 50):
            with connect(track) as client:
                for at in range(0, len(said), size):
                    client.sendall(said[at : at + size])
                    time.sleep(0.02)
                status, _, body, rest = read_answer(client)
                answers.append((status, json.loads(body)["type"], rest))
        assert answers[0] == answers[1] == answers[2]
        assert answers[0][0] >= 400
