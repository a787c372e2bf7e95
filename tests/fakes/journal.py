"""`Journal` in memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from ratchet.contracts.errors import JournalError
from ratchet.contracts.policy import Verdict
from ratchet.contracts.ports import ANSWERED, CARRIED_OUT, Experiment, LookRow, NewLook


class FakeJournal:
    """`Journal` in memory."""

    def __init__(self) -> None:
        self._experiments: dict[int, Experiment] = {}
        self._shadowed: set[int] = set()
        self._looks: dict[tuple[int, datetime], LookRow] = {}
        self._acts: dict[tuple[int, str], datetime] = {}
        self._policies: dict[str, str] = {}
        self._locks: dict[str, threading.Lock] = {}
        self.time = datetime.max.replace(tzinfo=UTC)
        """Later than whatever a test plays."""

    def clock(self) -> datetime:
        return self.time

    def open_experiment(self, workload: str, *, production: str, candidate: str, at: datetime) -> Experiment:
        for known in self._experiments.values():
            if (known.workload, known.production, known.candidate) == (workload, production, candidate):
                if known.ended_at:
                    raise JournalError(f"experiment {known.experiment_id} of these releases ended: {known.verdict}")
                return known
        if still_open := self.current(workload):
            raise JournalError(f"experiment {still_open.experiment_id} of {workload} is still open with other releases")
        number = len(self._experiments) + 1
        self._experiments[number] = Experiment(
            experiment_id=number, workload=workload, production=production, candidate=candidate, started_at=at
        )
        return self._experiments[number]

    def current(self, workload: str) -> Experiment | None:
        running = (one for one in self._open(workload) if one.experiment_id not in self._shadowed)
        return next(running, None)

    def shadows(self, workload: str) -> list[Experiment]:
        return [one for one in self._open(workload) if one.experiment_id in self._shadowed]

    def shadow(self, experiment_id: int) -> None:
        self._shadowed.add(self.experiment(experiment_id).experiment_id)

    def past(self, workload: str, *, limit: int) -> list[Experiment]:
        ended = [one for one in self._experiments.values() if one.workload == workload and one.ended_at]
        return sorted(ended, key=lambda one: (one.ended_at, one.experiment_id), reverse=True)[:limit]

    def promotions(self, workload: str, *, limit: int) -> list[Experiment]:
        promoted = [one for one in self.past(workload, limit=len(self._experiments)) if one.verdict == "promote"]
        return sorted([*promoted, *self.shadows(workload)], key=lambda one: one.experiment_id, reverse=True)[:limit]

    def close_experiment(self, experiment_id: int, *, verdict: str, at: datetime) -> None:
        known = self.experiment(experiment_id)
        said = "revert" if verdict == "revert" else known.verdict or verdict
        self._experiments[experiment_id] = replace(known, ended_at=known.ended_at or at, verdict=said)

    @contextmanager
    def alone(self, workload: str) -> Iterator[None]:
        with self._locks.setdefault(workload, threading.Lock()):
            yield

    def record(self, experiment_id: int, look: NewLook, *, at: datetime) -> LookRow:
        self.experiment(experiment_id)
        self._policies.setdefault(look.policy, look.policy_body)
        row = LookRow(
            look_id=len(self._looks) + 1,
            experiment_id=experiment_id,
            at=look.at,
            decided_at=at,
            actor=look.actor,
            policy=look.policy,
            stage=look.stage,
            decision=look.decision,
            body=look.body,
            acted_at=None,
        )
        return self._read(self._looks.setdefault((experiment_id, look.at), row))

    def newest(self, experiment_id: int) -> LookRow | None:
        rows = (row for row in self._looks.values() if row.experiment_id == experiment_id)
        found = max(rows, key=lambda row: row.at, default=None)
        return self._read(found) if found else None

    def look(self, experiment_id: int, *, at: datetime) -> LookRow | None:
        found = self._looks.get((experiment_id, at))
        return self._read(found) if found else None

    def looks(self, workload: str, *, limit: int) -> list[LookRow]:
        return [replace(row, body=None) for row in self._of(workload)[:limit]]

    def history(self, experiment_id: int) -> list[LookRow]:
        rows = (row for row in self._looks.values() if row.experiment_id == experiment_id)
        return sorted(map(self._read, rows), key=lambda row: row.at)

    def policies(self) -> dict[str, str]:
        return dict(self._policies)

    def pending(self, workload: str) -> list[LookRow]:
        waiting = (row for row in self._looks.values() if (row.look_id, CARRIED_OUT) not in self._acts)
        ours = [row for row in waiting if self._experiments[row.experiment_id].workload == workload]
        return [replace(row, body=None) for row in sorted(ours, key=lambda row: (row.at, row.look_id))]

    def acted(self, look_id: int, *, at: datetime, what: str = CARRIED_OUT) -> None:
        if look_id not in {row.look_id for row in self._looks.values()}:
            raise JournalError(f"the journal holds no look {look_id}")
        self._acts.setdefault((look_id, what), at)

    def unanswered(self, workload: str) -> LookRow | None:
        called_off = (
            row
            for row in self._of(workload)
            if row.decision.verdict in (Verdict.ROLLBACK, Verdict.REVERT) and row.stage == "rolled_back"
        )
        answered = [row.at for row in self._of(workload) if (row.look_id, ANSWERED) in self._acts]
        found = next((row for row in called_off if all(at < row.at for at in answered)), None)
        return replace(found, body=None) if found else None

    def stage(self, workload: str) -> str:
        current = self.current(workload)
        newest = self.newest(current.experiment_id) if current else None
        return (newest.stage or "queued") if newest else "queued" if current else ""

    def experiment(self, experiment_id: int) -> Experiment:
        if experiment_id not in self._experiments:
            raise JournalError(f"the journal holds no experiment {experiment_id}")
        return self._experiments[experiment_id]

    def _open(self, workload: str) -> list[Experiment]:
        return [one for one in self._experiments.values() if one.workload == workload and one.ended_at is None]

    def _read(self, row: LookRow) -> LookRow:
        return replace(row, acted_at=self._acts.get((row.look_id, CARRIED_OUT)))

    def _of(self, workload: str) -> list[LookRow]:
        rows = [row for row in self._looks.values() if self._experiments[row.experiment_id].workload == workload]
        return sorted(map(self._read, rows), key=lambda row: (row.at, row.look_id), reverse=True)
