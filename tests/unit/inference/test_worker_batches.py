"""A batch that was asked before is answered by the thread that watches the connections; every other one is gunicorn's."""

import json
import re
import selectors
import socket
import time
from contextlib import ExitStack

import pytest
from gunicorns import HEAD, PLAIN, Gunicorn, connect, leave_home, read_answer, with_lines

BATCH = HEAD.replace(b"predict HTTP", b"predict/batch HTTP")


def batch(count, *, horizon=2):
    items = [{"depot": "north/a", "target": "sent", "horizon": horizon}] * count
    return with_lines(b"Content-Type: application/json", body=json.dumps({"items": items}).encode(), head=BATCH)


@pytest.mark.parametrize("count", [1, 20, 1000])
def test_a_batch_is_answered_in_one_piece_and_in_many(track, count):
    said, given = batch(count), []
    with connect(track) as client:
        for size in (len(said), len(said), 20_000, 7_001, len(said) - 1):
            for at in range(0, len(said), size):
                client.sendall(said[at : at + size])
                time.sleep(0.01 * (size < len(said)))
            status, _, body, rest = read_answer(client)
            answer = json.loads(body)
            assert (status, answer["answered"], answer["failed"], rest) == (200, count, 0, b"")
            given += [one["prediction_id"] for one in answer["results"]]
            client.sendall(PLAIN)
            assert read_answer(client)[0] == 200
    assert len(set(given)) == len(given) == 5 * count


def test_a_batch_that_was_asked_before_needs_no_thread(tmp_path):
    """The only one waits for a client that does not read its answer."""
    server = Gunicorn(leave_home(tmp_path), WEB_WORKERS="1", WEB_THREADS="1")
    try:
        server.first_answer()
        with connect(server) as client, socket.socket() as deaf:
            for _ in range(2):
                client.sendall(batch(20))
                assert read_answer(client)[0] == 200
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", server.port))
            for _ in range(20):
                deaf.sendall(batch(1000, horizon=12))
            time.sleep(0.5)
            for said in (batch(20), PLAIN):
                head, _, body = said.partition(b"\r\n\r\n")
                for part in (head + b"\r\n\r\n", body[:9], body[9:]):  # many a client sends its head first
                    client.sendall(part)
                    time.sleep(0.02)
                assert read_answer(client)[0] == 200
            client.sendall(batch(20, horizon=3))  # which nobody has asked yet: it waits for the thread
            client.settimeout(0.5)
            with pytest.raises(TimeoutError):
                client.recv(1)
    finally:
        server.process.kill()
        server.stop()


def test_batches_that_are_asked_at_once_are_all_answered_and_hold_nobody_up(track):
    """More of them than there are threads, again and again, and a question in between."""
    with ExitStack() as open_ones:
        clients = [open_ones.enter_context(connect(track)) for _ in range(12)]
        alone = open_ones.enter_context(connect(track))
        given = []
        for _ in range(5):
            for client in clients:
                client.sendall(batch(500))
            alone.sendall(PLAIN)
            assert read_answer(alone)[0] == 200
            for client in clients:
                status, _, body, rest = read_answer(client)
                answer = json.loads(body)
                assert (status, answer["answered"], rest) == (200, 500, b"")
                given += [one["prediction_id"] for one in answer["results"]]
        assert len(set(given)) == len(given) == 5 * 12 * 500


def test_everybody_who_asks_for_batches_gets_their_turn(track):
    """Whoever is quick to ask again is not looked at before those who wait; questions in between make it easy to be quick."""
    said = [batch(1000)] * 8 + [PLAIN] * 4
    answered, to_come, buffer = [0] * len(said), [0] * len(said), bytearray(1 << 21)
    with ExitStack() as open_ones, selectors.DefaultSelector() as readable:
        for number, request in enumerate(said):
            client = open_ones.enter_context(connect(track))
            readable.register(client, selectors.EVENT_READ, number)
            client.sendall(request)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            for key, _ in readable.select(0.1):
                number = key.data
                read = key.fileobj.recv_into(buffer)
                if not to_come[number]:
                    head = bytes(buffer[:1024]).partition(b"\r\n\r\n")[0]
                    to_come[number] = len(head) + 4 + int(re.search(rb"(?i)content-length: ([0-9]+)", head)[1])
                to_come[number] -= read
                if not to_come[number]:
                    answered[number] += 1
                    key.fileobj.sendall(said[number])
    assert min(answered[:8]) > max(answered[:8]) / 2, answered
