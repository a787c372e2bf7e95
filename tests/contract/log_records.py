"""What tests of the forecast log write down as serving does, and how they find it again."""

import time
from datetime import UTC, datetime, timedelta

import orjson
import psycopg2

from ratchet.contracts.ports import Track
from ratchet.serve.log_lines import sort_out, take_apart
from ratchet.serve.prediction_ids import mint
from ratchet.serve.spool import Spool

AT = datetime(2026, 11, 2, 23, 59, 59, 999000, tzinfo=UTC)
WEEKS = [{"week": "2026-11-08", "mean": 1.5, "median": 1, "lo_80": 0, "hi_80": 2, "lo_95": 0, "hi_95": 3}]


class PointingSpool(Spool):
    """Writes whole records as serving does: an answer, and a line that points at it."""

    def append(self, record):
        answers, [line] = sort_out(take_apart(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)))
        return self.append_lines(line + b"\n", 1, {name: answer + b"\n" for name, answer in answers.items()})


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


def wait_until(true, seconds=20):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
