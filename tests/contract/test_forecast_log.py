"""Spool → forwarder → a real PostgreSQL: everything arrives as it was written, once, whoever dies meanwhile."""

import shutil
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest
from log_records import AT, WEEKS, PointingSpool, feedback, forecast, rows, ship, wait_until

from ratchet.serve import forward, segments
from ratchet.serve.forward import Forwarder
from ratchet.serve.segments import count_records


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
    begun = datetime.now(UTC) - timedelta(minutes=1)
    for value, seconds in ((1, 0), (2, 2), (3, 1)):
        spool.append(feedback(workload, f"of {workload}", value, at=begun + timedelta(seconds=seconds)))
    ship(spool, forwarder)
    assert [row["value"] for row in rows(postgres, "feedback", workload)] == [2]
    for value, seconds in ((4, 1), (5, 3), (6, 2)):
        spool.append(feedback(workload, f"of {workload}", value, at=begun + timedelta(seconds=seconds)))
        ship(spool, forwarder)
    assert [row["value"] for row in rows(postgres, "feedback", workload)] == [5]


def test_each_week_of_a_forecast_has_an_actual_of_its_own(spool, forwarder, postgres, workload):
    """All weeks are answered under one id: what happened in the second must not replace what happened in the first."""
    begun = datetime.now(UTC) - timedelta(minutes=1)
    said = [("2026-11-08", 5.0), ("2026-11-15", 6.0), ("2026-11-15", 7.0), ("2026-11-08", 8.0), ("2026-11-22", 9.0)]
    for at, (week, value) in enumerate(said):
        actual = {"week": week, "value": value}
        spool.append(feedback(workload, f"of {workload}", actual, kind="actual", at=begun + timedelta(seconds=at)))
        if at != 1:
            ship(spool, forwarder)
    found = {row["value"]["week"]: row["value"]["value"] for row in rows(postgres, "feedback", workload)}
    assert found == {"2026-11-08": 8.0, "2026-11-15": 7.0, "2026-11-22": 9.0}
    assert len(rows(postgres, "feedback", workload)) == 3


def test_feedback_that_a_clock_stamped_before_it_was_set_back_is_replaced_too(spool, forwarder, postgres, workload):
    now = datetime.now(UTC)
    for value, at in ((1, now + timedelta(hours=1)), (2, now), (3, now + timedelta(seconds=1))):
        spool.append(feedback(workload, f"of {workload}", value, at=at))
        ship(spool, forwarder)
    assert [row["value"] for row in rows(postgres, "feedback", workload)] == [3]


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


WRITER = """
import sys, threading
from datetime import datetime
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from log_records import PointingSpool, forecast
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
