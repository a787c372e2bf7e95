"""How long a look takes over an experiment with a million logged forecasts, young and old.

python tests/bench/deciding/bench_look.py [--rows N] [--hours N]
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2

from ratchet.contracts.look import Cadence
from ratchet.contracts.ports import Track
from ratchet.migrations import migrate
from ratchet.observe import Comparison, PostgresHours, PostgresJournal, Window, fill_look
from ratchet.stack.health import wait_for
from ratchet.stack.ports import free_port
from ratchet.stack.postgres import Server

BEGAN = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
FILL = """
INSERT INTO forecasts (prediction_id, at, workload, unique_id, target, horizon, release_id, client, track, assigned, latency_ms)
SELECT 'p' || n, %(began)s + n * %(step)s, 'bench', 's', 'x', 4, CASE WHEN n %% 5 = 0 THEN 'new' ELSE 'old' END,
       'c' || (n %% 50000), CASE WHEN n %% 5 = 0 THEN 'candidate' ELSE 'production' END,
       CASE WHEN n %% 5 = 0 THEN 'candidate' ELSE 'production' END, 5.0
FROM generate_series(0, %(rows)s - 1) AS n
"""
RATE = """
INSERT INTO feedback (prediction_id, kind, client, workload, value, at)
SELECT prediction_id, 'rating', client, workload, '4', at FROM forecasts WHERE workload = 'bench' AND random() < 0.03
"""


class Quiet:
    """Live metrics without failures or gaps."""

    def failures(self, *_, **__):
        return 0

    def gaps(self, *_, **__):
        return []

    def clock(self):
        return datetime.now(UTC)


def execute(uri, statement, values=None):
    with psycopg2.connect(uri) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
    connection.close()


def look(uri, comparison, after, at):
    began = time.perf_counter()
    window = Window(after=after, at=at, ratings_after=after - HOUR, cadence=Cadence.HOURLY)
    seen = fill_look(PostgresHours(uri), Quiet(), comparison, window)
    return time.perf_counter() - began, seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--hours", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(home=Path(folder), port=free_port(), password="bench")
        server.initialise()

        process = subprocess.Popen(server.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for("PostgreSQL", server.is_ready, timeout=30, look="its log")
            server.create_database("ratchet")
            measure(server.uri("ratchet"), options.rows, options.hours)
        finally:
            process.terminate()
            process.wait(timeout=60)


def measure(uri, rows, hours):
    migrate(uri)
    for day in range(hours // 24 + 2):
        execute(uri, "SELECT ensure_forecast_day(%s)", ((BEGAN + timedelta(days=day)).date(),))
    execute(uri, FILL, {"began": BEGAN, "step": hours * HOUR / rows, "rows": rows})
    execute(uri, RATE)
    execute(uri, "ANALYZE")
    experiment = PostgresJournal(uri).open_experiment("bench", production="old", candidate="new", at=BEGAN)
    comparison = Comparison(experiment=experiment, began=BEGAN, slow_ms=1000.0)
    seconds = []
    for number in range(1, hours + 1):
        spent, seen = look(uri, comparison, BEGAN + (number - 1) * HOUR, BEGAN + number * HOUR)
        seconds.append(spent)
        assert seen.gaps == ()
    total = PostgresHours(uri).counts(comparison, since=BEGAN, until=BEGAN + hours * HOUR)
    assert sum(total[track].counts.requests for track in Track) == rows
    quarter = max(hours // 4, 1)
    young, old = (statistics.median(part) * 1000 for part in (seconds[:quarter], seconds[-quarter:]))
    median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
    print(f"{rows:,} forecasts over {hours} h: a look takes {median:.0f} ms (median), {worst:.0f} ms (worst)")
    print(f"median of the first quarter {young:.0f} ms, of the last {old:.0f} ms")
    execute(uri, "TRUNCATE experiment_spans, experiment_clients, experiment_raters")
    spent, _ = look(uri, comparison, BEGAN, BEGAN + hours * HOUR)
    print(f"all of it in one look, nothing counted before: {spent:.1f} s")


if __name__ == "__main__":
    main()
