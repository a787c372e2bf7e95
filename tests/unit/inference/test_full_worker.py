"""Whoever says nothing shuts nobody out: not where a worker has all the connections it may have, nor where it is given no more files."""

import time
from contextlib import ExitStack

import psutil
import pytest
from gunicorns import PLAIN, Gunicorn, connect, leave_home, read_answer

from ratchet.serve.segments import count_records

QUESTION = {"depot": "north/a", "target": "sent"}


@pytest.fixture
def start(tmp_path):
    servers = []

    def start(**settings):
        servers.append(Gunicorn(leave_home(tmp_path), WEB_WORKERS="1", WEB_THREADS="2", **settings))
        servers[-1].first_answer()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def ask(client):
    client.sendall(PLAIN)
    return read_answer(client)[0]


def ask_anew(server):
    """Seconds that a plain question and one for gunicorn's threads take, each on a connection of its own."""
    begun = time.monotonic()
    server.ask(body=QUESTION)
    server.ask("/api/health")
    return time.monotonic() - begun


def is_open(client):
    client.settimeout(0.05)
    try:
        return client.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def test_whoever_has_been_silent_for_longest_makes_room(start):
    server = start(GUNICORN_CMD_ARGS="--worker-connections 20")
    with ExitStack() as open_ones:
        busy, first, *silent = [open_ones.enter_context(connect(server)) for _ in range(12)]
        assert ask(first) == 200
        for _ in range(30):
            assert ask(busy) == 200
            silent.append(open_ones.enter_context(connect(server)))
        assert ask_anew(server) < 1.5
        assert (ask(busy), is_open(first), is_open(silent[0]), is_open(silent[-1])) == (200, False, False, True)


def test_a_worker_has_no_more_connections_than_files_and_keeps_some_for_its_log(start, tmp_path):
    """As a system gives them that has few: a quarter of what most have."""
    server = start(most_files=128)
    [worker] = psutil.Process(server.process.pid).children()
    with ExitStack() as open_ones:
        for _ in range(150):
            open_ones.enter_context(connect(server))
        assert ask_anew(server) < 1.5
        kept = count_records(tmp_path / "home" / "spool" / "production")
        assert worker.num_fds() < 128
    assert kept == 2
    assert psutil.Process(server.process.pid).children() == [worker]


def test_a_worker_that_is_given_no_more_files_answers_on_and_takes_all_in_again_when_it_is(start):
    server = start()
    [worker] = psutil.Process(server.process.pid).children()
    with ExitStack() as open_ones:
        busy = open_ones.enter_context(connect(server))
        assert ask(busy) == 200
        files = worker.rlimit(psutil.RLIMIT_NOFILE)
        worker.rlimit(psutil.RLIMIT_NOFILE, (worker.num_fds() + 5, files[1]))
        for _ in range(20):
            silent = open_ones.enter_context(connect(server))
            assert ask(busy) == 200
        assert ask_anew(server) < 1.5
        worker.rlimit(psutil.RLIMIT_NOFILE, files)
        time.sleep(1.5)
        more = [open_ones.enter_context(connect(server)) for _ in range(20)]
        assert [ask(client) for client in more] == [200] * 20
        assert is_open(silent)
    assert psutil.Process(server.process.pid).children() == [worker]
