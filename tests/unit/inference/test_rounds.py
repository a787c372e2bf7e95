"""What is asked at once is in the log, each once, before any of it is answered."""

import json
from collections import Counter
from contextlib import ExitStack

import psutil
import pytest
from gunicorns import Gunicorn, connect, leave_home, read_answer, with_lines

from inference.round import LARGE, TOGETHER, Round


def logged(home):
    """How often the spool names each prediction id, and whether the answer that it points at stands ahead of it in its segment."""
    found, ahead = Counter(), True
    for path in (home / "spool" / "production").glob("*-*"):
        there = set()
        for record in map(json.loads, path.read_bytes().splitlines()):
            if record["record"] == "answer":
                there.add(record["answer_id"])
            else:
                found[record["prediction_id"]] += 1
                ahead = ahead and record["answer_id"] in there
    return found, ahead


@pytest.mark.parametrize("fsync", ["false", "true"])
def test_what_is_asked_while_the_worker_is_busy_is_answered_together_and_logged_one_by_one(tmp_path, fsync):
    """More of them than are answered together; nothing is shipped, for there is no database."""
    home, said = leave_home(tmp_path), []
    server = Gunicorn(home, WEB_WORKERS="1", LOG_FSYNC=fsync)
    try:
        server.first_answer()
        before, _ = logged(home)
        worker = psutil.Process(server.process.pid).children()[0]
        with ExitStack() as open_ones:
            clients = [open_ones.enter_context(connect(server)) for _ in range(2 * TOGETHER + 3)]
            for number in range(3):
                worker.suspend()
                for place, client in enumerate(clients):
                    client.sendall(
                        with_lines(body=b'{"depot": "north/a", "target": "sent", "horizon": %d}' % (place % 5 + 1))
                    )
                worker.resume()
                for place, client in enumerate(clients):
                    status, _, body, rest = read_answer(client)
                    answer = json.loads(body)
                    assert (status, rest, len(answer["weeks"])) == (200, b"", place % 5 + 1), number
                    said.append(answer["prediction_id"])
        found, ahead = logged(home)
    finally:
        server.stop()
    assert found - before == Counter(said)
    assert set((found - before).values()) == {1}
    assert ahead


def test_a_reply_waits_for_the_log_and_for_no_more_than_a_few_others():
    written = []

    class Log:
        def append_lines(self, lines, records, answers):
            written.append((lines, records, dict(answers)))
            return False  # full: that is counted where it is known, and nobody waits for it

    together = Round(Log())
    full = []
    for number in range(TOGETHER):
        assert together.append_lines(b"%d\n" % number, 1, {b"a%d" % (number % 2): b"answer\n"})
        full.append(together.add(number, b"reply"))
    assert written == []
    assert full == [False] * (TOGETHER - 1) + [True]
    assert [one for one, _ in together.end()] == list(range(TOGETHER))
    lines = b"".join(b"%d\n" % number for number in range(TOGETHER))
    assert written == [(lines, TOGETHER, {b"a0": b"answer\n", b"a1": b"answer\n"})]
    assert together.end() == []
    assert len(written) == 1


def test_a_batch_waits_for_nobody():
    class Log:
        def append_lines(self, *_):
            return True

    together = Round(Log())
    assert not together.add("a question", b"reply")
    assert together.add("a batch", bytes(LARGE))
    assert [one for one, _ in together.end()] == ["a question", "a batch"]
