"""What the views work with, wired in `wsgi.py` or by a test."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from ratchet.contracts.drift import DriftReport
from ratchet.contracts.ports import Track
from ratchet.observe.gold_tables import Grouping
from ratchet.observe.orders import OrderRow
from ratchet.serve.answer import Answerer
from ratchet.serve.keys import Holder
from ratchet.serve.limits import Limits
from ratchet.serve.log_lines import Answers
from ratchet.serve.metrics import ServeMetrics


class Lines(Protocol):
    """Where forecasts are written down before they are answered."""

    def append_lines(self, lines: bytes, records: int, answers: Answers) -> bool:
        """Keep so many records that are JSON already, a line each, and the answers that they point at, lines by their ids.

        All of it or nothing; False if that is not possible now.
        """


class ForecastLog(Lines, Protocol):
    """Where feedback is written down too."""

    def append(self, record: dict[str, Any]) -> bool:
        """Keep a record; False if that is not possible now."""


class Keys(Protocol):
    """Who may ask."""

    def holder(self, key: str) -> Holder | None:
        """Who a key belongs to; None if nobody; `NotReadyError` while nobody can say."""


class Reports(Protocol):
    """What operators ask of the database; each method raises `MetricsError` while it is away or too slow."""

    def summary(self, workload: str, *, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """Forecasts and feedback by track and release."""

    def log(self, kind: str, workload: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        """Forecasts or feedback, newest first."""

    def experiments(self, workload: str, *, before: int | None, limit: int) -> list[dict[str, Any]]:
        """Experiments with their newest evidence and their verdicts, newest first."""

    def drift(self, workload: str) -> DriftReport | None:
        """The newest drift report, if anybody has looked."""


class Gold(Protocol):
    """The data at rest, for people; each method raises `MetricsError` where there is none."""

    def describe(self, workload: str) -> dict[str, Any]:
        """When the data is from, and each table with what it holds."""

    def rows(
        self, workload: str, table: str, *, limit: int, offset: int, order: str | None, down: bool
    ) -> tuple[int, list[dict[str, Any]]]:
        """How many rows a table has and a page of them; `KeyError` for a table or column that is not there."""

    def groups(self, workload: str, table: str, asked: Grouping) -> tuple[int, list[dict[str, Any]]]:
        """How many groups a table has and the largest of them; `KeyError` as for rows, and for a measure without numbers."""

    def history(self, workload: str, *, unique_id: str, target: str, limit: int) -> list[dict[str, Any]]:
        """The newest weeks of a series, oldest first."""


class OrderBook(Protocol):
    """Where operators' orders are written down; each method raises `MetricsError` while it is away or too slow."""

    def newest(self, workload: str, *, limit: int) -> Sequence[OrderRow]:
        """The newest orders first."""

    def place(self, workload: str, *, kind: str, who: str, why: str, at: datetime) -> OrderRow | None:
        """Write an order down; None if another one still waits."""

    def end(self, workload: str, order_id: int, *, outcome: str, at: datetime) -> bool:
        """Say what came of an order; False if it does not wait any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One track of serving: its answers, its log, its keys, its figures, its secret and its clock."""

    answerer: Answerer
    log: ForecastLog
    keys: Keys
    metrics: ServeMetrics
    exposition: Callable[[], bytes]
    """What `/metrics` says, in Prometheus' text format."""
    track: Track
    secret: bytes
    """Signs prediction ids and hides client names in the log."""
    clock: Callable[[], datetime]
    reports: Reports | None = None
    limits: Limits | None = None
    gold: Gold | None = None
    orders: OrderBook | None = None

    def hide(self, client: str) -> str:
        """Return a stable stand-in for a client's name, from which nobody without the secret finds the name."""
        return _hide(self.secret[:64], client)


@lru_cache(maxsize=4096)
def _hide(secret: bytes, client: str) -> str:
    return hashlib.blake2b(client.encode(), key=secret, digest_size=12).hexdigest()
