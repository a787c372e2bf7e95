"""Orders that waited: each means what ran when it was placed, and is looked at once, also by a run that follows a killed one."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from ratchet.contracts.errors import RatchetError
from ratchet.contracts.look import Order, OrderKind
from ratchet.contracts.policy import Verdict
from ratchet.contracts.ports import Experiment, Journal, LookRow
from ratchet.decide import Record
from ratchet.decide.records import from_json

RECENT: Final = 1000
"""Looks that are read to see what happened since: more than an experiment has."""


def find_look(journal: Journal, workload: str, order: Order, *, since: datetime) -> LookRow | None:
    """The look that holds this order already; None where nobody has taken it up."""
    for row in _since(journal, workload, since):
        if row.actor != order.who:
            continue
        whole = journal.look(row.experiment_id, at=row.at)
        if whole and whole.body and from_json(Record, whole.body).look.order == order:
            return row
    return None


def require_same(journal: Journal, experiment: Experiment, order: Order, *, placed: datetime) -> None:
    """A `RatchetError` where the order would hit something else than what it was placed for."""
    if experiment.started_at > placed:
        raise RatchetError(f"what it was about is over; experiment {experiment.experiment_id} began after it was said")
    reverted = any(row.decision.verdict is Verdict.REVERT for row in _since(journal, experiment.workload, placed))
    if order.kind is OrderKind.REVERT and reverted:
        raise RatchetError("a promotion has been taken back since it was said")


def _since(journal: Journal, workload: str, since: datetime) -> Iterator[LookRow]:
    return (row for row in journal.looks(workload, limit=RECENT) if row.at >= since)
