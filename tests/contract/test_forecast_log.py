"""Spool → forwarder → a real PostgreSQL: everything arrives, once, whatever dies or is away meanwhile."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import psycopg2
import pytest

from ratchet.contracts.ports import Track
from ratchet.serve import forward, segments
from ratchet.serve.forward import Forwarder
from ratchet.serve.log_lines import sort_out, take_apart
from ratchet.serve.prediction_ids import mint
from ratchet.serve.segments import count_records
from ratchet.serve.spool import Spool

AT = datetime(2026, 11, 2, 23, 59, 59, 999000, tzinfo=UTC)
WEEKS = [{"week": "2026-11-08", "mean": 1.5, "median": 1, "lo_80": 0, "hi_80": 2, "lo_95": 0, "hi_95": 3}]


@pytest.fixture
def workload():
    """A workload of this test's own: the database is shared."""
    return f"log-{uuid.uuid4().hex[:12]}"


class PointingSpool(Spool):
    """Writes whole records as serving does: an answer, and a line that points at it."""

    def append(self, record):
        answers, [line] = sort_out(take_apart(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)))
        return self.append_lines(line + b"\n", 1, {name: answer + b"\n" for name, answer in answers.items()})


@pytest.fixture(params=[PointingSpool, Spool], ids=["as now", "as before answers stood alone"])
def spool(tmp_path, request):
    spool = request.param(tmp_path / "spool", max_bytes=64 << 20, fsync=False, on_lost=lambda _: None)
    yield spool
    spool.close()


@pytest.fixture
def rejected():
    return []


@pytest.fixture
def forwarder(spool, postgres, rejected):
    with closing(Forwarder(spool.folder, postgres, on_rejected=lambda: rejected.append(1))) as forwarder:
        yield forwarder


def forecast(workload, *, at=AT, **other):
    prediction_id = mint(b"secret", at, workload=workload, track=Track.PRODUCTION, release="BO1")
    return {
        "record": "forecast",
        "prediction_id": prediction_id,
        "at": at,
        "workload": workload,
        "unique_id": 'süd/a \\ "b" \x02,\t\n',
        "target": "sent",
        "horizon": 1,
        "track": "production",
        "assigned": None,
        "release": "BO1",
        "release_id": "r1",
        "client": "c",
        "request_id": "q",
        "data_hour": AT - timedelta(hours=4),
        "weeks": WEEKS,
        "latency_ms": 1.25,
        **other,
    }


def feedback(workload, prediction_id, value, *, at=AT, kind="rating", client="c"):
    return {
        "record": "feedback",
        "prediction_id": prediction_id,
        "kind": kind,
        "client": client,
        "workload": workload,
        "value": value,
        "at": at,
    }


def rows(postgres, table, workload):
    query = {
        "forecasts": "SELECT row_to_json(t) FROM forecast_log t WHERE workload = %s ORDER BY at, prediction_id",
        "feedback": "SELECT row_to_json(t) FROM feedback t WHERE workload = %s ORDER BY at, kind, client",
    }[table]
    connection = psycopg2.connect(postgres, options="-c timezone=UTC")
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, (workload,))
            return [row for (row,) in cursor.fetchall()]
    finally:
        connection.close()


def ship(spool, forwarder):
    spool.close()
    return forwarder.ship()


def refuse(*_, **__):
    raise psycopg2.OperationalError("could not connect to server")


def test_a_record_arrives_as_it_was_written(spool, forwarder, postgres, workload):
    record = forecast(workload, family="theta")
    spool.append(record)
    assert ship(spool, forwarder) == 1
    [row] = rows(postgres, "forecasts", workload)
    stamps = {"at": "2026-11-02T23:59:59.999+00:00", "data_hour": "2026-11-02T19:59:59.999+00:00"}
    del row["answer_id"]
    assert row == {name: value for name, value in record.items() if name != "record"} | stamps
    assert segments.finished(spool.folder) == []


def test_names_arrive_as_they_are_whatever_the_environment_says(spool, forwarder, postgres, workload, monkeypatch):
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("PGCLIENTENCODING", "LATIN1")
        record = forecast(workload)
        spool.append(record)
        ship(spool, forwarder)
    assert [row["unique_id"] for row in rows(postgres, "forecasts", workload)] == [record["unique_id"]]


def test_a_day_is_made_when_its_first_forecast_comes(spool, forwarder, postgres, workload):
    days = [AT + timedelta(days=number, milliseconds=1) for number in (1, 40, 400)]
    for at in days:
        spool.append(forecast(workload, at=at))
    ship(spool, forwarder)
    assert len(rows(postgres, "forecasts", workload)) == 3


def test_an_answer_is_kept_once_a_day_however_many_ask(spool, forwarder, postgres, workload):
    for milliseconds in (0, 0, 1, 2):  # the last two are the next day's
        spool.append(forecast(workload, at=AT + timedelta(milliseconds=milliseconds)))
    spool.append(forecast(workload, weeks=[]))
    ship(spool, forwarder)
    found = rows(postgres, "forecasts", workload)
    assert [row["weeks"] for row in found if row["weeks"]] == [WEEKS] * 4
    with closing(psycopg2.connect(postgres)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT day FROM answers WHERE answer_id = ANY(%s::uuid[]) ORDER BY day",
            ([row["answer_id"] for row in found],),
        )
        assert [day.day for (day,) in cursor.fetchall()] == [2, 2, 3]


def test_replayed_records_are_there_once(spool, forwarder, postgres, workload, tmp_path, rejected):
    first = forecast(workload)
    spool.append(first)
    spool.append(first)
    spool.append(feedback(workload, first["prediction_id"], 3))
    spool.close()
    [segment] = segments.finished(spool.folder)
    shutil.copy(segment, tmp_path / "copy")
    forwarder.ship()
    before = rows(postgres, "forecasts", workload), rows(postgres, "feedback", workload)
    shutil.copy(tmp_path / "copy", segment)
    forwarder.ship()
    assert (rows(postgres, "forecasts", workload), rows(postgres, "feedback", workload)) == before
    assert [len(kept) for kept in before] == [1, 1]
    assert rejected == []


def test_later_feedback_replaces_and_earlier_does_not(spool, forwarder, postgres, workload):
    for value, seconds in ((1, 0), (2, 2), (3, 1)):
        spool.append(feedback(workload, f"of {workload}", value, at=AT + timedelta(seconds=seconds)))
    ship(spool, forwarder)
    assert [row["value"] for row in rows(postgres, "feedback", workload)] == [2]
    for value, seconds in ((4, 1), (5, 3), (6, 2)):
        spool.append(feedback(workload, f"of {workload}", value, at=AT + timedelta(seconds=seconds)))
        ship(spool, forwarder)
    assert [row["value"] for row in rows(postgres, "feedback", workload)] == [5]


def test_kinds_and_clients_have_feedback_of_their_own(spool, forwarder, postgres, workload):
    spool.append(feedback(workload, f"of {workload}", 4))
    spool.append(feedback(workload, f"of {workload}", 5, client="d"))
    spool.append(feedback(workload, f"of {workload}", 'schön \\ "x"', kind="comment"))
    spool.append(feedback(workload, f"of {workload}", {"week": "2026-11-08", "value": 3.5}, kind="actual"))
    spool.append(feedback(workload, f"of {workload}", value=False, kind="accurate"))
    ship(spool, forwarder)
    found = {(row["kind"], row["client"]): row["value"] for row in rows(postgres, "feedback", workload)}
    assert found == {
        ("rating", "c"): 4,
        ("rating", "d"): 5,
        ("comment", "c"): 'schön \\ "x"',
        ("actual", "c"): {"week": "2026-11-08", "value": 3.5},
        ("accurate", "c"): False,
    }


@pytest.mark.parametrize(
    "poison",
    [
        pytest.param({"at": "yesterday or so"}, id="no time"),
        pytest.param({"at": None}, id="without a time"),
        pytest.param({"prediction_id": None}, id="without an id"),
        pytest.param({"horizon": 1 << 40}, id="too large a number"),
        pytest.param({"unique_id": "a\x00b"}, id="a character that PostgreSQL has not"),
        pytest.param({"record": "recipe"}, id="of no kind"),
        pytest.param({"prediction_id": random.Random(1).randbytes(9000).hex()}, id="longer than a key can be"),
    ],
)
def test_a_poisonous_record_is_set_aside_and_blocks_nobody(spool, forwarder, postgres, workload, rejected, poison):
    for number in range(20):
        spool.append({**forecast(workload), **(poison if number == 7 else {})})
    ship(spool, forwarder)
    assert len(rows(postgres, "forecasts", workload)) == 19
    assert segments.finished(spool.folder) == []
    [aside] = (spool.folder / "rejected").iterdir()
    assert '"reason"' in aside.read_text()
    assert rejected == [1]


def test_the_runbooks_lines_bring_back_what_was_set_aside(spool, forwarder, postgres, workload, rejected, monkeypatch):
    for record in (forecast(workload, request_id="good"), forecast(workload, request_id="refused for now")):
        spool.append(record)
    spool.close()
    insert = forwarder._insert

    def insert_without_some(lines):
        if b"refused for now" in lines:
            raise psycopg2.errors.CheckViolation("not as long as this is so")
        insert(lines)

    monkeypatch.setattr(forwarder, "_insert", insert_without_some)
    forwarder.ship()
    assert [row["request_id"] for row in rows(postgres, "forecasts", workload)] == ["good"]
    monkeypatch.setattr(forwarder, "_insert", insert)
    page = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text()
    again = page.split("### ForecastLogSetAside")[1].split("```sh")[1].split("```")[0].split(" && ", maxsplit=1)[1]
    for _ in range(2):  # what is there already is not stored twice
        subprocess.run(["bash", "-euc", again], cwd=spool.folder, check=True)
        assert forwarder.ship() == 1
    assert sorted(row["request_id"] for row in rows(postgres, "forecasts", workload)) == ["good", "refused for now"]
    assert rejected == [1]


def test_feedback_of_no_kind_is_set_aside(spool, forwarder, postgres, workload, rejected):
    spool.append(feedback(workload, f"of {workload}", 1, kind="praise"))
    spool.append(feedback(workload, f"of {workload}", 2))
    ship(spool, forwarder)
    assert [row["value"] for row in rows(postgres, "feedback", workload)] == [2]
    assert rejected == [1]


def test_the_torn_last_line_of_a_killed_worker_is_set_aside(spool, forwarder, postgres, workload, rejected):
    spool.append(forecast(workload))
    spool.close()
    [segment] = segments.finished(spool.folder)
    with segment.open("ab") as stream:
        stream.write(b'{"record":"forecast","predic')
    forwarder.ship()
    assert len(rows(postgres, "forecasts", workload)) == 1
    assert rejected == [1]


def test_what_is_torn_is_set_aside_once_however_long_the_database_is_away(
    spool, forwarder, postgres, workload, rejected, monkeypatch
):
    spool.append(forecast(workload))
    spool.close()
    [segment] = segments.finished(spool.folder)
    with segment.open("ab") as stream:
        stream.write(b'{"record":"forecast","predic')
    with monkeypatch.context() as away:
        away.setattr(forward.psycopg2, "connect", refuse)
        for _ in range(5):
            with pytest.raises(psycopg2.OperationalError):
                forwarder.ship()
    forwarder.ship()
    assert len(rows(postgres, "forecasts", workload)) == 1
    [aside] = (spool.folder / "rejected").iterdir()
    assert (len(aside.read_text().splitlines()), rejected) == (1, [1])


def test_a_file_that_cannot_be_read_is_told_once_and_blocks_nobody(spool, forwarder, postgres, workload, caplog):
    """As a worker of another user leaves it; the superuser can read all but a folder."""
    for name in ("00000000000000000001-1.1.ready", "00000000000000000001-2.open"):
        (spool.folder / name).mkdir()
    for _ in range(3):
        spool.append(forecast(workload))
        spool.close()
        forwarder.step(spool)
    assert len(rows(postgres, "forecasts", workload)) == 3
    assert [sum(name in line for line in caplog.messages) for name in ("-1.1.ready", "-2.open")] == [1, 1]
    assert count_records(spool.folder) == 1


def test_what_cannot_be_set_aside_blocks_nobody_and_is_set_aside_when_that_is_possible(
    spool, forwarder, postgres, workload, rejected, monkeypatch
):
    now = [0.0]
    monkeypatch.setattr(forwarder, "_clock", lambda: now[0])
    (spool.folder / "rejected").touch()  # no folder can be made there
    spool.append(forecast(workload, horizon=1 << 40))
    spool.append(forecast(workload))
    spool.close()
    spool.append(forecast(workload))
    assert ship(spool, forwarder) == 1
    assert (len(rows(postgres, "forecasts", workload)), rejected) == (2, [])
    assert len(segments.finished(spool.folder)) == 1
    (spool.folder / "rejected").unlink()
    now[0] += 60
    assert forwarder.ship() == 1
    assert (len(rows(postgres, "forecasts", workload)), rejected) == (2, [1])


def test_a_full_spool_has_room_again_while_it_is_being_shipped(tmp_path, postgres, workload, monkeypatch):
    spool = PointingSpool(tmp_path, max_bytes=30_000, fsync=False, on_lost=lambda _: None)
    while spool.append(forecast(workload)):
        spool.close()
    waiting, kept = len(segments.finished(tmp_path)), []
    with closing(Forwarder(tmp_path, postgres, on_rejected=lambda: None)) as forwarder:
        insert = forwarder._insert

        def insert_while_somebody_asks(lines):
            insert(lines)
            kept.append(spool.append(forecast(workload)))

        monkeypatch.setattr(forwarder, "_insert", insert_while_somebody_asks)
        forwarder.step(spool)
    spool.close()
    assert waiting > 10
    assert kept == [False] + [True] * (waiting - 1)


@pytest.fixture
def slow_database(postgres, workload):
    """One that takes 20 ms for each forecast of this workload."""
    with closing(psycopg2.connect(postgres)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END$$"
        )
        cursor.execute(
            "CREATE TRIGGER dawdle BEFORE INSERT ON forecasts FOR EACH ROW WHEN (NEW.workload = %s) EXECUTE FUNCTION dawdle()",
            (workload,),
        )
        yield
        cursor.execute("DROP FUNCTION dawdle CASCADE")


@pytest.mark.usefixtures("slow_database")
def test_what_is_too_much_for_a_slow_database_at_once_goes_in_parts(
    spool, forwarder, postgres, workload, rejected, monkeypatch
):
    monkeypatch.setitem(forward.CONNECT, "options", "-c statement_timeout=300ms")
    for _ in range(30):
        spool.append(forecast(workload))
    assert ship(spool, forwarder) == 1
    assert (len(rows(postgres, "forecasts", workload)), rejected) == (30, [])


@pytest.mark.usefixtures("slow_database")
def test_a_database_that_is_too_slow_for_one_record_costs_none(spool, forwarder, workload, rejected, monkeypatch):
    monkeypatch.setitem(forward.CONNECT, "options", "-c statement_timeout=15ms")
    spool.append(forecast(workload))
    with pytest.raises(psycopg2.OperationalError):
        ship(spool, forwarder)
    assert (count_records(spool.folder), rejected) == (1, [])


def test_two_forwarders_never_ship_the_same_segment(spool, forwarder, postgres, workload):
    with closing(Forwarder(spool.folder, postgres, on_rejected=lambda: None)) as other:
        spool.append(forecast(workload))
        assert ship(spool, forwarder) == 1
        spool.append(forecast(workload))
        assert ship(spool, other) == 0
        forwarder.close()
        assert other.ship() == 1
    assert len(rows(postgres, "forecasts", workload)) == 2


def test_nothing_is_deleted_before_it_is_committed(spool, forwarder, postgres, workload, monkeypatch):
    spool.append(forecast(workload))
    spool.close()
    monkeypatch.setattr(forward, "FEEDBACK", "SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises((psycopg2.OperationalError, psycopg2.InterfaceError)):
        forwarder.ship()
    forwarder.close()
    assert len(segments.finished(spool.folder)) == 1
    assert rows(postgres, "forecasts", workload) == []
    monkeypatch.undo()
    assert forwarder.ship() == 1
    assert len(rows(postgres, "forecasts", workload)) == 1


@pytest.fixture
def stopped(monkeypatch):
    """Stops a process without a word, for one that waits a second for words; it goes on when the test ends, or earlier."""
    monkeypatch.setattr(forward, "SILENT_SECONDS", 1.0)
    pids = []

    def stop(pid):
        os.kill(pid, signal.SIGSTOP)
        pids.append(pid)

    yield stop
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def test_a_backend_that_hangs_without_a_word_is_left_and_nothing_is_lost(
    spool, forwarder, postgres, workload, stopped, caplog
):
    """Its kernel goes on to acknowledge whatever is sent: no timeout of the line's own is ever reached."""
    spool.append(forecast(workload))
    assert ship(spool, forwarder) == 1
    stopped(forwarder._connection.info.backend_pid)
    spool.append(forecast(workload))
    spool.close()
    forwarder.step(spool)
    assert len(segments.finished(spool.folder)) == 1
    assert caplog.messages == ["the forecast log stays in the spool: the server hangs"]
    assert forwarder.ship() == 1
    assert len(rows(postgres, "forecasts", workload)) == 2


def test_what_a_hanging_backend_holds_waits_for_it_alone_and_arrives_once(
    spool, forwarder, postgres, workload, monkeypatch, stopped
):
    now = [0.0]
    monkeypatch.setattr(forwarder, "_clock", lambda: now[0])
    monkeypatch.setitem(forward.CONNECT, "options", "-c timezone=UTC -c lock_timeout=300ms")
    spool.append(forecast(workload))
    spool.close()
    with monkeypatch.context() as slow:
        slow.setattr(forward, "FEEDBACK", "SELECT pg_sleep(0.7)")
        forwarder._connect()
        stopping = threading.Timer(0.4, stopped, (forwarder._connection.info.backend_pid,))
        stopping.start()
        forwarder.step(spool)
        stopping.join()
    spool.append(forecast(workload, horizon=2))  # an answer of its own: the same one would wait too
    spool.close()
    assert forwarder.ship() == 1, "the other one"
    assert len(rows(postgres, "forecasts", workload)) == 1
    os.kill(_backend_that_hangs(postgres), signal.SIGCONT)
    wait_until(lambda: not _backend_that_hangs(postgres))
    now[0] += forward.LEFT_SECONDS
    assert forwarder.ship() == 1
    assert len(rows(postgres, "forecasts", workload)) == 2


def _backend_that_hangs(postgres):
    with closing(psycopg2.connect(postgres)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(0.7)'")
        return next((pid for (pid,) in cursor.fetchall()), None)


def test_a_schema_that_is_not_there_yet_rejects_nothing(spool, postgres_server, workload, rejected, postgres):
    postgres_server.create_database("not_migrated")
    forwarder = Forwarder(spool.folder, postgres_server.uri("not_migrated"), on_rejected=lambda: rejected.append(1))
    spool.append(forecast(workload))
    spool.close()
    forwarder.step(spool)
    forwarder.close()
    assert len(segments.finished(spool.folder)) == 1
    assert rejected == []
    assert rows(postgres, "forecasts", workload) == []


def test_the_database_goes_away_and_comes_back(spool, forwarder, postgres, workload, monkeypatch, caplog):
    stop = threading.Event()
    connect, away = psycopg2.connect, threading.Event()

    def connect_unless_away(*args, **kwargs):
        if away.is_set():
            raise psycopg2.OperationalError("could not connect to server")
        return connect(*args, **kwargs)

    monkeypatch.setattr(forward.psycopg2, "connect", connect_unless_away)
    away.set()
    thread = threading.Thread(target=forwarder.run, args=(stop, spool))
    thread.start()
    for number in range(50):
        assert spool.append(forecast(workload, horizon=number))
        time.sleep(0.03)
    assert count_records(spool.folder) == 50
    away.clear()
    wait_until(lambda: count_records(spool.folder) == 0)
    stop.set()
    thread.join()
    assert [row["horizon"] for row in sorted(rows(postgres, "forecasts", workload), key=lambda r: r["horizon"])] == [
        *range(50)
    ]
    assert "is being forwarded again" in caplog.text
    assert sum("stays in the spool" in line for line in caplog.messages) == 1


@pytest.mark.parametrize("url", ["postgresql://me:pass/word@nowhere/x", "postgresql://me:pass word@nowhere:port/x"])
def test_no_part_of_a_password_that_spoils_its_address_is_logged(spool, workload, caplog, url):
    spool.append(forecast(workload))
    spool.close()
    with closing(Forwarder(spool.folder, url, on_rejected=lambda: None)) as forwarder:
        forwarder.step(spool)
    assert "stays in the spool" in caplog.text
    assert ("pass" in caplog.text, "word" in caplog.text) == (False, False)


def test_a_database_that_was_away_for_hours_is_found_again(spool, forwarder, postgres, workload, monkeypatch):
    spool.append(forecast(workload))
    spool.close()
    connect, now = psycopg2.connect, [0.0]
    monkeypatch.setattr(forwarder, "_clock", lambda: now[0])
    monkeypatch.setattr(forward.psycopg2, "connect", refuse)
    for _ in range(4 * 360):  # as often as it tries in four hours
        forwarder.step(spool)
        now[0] += 10
    monkeypatch.setattr(forward.psycopg2, "connect", connect)
    forwarder.step(spool)
    assert len(rows(postgres, "forecasts", workload)) == 1


WRITER = """
import sys, threading
from datetime import datetime
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from test_forecast_log import PointingSpool, forecast
spool = PointingSpool(Path(sys.argv[1]), max_bytes=64 << 20, fsync=False, on_lost=lambda _: None)
pause = threading.Event()
def ticks():
    while True:
        spool.tick()
        threading.Event().wait(0.05)
threading.Thread(target=ticks, daemon=True).start()
while True:
    record = forecast(sys.argv[2])
    if spool.append(record):
        sys.stdout.write(record["prediction_id"] + "\\n")
        sys.stdout.flush()
    pause.wait(0.0003)
"""


def test_what_was_answered_before_a_kill_is_in_the_database_to_the_row(tmp_path, postgres, workload, rejected):
    folder = tmp_path / "spool"
    folder.mkdir()
    forwarder = Forwarder(folder, postgres, on_rejected=lambda: rejected.append(1))
    answered = []
    for round_number in range(3):
        here = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
        command = [sys.executable, "-c", WRITER, str(folder), workload, *here]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        reader = threading.Thread(target=answered.extend, args=(process.stdout,))
        reader.start()
        wait_until(lambda least=400 * (round_number + 1): len(answered) > least)
        forwarder.ship()
        time.sleep(0.4)
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()
    forwarder.ship()
    forwarder.close()
    told = {line.strip() for line in answered if line.endswith("\n")}
    logged = {row["prediction_id"] for row in rows(postgres, "forecasts", workload)}
    assert len(told) > 1000
    assert told <= logged
    assert len(logged) - len(told) <= 3, "at most the one that each kill found between log and answer"
    assert len(rejected) <= 3
    assert count_records(folder) == 0


def wait_until(true, seconds=20):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
