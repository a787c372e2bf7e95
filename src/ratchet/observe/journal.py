"""The journal in PostgreSQL. The tables' keys make each row once; who comes second reads what the first one wrote."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, Final

from psycopg2.extras import Json

from ratchet.contracts.errors import JournalError
from ratchet.contracts.policy import Decision, Evidence
from ratchet.contracts.ports import DecisionRow, Experiment
from ratchet.observe.database import transaction
from ratchet.observe.records import read_decision, read_evidence, read_experiment, write_evidence

# Two keys may be in the way: one experiment per pair of releases, and one open experiment per workload.
OPEN: Final = """
INSERT INTO experiments (workload, production, candidate, started_at)
VALUES (%(workload)s, %(production)s, %(candidate)s, %(at)s)
ON CONFLICT DO NOTHING
"""

OF_PAIR_OR_OPEN: Final = """
SELECT experiment_id, workload, production, candidate, started_at, ended_at, verdict FROM experiments
WHERE workload = %(workload)s
  AND (ended_at IS NULL OR (production = %(production)s AND candidate = %(candidate)s))
ORDER BY (production = %(production)s AND candidate = %(candidate)s) DESC
LIMIT 1
"""

CURRENT: Final = """
SELECT experiment_id, workload, production, candidate, started_at, ended_at, verdict FROM experiments
WHERE workload = %(workload)s AND ended_at IS NULL
"""

ONE: Final = """
SELECT experiment_id, workload, production, candidate, started_at, ended_at, verdict FROM experiments
WHERE experiment_id = %(experiment_id)s
"""

ALONE: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%(workload)s, 7000))"

CLOSE: Final = """
UPDATE experiments SET ended_at = coalesce(ended_at, %(at)s), verdict = coalesce(verdict, %(verdict)s)
WHERE experiment_id = %(experiment_id)s
RETURNING experiment_id
"""

RECORD_EVIDENCE: Final = """
INSERT INTO evidence (experiment_id, at, body) VALUES (%(experiment_id)s, %(at)s, %(body)s)
ON CONFLICT (experiment_id, at) DO NOTHING
"""

EVIDENCE: Final = "SELECT body FROM evidence WHERE experiment_id = %(experiment_id)s AND at = %(at)s"

RECORD_DECISION: Final = """
INSERT INTO decisions (experiment_id, at, verdict, reason, scores, decided_at)
VALUES (%(experiment_id)s, %(at)s, %(verdict)s, %(reason)s, %(scores)s, %(decided_at)s)
ON CONFLICT (experiment_id, at) DO NOTHING
"""

DECISION: Final = """
SELECT decision_id, experiment_id, at, verdict, reason, scores, decided_at, acted_at FROM decisions
WHERE experiment_id = %(experiment_id)s AND at = %(at)s
"""

PENDING: Final = """
SELECT decision_id, experiment_id, at, decisions.verdict, reason, scores, decided_at, acted_at
FROM decisions JOIN experiments USING (experiment_id)
WHERE workload = %(workload)s AND acted_at IS NULL
ORDER BY at, decision_id
"""

ACTED: Final = """
UPDATE decisions SET acted_at = coalesce(acted_at, %(at)s) WHERE decision_id = %(decision_id)s
RETURNING decision_id
"""

NEWEST: Final = """
SELECT decision_id, experiment_id, at, decisions.verdict, reason, scores, decided_at, acted_at
FROM decisions JOIN experiments USING (experiment_id)
WHERE workload = %(workload)s
ORDER BY at DESC, decision_id DESC
LIMIT %(limit)s
"""


class PostgresJournal:
    """`Journal` in the database `ratchet`. `JournalError` where it is away or would contradict itself."""

    def __init__(self, database_url: str) -> None:
        self._transaction = partial(transaction, database_url, what="the journal", error=JournalError)

    def open_experiment(self, workload: str, *, production: str, candidate: str, at: datetime) -> Experiment:
        """Start an experiment, or return the one that is open with the same two releases."""
        values = {"workload": workload, "production": production, "candidate": candidate, "at": at}
        with self._transaction() as cursor:
            cursor.execute(OPEN, values)
            cursor.execute(OF_PAIR_OR_OPEN, values)
            experiment = read_experiment(_only(cursor.fetchone(), f"experiment of {workload}"))
        if experiment.ended_at is not None:
            raise JournalError(f"experiment {experiment.experiment_id} of these releases ended: {experiment.verdict}")
        if (experiment.production, experiment.candidate) != (production, candidate):
            raise JournalError(f"experiment {experiment.experiment_id} of {workload} is still open with other releases")
        return experiment

    def current(self, workload: str) -> Experiment | None:
        """Return the open experiment, if there is one."""
        with self._transaction() as cursor:
            cursor.execute(CURRENT, {"workload": workload})
            row = cursor.fetchone()
        return read_experiment(row) if row else None

    def close_experiment(self, experiment_id: int, *, verdict: str, at: datetime) -> None:
        """End it; ending twice changes nothing."""
        with self._transaction() as cursor:
            cursor.execute(CLOSE, {"experiment_id": experiment_id, "verdict": verdict, "at": at})
            _only(cursor.fetchone(), f"experiment {experiment_id}")

    def record_evidence(self, evidence: Evidence) -> Evidence:
        """Keep the evidence of a moment; a second look at the same moment returns the first one."""
        values = {
            "experiment_id": evidence.experiment_id,
            "at": evidence.at,
            "body": Json(write_evidence(evidence)),
        }
        with self._transaction() as cursor:
            cursor.execute(RECORD_EVIDENCE, values)
            cursor.execute(EVIDENCE, values)
            (body,) = _only(cursor.fetchone(), f"evidence of experiment {evidence.experiment_id}")
        return read_evidence(body)

    def experiment(self, experiment_id: int) -> Experiment:
        """Return one experiment, open or ended; a `JournalError` if there is none with this id."""
        with self._transaction() as cursor:
            cursor.execute(ONE, {"experiment_id": experiment_id})
            return read_experiment(_only(cursor.fetchone(), f"experiment {experiment_id}"))

    def evidence(self, experiment_id: int, *, at: datetime) -> Evidence | None:
        """Return the evidence kept for a moment, if there is any."""
        with self._transaction() as cursor:
            cursor.execute(EVIDENCE, {"experiment_id": experiment_id, "at": at})
            row = cursor.fetchone()
        return read_evidence(row[0]) if row else None

    @contextmanager
    def alone(self, workload: str) -> Iterator[None]:
        """Hold the workload's lock; others wait for up to half a minute. A holder that dies lets go."""
        with self._transaction() as cursor:
            cursor.execute(ALONE, {"workload": workload})
            yield

    def record_decision(self, evidence: Evidence, decision: Decision, *, at: datetime) -> DecisionRow:
        """Keep a verdict before anyone acts on it; a second one for the same moment returns the first."""
        values = {
            "experiment_id": evidence.experiment_id,
            "at": evidence.at,
            "verdict": decision.verdict.value,
            "reason": decision.reason,
            "scores": Json(decision.scores),
            "decided_at": at,
        }
        with self._transaction() as cursor:
            cursor.execute(RECORD_DECISION, values)
            cursor.execute(DECISION, values)
            return read_decision(_only(cursor.fetchone(), f"decision on experiment {evidence.experiment_id}"))

    def pending(self, workload: str) -> Sequence[DecisionRow]:
        """Return verdicts that were written down but not carried out, oldest first."""
        with self._transaction() as cursor:
            cursor.execute(PENDING, {"workload": workload})
            return [read_decision(row) for row in cursor.fetchall()]

    def acted(self, decision_id: int, *, at: datetime) -> None:
        """Note that a verdict has been carried out; the first time stands."""
        with self._transaction() as cursor:
            cursor.execute(ACTED, {"decision_id": decision_id, "at": at})
            _only(cursor.fetchone(), f"decision {decision_id}")

    def decisions(self, workload: str, *, limit: int) -> Sequence[DecisionRow]:
        """Return the newest verdicts first."""
        with self._transaction() as cursor:
            cursor.execute(NEWEST, {"workload": workload, "limit": limit})
            return [read_decision(row) for row in cursor.fetchall()]


def _only(row: tuple[Any, ...] | None, what: str) -> tuple[Any, ...]:
    if row is None:
        raise JournalError(f"the journal holds no {what}")
    return row
