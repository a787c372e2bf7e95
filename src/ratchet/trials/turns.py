"""Looks, orders, and what is done about them: one at a time per workload, whoever asks."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from ratchet.contracts.errors import RatchetError
from ratchet.contracts.look import Cadence, Order, OrderKind
from ratchet.contracts.policy import EvidencePolicy
from ratchet.contracts.ports import Experiment, Journal, LookRow, Track
from ratchet.decide.orders import MEANT
from ratchet.decide.state import OVER, Stage
from ratchet.trials.acting import Trials
from ratchet.trials.looking import AHEAD, TICK, Asked, Looker, overthrown, stopped_by
from ratchet.trials.placed import find_look, require_same

log = logging.getLogger("ratchet.trials")

ENDS: Final = (OrderKind.ROLLBACK, OrderKind.REVERT)
"""Heard also where the newest look is far ahead, its clocks having been set back: nothing else could end its experiment until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """What is done with experiments, under the workload's lock: two evaluations at once never both act."""

    trials: Trials
    looker: Looker
    tell: Callable[[str, Sequence[LookRow]], None]
    """Tells people what was done about a workload's looks; may hear of one twice, and never raises."""

    @property
    def journal(self) -> Journal:
        """Where looks are written down."""
        return self.trials.journal

    def look(self, workload: str, policy: EvidencePolicy, asked: Asked) -> dict[str, str]:
        """Judge what runs and write it down; the verdict of the experiment on trial."""
        with self.journal.alone(workload):
            now, current = datetime.now(UTC), self.journal.current(workload)
            if asked.cadence is Cadence.HOURLY and not (current and self._is_promoted(current)):
                asked = self._look_around(workload, policy, asked, now=now)
            row = self.looker.look(current, policy, asked, now=now) if current else None
        if current is None:
            return {"verdict": "none", "reason": "no experiment is running"}
        if row is None:
            return {"verdict": "none", "reason": "guardrails hold"}
        verdict, reason = row.decision.verdict.value, row.decision.reason
        log.info("experiment %d, %s: verdict %s, because %s", row.experiment_id, row.stage, verdict, reason)
        return {"verdict": verdict, "reason": reason, "stage": str(row.stage)}

    def order(
        self, workload: str, policy: EvidencePolicy, order: Order, *, now: datetime, placed: datetime | None = None
    ) -> dict[str, Any]:
        """Look with a person's word in the look, and carry out what comes of it; what is away then is waited for by the next run.

        A `RatchetError` where something else came of it: its stage does not allow it, or a guardrail spoke first.
        A word that was `placed` earlier means what ran then. One whose look a killed run has left is not looked at again.
        """
        if not order.why:
            raise RatchetError("say why: it is kept with the verdict")
        with self.journal.alone(workload):
            row = find_look(self.journal, workload, order, since=placed) if placed else None
            row = row or self._look_by_order(workload, policy, order, now=now, placed=placed)
        acted, reason = [], row.decision.reason
        try:
            acted = self.act(workload, policy, now=now)
        except RatchetError as error:
            log.warning("%s: written down, and not carried out yet: %s", reason, error)
            reason = f"{reason}; recorded, and carried out by the next run: {error}"
        if row.decision.verdict not in MEANT[order.kind]:
            raise RatchetError(reason)
        return {"verdict": row.decision.verdict.value, "reason": reason, "stage": str(row.stage), "acted": acted}

    def act(self, workload: str, policy: EvidencePolicy, *, now: datetime) -> list[str]:
        """Bring the world to what the newest looks ask for, note it; place what was left half-way, then try the next candidate."""
        with self.journal.alone(workload):
            pending = list(self.journal.pending(workload))
            current, shadows = self.journal.current(workload), list(self.journal.shadows(workload))
            if current is not None:
                self.trials.reconcile(current, policy, at=now)
            ended = {row.experiment_id for row in pending}.difference(
                one.experiment_id for one in (current, *shadows) if one is not None
            )
            for experiment in (*shadows, *map(self.journal.experiment, sorted(ended))):
                if experiment.ended_at is None or self.trials.state(experiment, policy).stage in OVER:
                    self.trials.reconcile(experiment, policy, at=now, shadowed=True)
            self.trials.place_left(workload, now=now)
            self.trials.next_trial(workload, now=now)
        self._tell(workload, pending, now=now)  # not under the lock: a receiver may be slow
        return [row.decision.verdict.value for row in pending]

    def _tell(self, workload: str, pending: Sequence[LookRow], *, now: datetime) -> None:
        """Under a lock of its own, which two hosts share as well: who comes second finds nothing left to tell."""
        with self.journal.alone(f"{workload}, telling people"):
            left = {row.look_id for row in self.journal.pending(workload)} if pending else set[int]()
            rows = [row for row in pending if row.look_id in left]
            self.tell(workload, rows)
            self.trials.carried_out(rows, at=now)  # last: what is pending, the next run does and tells again

    def advance(self, workload: str, policy: EvidencePolicy, *, now: datetime) -> dict[str, Any]:
        """Move on what waits for no evidence and judge the guardrails; act on it, and on what a killed run left."""
        said = self.look(workload, policy, Asked(at=now, actor="guard", cadence=Cadence.MINUTE))
        if not self.journal.pending(workload):
            return said
        return {**said, "acted": self.act(workload, policy, now=now)}

    def waiting_since(self, workload: str, policy: EvidencePolicy) -> str:
        """A name for the approval that is asked for now: the same one until it is answered; empty if none is."""
        current = self.journal.current(workload)
        state = self.trials.state(current, policy) if current else None
        if current is None or state is None or state.stage is not Stage.AWAITING_APPROVAL:
            return ""
        return f"experiment-{current.experiment_id}-{state.since:%Y%m%dT%H%M%S}"

    def _look_around(self, workload: str, policy: EvidencePolicy, asked: Asked, *, now: datetime) -> Asked:
        """The newest promotion alone made what is in production now; taken back late, it ends the experiment beside it.

        So does somebody who removes production's release from the registry: there is nothing left to compare with.
        """
        current = self.journal.current(workload)
        if current is not None and self.trials.is_gone(workload, current.production):
            return replace(asked, order=stopped_by(f"{current.production} is gone from the registry"))
        for shadow in self.journal.shadows(workload)[-1:]:
            row = self.looker.look(shadow, policy, replace(asked, order=None), now=now)
            if row is not None and overthrown(row):
                asked = replace(asked, order=stopped_by(f"was reverted: {row.decision.reason}"))
        return asked

    def _look_by_order(
        self, workload: str, policy: EvidencePolicy, order: Order, *, now: datetime, placed: datetime | None
    ) -> LookRow:
        experiment = self._meant(workload, order.kind)
        if placed is not None:
            require_same(self.journal, experiment, order, placed=placed)
        newest = self.journal.newest(experiment.experiment_id)
        # It may have waited for the lock while another look was taken; one that is far ahead is a clock's fault.
        is_next = newest and now <= newest.at and (order.kind in ENDS or newest.at < now + AHEAD)
        at = newest.at + TICK if newest and is_next else now
        row = self.looker.look(experiment, policy, Asked(at=at, actor=order.who, order=order), now=now)
        if row is None or row.at != at:
            raise RatchetError("another look came first; try again")
        return row

    def _meant(self, workload: str, kind: OrderKind) -> Experiment:
        """The experiment that an order is about: the one on trial; a revert means the promotion that production came from."""
        current = self.journal.current(workload)
        if kind is not OrderKind.REVERT:
            if current is None:
                raise RatchetError(f"nothing is on trial for {workload}: there is nothing to {kind.value}")
            return current
        if current is not None and self._is_promoted(current):
            return current
        found = self._promotion(workload)
        if found is None:
            raise RatchetError(f"no promotion of {workload} can be taken back")
        if current is not None:
            raise RatchetError(f"experiment {current.experiment_id} is on trial: roll it back first, then revert")
        return found

    def _promotion(self, workload: str) -> Experiment | None:
        """The newest promotion, whatever was tried and called off since; None if production is another release than it says."""
        newest = next(iter(self.journal.promotions(workload, limit=1)), None)
        live = self.trials.registry.live(workload, Track.PRODUCTION)
        # Somebody may have removed the winner: whom it beat is who can answer.
        return newest if newest and (live is None or live.release_id == newest.candidate) else None

    def _is_promoted(self, experiment: Experiment) -> bool:
        newest = self.journal.newest(experiment.experiment_id)
        return newest is not None and newest.stage in (Stage.PROMOTING.value, Stage.WATCH.value)
