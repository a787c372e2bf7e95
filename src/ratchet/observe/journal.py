"""The journal in PostgreSQL. The tables' keys make each row once; who comes second reads what the first one wrote."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, Final

from psycopg2.errors import QueryCanceled

from ratchet.contracts.errors import BusyError, JournalError
from ratchet.contracts.ports import CARRIED_OUT, Experiment, LookRow, NewLook
from ratchet.observe.database import transaction
from ratchet.observe.records import read_experiment, read_look, write_look

# Two keys may be in the way: one experiment per pair of releases, and one open experiment per workload.
OPEN: Final = """
INSERT INTO experiments (workload, production, candidate, started_at)
VALUES (%(workload)s, %(production)s, %(candidate)s, %(at)s)
ON CONFLICT DO NOTHING
"""

OF_PAIR_OR_OPEN: Final = """
SELECT experiment_id, workload, production, candidate, started_at, ended_at, verdict FROM experiments
WHERE workload = %(workload)s AND NOT (shadowed AND ended_at IS NULL)
  AND (ended_at IS NULL OR (production = %(production)s AND candidate = %(candidate)s))
ORDER BY (production = %(production)s AND candidate = %(candidate)s) DESC
LIMIT 1
"""

CURRENT: Final = """
SELECT experiment_id, workload, production, candidate, started_at, ended_at, verdict FROM experiments
WHERE workload = %(workload)s AND ended_at IS NULL AND NOT shadowed
"""

ONE: Final = """
SELECT experiment_id, workload, production, candidate, started_at, ended_at, verdict FROM experiments
WHERE experiment_id = %(experiment_id)s
"""

ALONE: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%(workload)s, 7000))"

CLOSE: Final = """
UPDATE experiments SET ended_at = coalesce(ended_at, %(at)s),
    verdict = CASE WHEN %(verdict)s = 'revert' THEN 'revert' ELSE coalesce(verdict, %(verdict)s) END
WHERE experiment_id = %(experiment_id)s
RETURNING experiment_id
"""

PAST: Final = """
SELECT experiment_id, workload, production, candidate, started_at, ended_at, verdict FROM experiments
WHERE workload = %(workload)s AND ended_at IS NOT NULL
ORDER BY ended_at DESC, experiment_id DESC
LIMIT %(limit)s
"""

SHADOWS: Final = """
SELECT experiment_id, workload, production, candidate, started_at, ended_at, verdict FROM experiments
WHERE workload = %(workload)s AND ended_at IS NULL AND shadowed
ORDER BY experiment_id
"""

PROMOTIONS: Final = """
SELECT experiment_id, workload, production, candidate, started_at, ended_at, verdict FROM experiments
WHERE workload = %(workload)s AND (verdict = 'promote' OR (ended_at IS NULL AND shadowed))
ORDER BY experiment_id DESC
LIMIT %(limit)s
"""

SHADOW: Final = """
UPDATE experiments SET shadowed = true WHERE experiment_id = %(experiment_id)s RETURNING experiment_id
"""

CLOCK: Final = "SELECT clock_timestamp()"

KEEP_POLICY: Final = """
INSERT INTO policies (digest, body) VALUES (%(policy)s, %(policy_body)s) ON CONFLICT DO NOTHING
"""

POLICIES: Final = "SELECT digest, body FROM policies"

RECORD: Final = """
INSERT INTO looks (experiment_id, at, decided_at, actor, policy, stage, verdict, reason, scores, evidence, body)
VALUES (%(experiment_id)s, %(at)s, %(decided_at)s, %(actor)s, %(policy)s, %(stage)s, %(verdict)s, %(reason)s, %(scores)s,
        %(evidence)s, %(body)s)
ON CONFLICT (experiment_id, at) DO NOTHING
"""

LOOK: Final = """
SELECT looks.look_id, experiment_id, looks.at, decided_at, actor, policy, stage, verdict, reason, scores, body, acts.at
FROM looks LEFT JOIN acts USING (look_id)
WHERE experiment_id = %(experiment_id)s AND looks.at = %(at)s AND coalesce(acts.what, 'carried_out') = 'carried_out'
"""

# The last act of each look is of no interest here: only whether it was carried out.
OF_EXPERIMENT: Final = """
SELECT looks.look_id, experiment_id, looks.at, decided_at, actor, policy, stage, verdict, reason, scores, body, acts.at
FROM looks LEFT JOIN acts ON acts.look_id = looks.look_id AND acts.what = 'carried_out'
WHERE experiment_id = %(experiment_id)s
ORDER BY looks.at
"""

NEWEST_OF_EXPERIMENT: Final = """
SELECT looks.look_id, experiment_id, looks.at, decided_at, actor, policy, stage, verdict, reason, scores, body, acts.at
FROM looks LEFT JOIN acts ON acts.look_id = looks.look_id AND acts.what = 'carried_out'
WHERE experiment_id = %(experiment_id)s
ORDER BY looks.at DESC
LIMIT 1
"""

STAGE: Final = """
SELECT (SELECT stage FROM looks WHERE looks.experiment_id = experiments.experiment_id ORDER BY at DESC LIMIT 1)
FROM experiments
WHERE workload = %(workload)s AND ended_at IS NULL AND NOT shadowed
"""

PENDING: Final = """
SELECT looks.look_id, experiment_id, looks.at, decided_at, actor, policy, stage, looks.verdict, reason, scores, NULL, NULL
FROM looks JOIN experiments USING (experiment_id)
WHERE workload = %(workload)s
  AND NOT EXISTS (SELECT FROM acts WHERE acts.look_id = looks.look_id AND what = 'carried_out')
ORDER BY looks.at, looks.look_id
"""

ACTED: Final = """
INSERT INTO acts (look_id, what, at) VALUES (%(look_id)s, %(what)s, %(at)s) ON CONFLICT DO NOTHING
"""

NEWEST: Final = """
SELECT looks.look_id, experiment_id, looks.at, decided_at, actor, policy, stage, looks.verdict, reason, scores, NULL, acts.at
FROM looks JOIN experiments USING (experiment_id)
LEFT JOIN acts ON acts.look_id = looks.look_id AND acts.what = 'carried_out'
WHERE workload = %(workload)s
ORDER BY looks.at DESC, looks.look_id DESC
LIMIT %(limit)s
"""

# One candidate answers all that was called off before it was asked for.
UNANSWERED: Final = """
SELECT looks.look_id, experiment_id, looks.at, decided_at, actor, policy, stage, looks.verdict, reason, scores, NULL, NULL
FROM looks JOIN experiments USING (experiment_id)
WHERE workload = %(workload)s AND looks.verdict IN ('rollback', 'revert') AND body IS NOT NULL
  AND stage = 'rolled_back'
  AND NOT EXISTS (
      SELECT FROM acts JOIN looks AS answered USING (look_id) JOIN experiments AS its USING (experiment_id)
      WHERE what = 'answered' AND its.workload = %(workload)s AND answered.at >= looks.at
  )
ORDER BY looks.at DESC
LIMIT 1
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

    def experiment(self, experiment_id: int) -> Experiment:
        """Return one experiment, open or ended; a `JournalError` if there is none with this id."""
        with self._transaction() as cursor:
            cursor.execute(ONE, {"experiment_id": experiment_id})
            return read_experiment(_only(cursor.fetchone(), f"experiment {experiment_id}"))

    def past(self, workload: str, *, limit: int) -> Sequence[Experiment]:
        """Return experiments that ended, the newest first."""
        return self._experiments(PAST, {"workload": workload, "limit": limit})

    def promotions(self, workload: str, *, limit: int) -> Sequence[Experiment]:
        """Return experiments that promoted, newest first: ended with that word, or only scored by now."""
        return self._experiments(PROMOTIONS, {"workload": workload, "limit": limit})

    def shadows(self, workload: str) -> Sequence[Experiment]:
        """Return open experiments that leave the tracks to others, oldest first."""
        return self._experiments(SHADOWS, {"workload": workload})

    def shadow(self, experiment_id: int) -> None:
        """Have it leave the tracks to others; twice changes nothing."""
        with self._transaction() as cursor:
            cursor.execute(SHADOW, {"experiment_id": experiment_id})
            _only(cursor.fetchone(), f"experiment {experiment_id}")

    @contextmanager
    def alone(self, workload: str) -> Iterator[None]:
        """Hold the workload's lock; others wait for up to half a minute, then it is a `BusyError`. A holder that dies lets go."""
        with self._transaction() as cursor:
            try:
                cursor.execute(ALONE, {"workload": workload})
            except QueryCanceled as cause:
                raise BusyError(f"another run is at work on {workload}; try again in a moment") from cause
            yield

    def clock(self) -> datetime:
        """Return the database's own time."""
        with self._transaction() as cursor:
            cursor.execute(CLOCK)
            now: datetime = _only(cursor.fetchone(), "time")[0]
        return now

    def record(self, experiment_id: int, look: NewLook, *, at: datetime) -> LookRow:
        """Keep a look before anyone acts on it; a second one of the same moment returns the first."""
        self.experiment(experiment_id)
        values = {"experiment_id": experiment_id, "decided_at": at, **write_look(look)}
        with self._transaction() as cursor:
            cursor.execute(KEEP_POLICY, values)
            cursor.execute(RECORD, values)
            cursor.execute(LOOK, values)
            return read_look(_only(cursor.fetchone(), f"look at experiment {experiment_id}"))

    def newest(self, experiment_id: int) -> LookRow | None:
        """Return the last look at an experiment."""
        return next(iter(self._looks(NEWEST_OF_EXPERIMENT, {"experiment_id": experiment_id})), None)

    def stage(self, workload: str) -> str:
        """Return where the experiment on trial stands: `queued` before its first look, empty if there is none."""
        with self._transaction() as cursor:
            cursor.execute(STAGE, {"workload": workload})
            row = cursor.fetchone()
        return str(row[0] or "queued") if row else ""

    def look(self, experiment_id: int, *, at: datetime) -> LookRow | None:
        """Return the look of a moment, if there is one."""
        return next(iter(self._looks(LOOK, {"experiment_id": experiment_id, "at": at})), None)

    def looks(self, workload: str, *, limit: int) -> Sequence[LookRow]:
        """Return the newest looks first, without their bodies."""
        return self._looks(NEWEST, {"workload": workload, "limit": limit})

    def history(self, experiment_id: int) -> Sequence[LookRow]:
        """Return every look at an experiment, oldest first."""
        return self._looks(OF_EXPERIMENT, {"experiment_id": experiment_id})

    def policies(self) -> Mapping[str, str]:
        """Return every policy that ever judged, as JSON by its digest."""
        with self._transaction() as cursor:
            cursor.execute(POLICIES)
            return dict(cursor.fetchall())

    def pending(self, workload: str) -> Sequence[LookRow]:
        """Return looks that were written down but not carried out, oldest first, without their bodies."""
        return self._looks(PENDING, {"workload": workload})

    def acted(self, look_id: int, *, at: datetime, what: str = CARRIED_OUT) -> None:
        """Note that something has been done about a look; the first time stands."""
        with self._transaction() as cursor:
            cursor.execute(ACTED, {"look_id": look_id, "at": at, "what": what})

    def unanswered(self, workload: str) -> LookRow | None:
        """Return the newest rollback or revert that nobody has asked for another candidate about."""
        return next(iter(self._looks(UNANSWERED, {"workload": workload})), None)

    def _looks(self, statement: str, values: dict[str, Any]) -> list[LookRow]:
        with self._transaction() as cursor:
            cursor.execute(statement, values)
            return [read_look(row) for row in cursor.fetchall()]

    def _experiments(self, statement: str, values: dict[str, Any]) -> list[Experiment]:
        with self._transaction() as cursor:
            cursor.execute(statement, values)
            return [read_experiment(row) for row in cursor.fetchall()]


def _only(row: tuple[Any, ...] | None, what: str) -> tuple[Any, ...]:
    if row is None:
        raise JournalError(f"the journal holds no {what}")
    return row
