"""A transaction of the loop ends also where its backend hangs: the kernel under it goes on to acknowledge whatever is sent."""

import threading
import time
from datetime import UTC, datetime

import psycopg2
import pytest
from sqlalchemy import text

from ratchet import database, migrations
from ratchet.contracts.errors import JournalError, RatchetError
from ratchet.observe.database import transaction
from ratchet.serve import tidy
from ratchet.stack import doctor
from ratchet.stack import postgres as server

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
HANGS = "the journal is away: the server hangs"


@pytest.fixture
def stop(monkeypatch, hang):
    """Stops a process without a word, for those who wait half a second longer than for a statement."""
    monkeypatch.setattr(database, "GRACE_SECONDS", 0.5)
    return hang


def begin(postgres, *, seconds=1):
    return transaction(postgres, what="the journal", error=JournalError, statement_seconds=seconds)


@pytest.mark.parametrize("step", ["statement", "commit", "rollback", "rows"])
def test_whatever_the_server_is_asked_for_is_given_up_where_nothing_is_heard(postgres, stop, step):
    began = time.monotonic()
    with pytest.raises(JournalError, match=HANGS), begin(postgres) as cursor:  # noqa: PT012
        rows = cursor.connection.cursor("named")
        rows.execute("SELECT 1")
        stop(cursor.connection.info.backend_pid)
        if step == "statement":
            cursor.execute("SELECT 1")
        elif step == "rows":
            rows.fetchmany(10)
        elif step == "rollback":
            raise psycopg2.OperationalError("the server hangs, as it said before")
    assert time.monotonic() - began < 5
    with begin(postgres) as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == [(1,)]


def test_a_statement_has_all_its_time_and_who_asks_nothing_may_rest(postgres, monkeypatch):
    monkeypatch.setattr(database, "GRACE_SECONDS", 0.1)
    with begin(postgres) as cursor:
        cursor.execute("SELECT pg_sleep(0.9)")
        time.sleep(1.5)
        cursor.execute("SELECT pg_sleep(0.9)")


def test_a_connection_that_is_lost_in_the_middle_is_said_so(postgres):
    with (
        pytest.raises(JournalError, match="the journal is away: server closed the connection unexpectedly"),
        begin(postgres),
    ):
        raise psycopg2.OperationalError("server closed the connection unexpectedly\n\tThis probably means …")


def test_a_host_that_is_gone_without_a_word_holds_a_lock_for_a_minute(postgres):
    with begin(postgres) as cursor:
        cursor.execute(
            "SELECT current_setting('tcp_keepalives_idle')::int"
            " + current_setting('tcp_keepalives_interval')::int * current_setting('tcp_keepalives_count')::int"
        )
        assert cursor.fetchone() == (60,)


def test_tidying_the_log_ends_too(postgres, stop, monkeypatch):
    monkeypatch.setattr(tidy, "STATEMENT_SECONDS", 1)
    monkeypatch.setattr(tidy, "ENSURE_DAY", "SELECT pg_sleep(0.8), %s")
    threading.Thread(target=lambda: stop(_who_asks(postgres, "SELECT pg_sleep(0.8), "))).start()
    with pytest.raises(RatchetError, match="the database of the forecast log is away: the server hangs"):
        tidy.tidy_log(postgres, now=NOW, keep_days=90)


def test_migrating_ends_too(postgres, stop, monkeypatch):
    monkeypatch.setattr(migrations, "STATEMENT_SECONDS", 1)
    monkeypatch.setattr(migrations, "_LOCK", text("SELECT pg_sleep(0.7)"))
    threading.Thread(target=lambda: stop(_who_asks(postgres, "SELECT pg_sleep(0.7)"))).start()
    with pytest.raises(RatchetError, match="database `ratchet` is away: the server hangs"):
        migrations.migrate(postgres)


def test_making_a_database_ends_too(postgres, stop, monkeypatch):
    monkeypatch.setattr(server, "_STATEMENT_SECONDS", 1)
    with begin(postgres) as cursor:
        cursor.execute("LOCK TABLE pg_database IN SHARE MODE")
        with pytest.raises(RatchetError, match="the server of database `new` failed: QueryCanceled"):
            server.create_database(postgres, "new")
        threading.Thread(target=lambda: stop(_who_asks(postgres, "CREATE DATABASE"))).start()
        with pytest.raises(RatchetError, match="the server of database `new` is away: the server hangs"):
            server.create_database(postgres, "new")


@pytest.mark.parametrize("ailing", ["hangs", "ends"])
def test_the_doctor_names_a_server_that_falls_silent_or_away_once_it_has_let_one_in(
    postgres, stop, monkeypatch, tmp_path, ailing
):
    def connect_and_ail(*asked, **limits):
        connection = database.connect(*asked, **limits)
        if ailing == "hangs":
            stop(connection.info.backend_pid)
        else:
            with begin(postgres) as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        return connection

    monkeypatch.setattr(doctor, "connect", connect_and_ail)
    monkeypatch.setattr(doctor, "_ANSWER_SECONDS", 1)
    monkeypatch.setenv("DATABASE_URL", postgres)
    monkeypatch.setenv("DATA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    found = {found.what: found.says for found in doctor.examine(tmp_path) if not found.is_well}
    assert found["database"].startswith("the database at 127.0.0.1:")
    words = {
        "hangs": "is away: the server hangs",
        "ends": ("failed: AdminShutdown 57P01", "closed the connection unexpectedly"),
    }
    assert found["database"].endswith(words[ailing])


def _who_asks(postgres, question):
    """The process that is asked this, as soon as one is."""
    asked = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s"
    until = time.monotonic() + 20
    with begin(postgres) as cursor:
        while time.monotonic() < until:
            cursor.execute(asked, (f"{question}%",))
            if found := cursor.fetchone():
                return found[0]
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            time.sleep(0.02)
    raise AssertionError(f"nobody asks {question}")
