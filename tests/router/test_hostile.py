"""What is not HTTP, or is meant to be misread, sent to a real router and a real track: no 500, no leak, nobody else notices."""

import contextlib
import http.client
import json
import random
import re
import socket
import time

import pytest

from rig import PREDICT, UNLIMITED, WORKLOAD, Rig

pytestmark = [pytest.mark.stack, pytest.mark.slow]

QUESTION = b'{"depot": "north/a", "target": "sent"}'
LEAKS = re.compile(
    rb"Traceback|File \"|/inference/|/src/ratchet|site-packages|SELECT |INSERT |psycopg|gunicorn\.|ratchet_requests_total"
)
ODD = [
    b"{" * 50_000,
    b'{"a":' * 50_000,
    b"[" * 500_000,
    b'"\\ud800"',
    b"\xff" * 100,
    b"1" * 10_000,
    b'{"depot": "\\u0000"}',
]
DEEP = b'{"depot": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.fixture(scope="module")
def rig(make_stack):
    rig = Rig(make_stack(workloads=WORKLOAD, poll_seconds=0.3, web_workers=1, web_threads=2, **UNLIMITED))
    try:
        rig.prepare()
        rig.registry.aliases["production"] = rig.add_release()
        rig.start_track("production")
        rig.start_router()
        yield rig
    finally:
        rig.close()


@pytest.fixture(params=["router", "production"])
def port(rig, request):
    return getattr(rig.stack.settings, f"{request.param}_port")


def head(rig, *lines, path=PREDICT, method="POST"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: here", f"X-API-Key: {rig.key}", *lines, "", ""]).encode()


def talk(port, said, *, timeout=3.0, stays=False):
    """Send bytes, close that half unless one stays, and return all that comes back before the other side hangs up or it takes too long."""
    heard, end = b"", time.monotonic() + timeout
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as client:
        try:
            client.sendall(said)
            if not stays:  # nginx takes it for a client that has gone, and lets go of what it was about to answer
                client.shutdown(socket.SHUT_WR)
            while time.monotonic() < end and (more := client.recv(1 << 16)):
                heard += more
        except OSError:
            pass
    return heard


def statuses(heard):
    return [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3})", heard)]


def assert_alive(rig):
    client = http.client.HTTPConnection("127.0.0.1", rig.stack.settings.router_port, timeout=5)
    client.request("POST", PREDICT, QUESTION, {"X-API-Key": rig.key})
    assert client.getresponse().status == 200
    client.close()


def assert_harmless(heard):
    assert 500 not in statuses(heard), heard[:2000]
    assert not LEAKS.search(heard), heard[:2000]
    assert b"<center>" not in heard, heard[:500]  # as nginx writes its own pages


CASES = {
    "garbage": b"\x00\xff\x13garbage\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "an odd version": b"GET / HTTP/9.9\r\nHost: here\r\n\r\n",
    "an odd method": b"{} /api/health HTTP/1.1\r\nHost: here\r\n\r\n",
    "TRACE": b"TRACE / HTTP/1.1\r\nHost: here\r\n\r\n",
    "a long address": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: here\r\n\r\n",
    "a long header": b"GET /api/health HTTP/1.1\r\nHost: here\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n",
    "many headers": b"GET /api/health HTTP/1.1\r\nHost: here\r\n"
    + b"".join(b"X-%d: a\r\n" % n for n in range(5000))
    + b"\r\n",
    "a NUL in a header": b"GET /api/health HTTP/1.1\r\nHost: here\r\nX-User-Id: a\x00b\r\n\r\n",
    "a header without a name": b"GET /api/health HTTP/1.1\r\nHost: here\r\n: a\r\n\r\n",
    "a folded header": b"GET /api/health HTTP/1.1\r\nHost: here\r\nX-A: b\r\n c\r\n\r\n",
    "two hosts": b"GET /api/health HTTP/1.1\r\nHost: here\r\nHost: there\r\n\r\n",
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_http_is_refused_as_a_problem(rig, port, case):
    heard = talk(port, CASES[case])
    assert_harmless(heard)
    if max(statuses(heard), default=0) >= 400:
        assert b"application/problem+json" in heard
    assert_alive(rig)


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 6", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 6"],
        ["Content-Length: 6", "Transfer-Encoding: xchunked"],
        ["Content-Length: 6", "Transfer-Encoding : chunked"],
        ["Content-Length: 6", "Transfer-Encoding: identity, chunked"],
        ["Content-Length: 0", "Content-Length: 60"],
        ["Content-Length: 0, 60"],
        ["Content-Length: +0"],
        ["Content-Length: 0x0"],
        ["Content-Length: -1"],
        ["Content-Length: 99999999999999999999"],
    ],
    ids=" | ".join,
)
def test_a_second_request_cannot_be_smuggled_in(rig, port, lines):
    hidden = b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n"
    heard = talk(rig.stack.settings.router_port, head(rig, *lines) + b"0\r\n\r\n" + hidden)
    assert_harmless(heard)
    straight = talk(port, head(rig, *lines) + b"0\r\n\r\n" + hidden)
    assert 500 not in statuses(straight)
    assert_alive(rig)


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\nab\r\n0\r\n\r\n",
        b"5\r\nab\r\n0\r\n\r\n",
        b"-1\r\n\r\n",
        b"ffffffffffffffff\r\na",
        b"2;" + b"a" * 9000 + b"\r\nab\r\n0\r\n\r\n",
        b"",
        b"2\r\nabcd",
    ],
)
def test_odd_chunks_are_no_error_of_ours(rig, port, body):
    heard = talk(port, head(rig, "Transfer-Encoding: chunked") + body)
    assert_harmless(heard)
    assert_alive(rig)


@pytest.mark.parametrize("what", ["predict", "predict/batch", "feedback"])
@pytest.mark.parametrize(
    "body",
    [DEEP, b'{"a":' * 50_000, b"[" * 500_000, b'"\\ud800"', b"\xff" * 100, b"1" * 10_000, b'{"depot": "\\u0000"}'],
)
def test_odd_json_is_no_error_of_ours(rig, port, what, body):
    path = f"/api/{WORKLOAD}/{what}"
    heard = talk(
        port, head(rig, f"Content-Length: {len(body)}", "Connection: close", path=path) + body, timeout=8, stays=True
    )
    assert_harmless(heard)
    assert statuses(heard)[0] in {400, 413, 422}
    assert b"application/problem+json" in heard


def test_hundreds_of_spoilt_requests_leave_the_service_as_it_was(rig, port):
    dice = random.Random(5)
    whole = head(rig, f"Content-Length: {len(QUESTION)}", "Connection: close") + QUESTION
    for _ in range(150):
        spoilt = bytearray(whole)
        for _ in range(dice.randint(1, 6)):
            place = dice.randrange(len(spoilt))
            spoilt[place : place + dice.randint(0, 3)] = dice.randbytes(dice.randint(0, 3))
        assert_harmless(talk(port, bytes(spoilt), timeout=1.0))
    assert_alive(rig)


@pytest.fixture
def slow(rig):
    """Twenty clients of each kind, connected and not yet saying anything."""
    address = ("127.0.0.1", rig.stack.settings.router_port)
    with contextlib.ExitStack() as stack:
        yield {
            kind: [stack.enter_context(socket.create_connection(address)) for _ in range(20)]
            for kind in ("header", "silent", "trickle")
        }


def test_slow_clients_are_cut_off_and_hold_nobody_up(rig, slow):
    """Headers have five seconds in all; a body that stops coming has five; one that trickles holds a connection and no worker."""
    for client in slow["silent"] + slow["trickle"]:
        client.sendall(head(rig, "Content-Length: 500") + b"{")
    begun, longest = time.monotonic(), 0.0
    while time.monotonic() - begun < 8:
        for client in slow["header"] + slow["trickle"]:
            with contextlib.suppress(OSError):
                client.sendall(b"a")
        asked = time.monotonic()
        assert_alive(rig)
        longest = max(longest, time.monotonic() - asked)
        time.sleep(0.3)
    assert longest < 1.5
    assert [_has_ended(client) for client in slow["header"] + slow["silent"]] == [True] * 40


def _has_ended(client):
    client.settimeout(0.5)
    try:
        while heard := client.recv(1 << 12):
            assert_harmless(heard)
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def test_a_refusal_says_what_it_is(rig):
    body = talk(rig.stack.settings.production_port, b"nonsense\r\n\r\n").partition(b"\r\n\r\n")[2]
    assert json.loads(body) == {"type": "/problems/bad-request", "title": "Bad Request", "status": 400}
