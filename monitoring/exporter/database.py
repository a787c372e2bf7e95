"""PostgreSQL: what its statistics say of each database. Reads nothing that any of them holds."""

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ratchet.contracts.errors import MetricsError
from ratchet.observe.database import transaction

SECONDS: Final = 2
OF_EACH: Final = """
SELECT datname, numbackends, pg_database_size(oid), xact_commit, xact_rollback, deadlocks
FROM pg_stat_database JOIN pg_database USING (datname) WHERE NOT datistemplate AND datname <> 'postgres'
"""
LIMIT: Final = "SELECT current_setting('max_connections')::int"
LONGEST: Final = """
SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0)::float FROM pg_stat_activity WHERE backend_type = 'client backend'
"""


class Database:
    """The server behind one connection string."""

    def __init__(self, url: str) -> None:
        self._url = url

    def collect(self) -> Iterator[Metric]:
        """Connections, sizes and transactions by database."""
        with transaction(
            self._url, what="PostgreSQL", error=MetricsError, connect_seconds=SECONDS, statement_seconds=SECONDS
        ) as opened:
            opened.execute(OF_EACH)
            rows = opened.fetchall()
            opened.execute(LIMIT)
            ((limit,),) = opened.fetchall()
            opened.execute(LONGEST)
            ((longest,),) = opened.fetchall()
        yield from _by_database(rows)
        yield GaugeMetricFamily("ratchet_postgres_max_connections", "Connections that the server allows", value=limit)
        yield GaugeMetricFamily(
            "ratchet_postgres_longest_transaction_seconds", "Age of the oldest open transaction", value=longest
        )


def _by_database(rows: list[tuple[str, int, int, int, int, int]]) -> tuple[Metric, ...]:
    named = ("database",)
    connections = GaugeMetricFamily("ratchet_postgres_connections", "Open connections", labels=named)
    size = GaugeMetricFamily("ratchet_postgres_bytes", "Size on disk", labels=named)
    transactions = CounterMetricFamily("ratchet_postgres_transactions", "By how they ended", labels=(*named, "end"))
    deadlocks = CounterMetricFamily("ratchet_postgres_deadlocks", "Deadlocks that were broken", labels=named)
    for name, open_now, on_disk, commits, rollbacks, stuck in rows:
        connections.add_metric((name,), open_now)
        size.add_metric((name,), on_disk)
        transactions.add_metric((name, "commit"), commits)
        transactions.add_metric((name, "rollback"), rollbacks)
        deadlocks.add_metric((name,), stuck)
    return connections, size, transactions, deadlocks
