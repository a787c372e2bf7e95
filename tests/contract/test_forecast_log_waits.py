"""A database that is away, slow or hangs: the forecast log waits on disk, loses nothing and arrives once."""

import os
import signal
import threading
import time
from contextlib import closing

import psycopg2
import pytest
from log_records import forecast, refuse, rows, ship, wait_until

from ratchet.serve import forward, segments
from ratchet.serve.forward import Forwarder
from ratchet.serve.segments import count_records


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


@pytest.fixture
def stopped(monkeypatch, hang):
    """Stops a process without a word, for one that waits a second for words."""
    monkeypatch.setattr(forward, "SILENT_SECONDS", 1.0)
    return hang


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
