"""What people with an operator's key ask the loop to do. Serving writes it down; the loop takes it up, once, and says what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from ratchet.contracts.errors import MetricsError
from ratchet.observe.database import transaction

KINDS: Final = ("promote", "rollback", "revert", "hold", "clear", "approve", "deny")
CONNECT_SECONDS: Final = 2
STATEMENT_SECONDS: Final = 3

PLACE: Final = """
INSERT INTO orders (workload, kind, who, why, at) VALUES (%(workload)s, %(kind)s, %(who)s, %(why)s, %(at)s)
ON CONFLICT DO NOTHING
RETURNING order_id, kind, who, why, at, ended_at, outcome
"""
WAITING: Final = """
SELECT order_id, kind, who, why, at, ended_at, outcome FROM orders WHERE workload = %(workload)s AND ended_at IS NULL ORDER BY order_id
"""
NEWEST: Final = """
SELECT order_id, kind, who, why, at, ended_at, outcome FROM orders WHERE workload = %(workload)s ORDER BY order_id DESC LIMIT %(limit)s
"""
END: Final = """
UPDATE orders SET ended_at = %(at)s, outcome = %(outcome)s
WHERE order_id = %(order_id)s AND workload = %(workload)s AND ended_at IS NULL
RETURNING order_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """A person's wish. `ended_at` is None while it waits; `outcome` says in words what came of it."""

    order_id: int
    kind: str
    who: str
    why: str
    at: datetime
    ended_at: datetime | None
    outcome: str | None


class Orders:
    """Orders in the database `ratchet`, one waiting per workload. `MetricsError` where it is away or too slow."""

    def __init__(self, database_url: str) -> None:
        limits = {"connect_seconds": CONNECT_SECONDS, "statement_seconds": STATEMENT_SECONDS}
        self._transaction = partial(transaction, database_url, what="the database", error=MetricsError, **limits)

    def place(self, workload: str, *, kind: str, who: str, why: str, at: datetime) -> OrderRow | None:
        """Write an order down; None if another one still waits."""
        values = {"workload": workload, "kind": kind, "who": who, "why": why, "at": at}
        rows = self._rows(PLACE, values)
        return rows[0] if rows else None

    def waiting(self, workload: str) -> Sequence[OrderRow]:
        """Return what the loop has not taken up yet, oldest first."""
        return self._rows(WAITING, {"workload": workload})

    def newest(self, workload: str, *, limit: int) -> Sequence[OrderRow]:
        """Return the newest orders first."""
        return self._rows(NEWEST, {"workload": workload, "limit": limit})

    def end(self, workload: str, order_id: int, *, outcome: str, at: datetime) -> bool:
        """Say what came of an order; False if it does not wait any more. The first outcome stands."""
        values = {"workload": workload, "order_id": order_id, "outcome": outcome, "at": at}
        with self._transaction() as opened:
            opened.execute(END, values)
            return opened.fetchone() is not None

    def _rows(self, statement: str, values: dict[str, Any]) -> list[OrderRow]:
        with self._transaction() as opened:
            opened.execute(statement, values)
            names = [column.name for column in opened.description or ()]
            return [OrderRow(**dict(zip(names, row, strict=True))) for row in opened.fetchall()]
