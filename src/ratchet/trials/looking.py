"""One look at an experiment: filled, judged, written down. What acts on it comes after, and may be another process."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from ratchet.contracts.errors import JournalError, RatchetError, RegistryError
from ratchet.contracts.look import Cadence, Level, Look, Order, OrderKind, Surroundings, WeekOfLosses
from ratchet.contracts.policy import Evidence, EvidencePolicy, Verdict
from ratchet.contracts.ports import KEPT, Experiment, Journal, LookRow, NewLook, Release, Track, TrafficSplit
from ratchet.decide import Record, State, digest, queued, step
from ratchet.decide.records import RULES, from_json, to_json
from ratchet.decide.stages import cooldown_hours
from ratchet.decide.state import AFTER_PROMOTION, EXPOSED, Stage, is_plain, is_shadowed, kept

log = logging.getLogger("ratchet.trials")

PROMPT: Final = (Stage.QUEUED, Stage.WARMUP, Stage.PROMOTING)
CALLED_OFF: Final = ("rollback", "revert")
REMEMBERED: Final = 20
AHEAD: Final = timedelta(hours=1)
"""Clocks that are less apart make a gap of a look."""
TICK: Final = timedelta(microseconds=1)
"""So long after the newest look comes one that has to come before any other, whatever the clocks say."""
BEHIND: Final = "its forecasts begin with a week that is over for production's; the next refresh makes new ones"


class Measured(Protocol):
    """What can be measured of an experiment; each says what is missing instead of making it up."""

    def look(self, experiment: Experiment, state: State, policy: EvidencePolicy, asked: "Asked") -> Look:
        """Requests, failures, new clients and ratings since the look before."""

    def weeks(self, experiment: Experiment, state: State, *, at: datetime) -> tuple[WeekOfLosses, ...]:
        """Matured weeks that no look has held."""

    def evidence(
        self, experiment: Experiment, state: State, policy: EvidencePolicy, *, at: datetime
    ) -> Evidence | None:
        """What the plain rule reads."""

    def is_behind(self, experiment: Experiment) -> bool:
        """Whether the candidate's newest forecasts begin with a week that is over for production's."""

    def is_served(self, workload: str, track: Track, release_id: str) -> bool:
        """Whether every worker of a track serves this release."""

    def surroundings(
        self, experiment: Experiment, state: State, policy: EvidencePolicy, asked: "Asked"
    ) -> Surroundings:
        """What else is so: nothing that a verdict rests on."""

    def warm_up(self, workload: str, release_id: str, requests: int, *, now: datetime) -> int:
        """How many replayed requests the candidate's track answered."""

    def levels(self, experiment: Experiment, *, at: datetime) -> tuple[Level, ...]:
        """What both releases expect of the coming weeks, beside what came lately; empty where nobody can say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """When and how a look is asked for."""

    at: datetime
    actor: str
    cadence: Cadence = Cadence.HOURLY
    order: Order | None = None
    after: datetime | None = None
    """The look before; filled in by the looker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looker:
    """Looks at experiments of one installation."""

    journal: Journal
    split: TrafficSplit
    measured: Measured
    find: Callable[[str, str], Release]

    def look(self, experiment: Experiment, policy: EvidencePolicy, asked: Asked, *, now: datetime) -> LookRow | None:
        """Judge an experiment and write it down; None where a minute has nothing to say.

        A look that is not newer than the newest one returns that one: a second run at the same moment reads the first.
        """
        newest = self.journal.newest(experiment.experiment_id)
        if newest is not None and asked.at <= newest.at:
            self._require_past(newest.at)
            return self.journal.look(experiment.experiment_id, at=asked.at) or newest
        if newest is None or asked.at > newest.at + TICK:
            self._require_present(asked.at)
        before = from_json(Record, newest.body) if newest and newest.body else None
        policy = in_force(self.journal, before, policy)
        began = before.began if before else experiment.started_at
        state = before.state if before else from_json(State, to_json(queued(began, policy)))
        asked = replace(asked, after=newest.at if newest else began)
        look = from_json(Look, to_json(self._fill(experiment, state, policy, asked)))
        after, decision = step(state, look, policy)
        if asked.cadence is Cadence.MINUTE and after.stage is state.stage:
            return None
        record = Record(
            began=began,
            production=experiment.production,
            candidate=experiment.candidate,
            policy=digest(policy),
            actor=asked.actor,
            look=look,
            decision=decision,
            state=after,
            rules=RULES,
        )
        return self.journal.record(experiment.experiment_id, _written(record, policy), at=now)

    def _require_present(self, at: datetime) -> None:
        """A look from the future would be the newest one until then: no guardrail, and nobody's word, would be heard before."""
        now = self.journal.clock()
        if at - now > AHEAD:
            raise JournalError(
                f"clocks apart: the loop is at {at:%Y-%m-%d %H:%M}, the database at {now:%Y-%m-%d %H:%M}; nothing is judged"
            )

    def _require_past(self, newest: datetime) -> None:
        """Looks go forward: until the time of one that both clocks had wrong, none is taken, and somebody has to know."""
        now = self.journal.clock()
        if newest - now > AHEAD:
            raise JournalError(
                f"clocks apart: the newest look is of {newest:%Y-%m-%d %H:%M}, the database at {now:%Y-%m-%d %H:%M}; nothing is judged"
            )

    def _fill(self, experiment: Experiment, state: State, policy: EvidencePolicy, asked: Asked) -> Look:
        look = replace(
            self.measured.look(experiment, state, policy, asked),
            order=asked.order,
            share=self._share(state, policy, asked.at),
        )
        if state.stage in PROMPT:
            look = self._readiness(experiment, state, policy, look)
        if asked.cadence is Cadence.MINUTE:
            return look
        evidence = self.measured.evidence(experiment, state, policy, at=asked.at) if state.stage in EXPOSED else None
        return replace(
            look,
            weeks=self.measured.weeks(experiment, state, at=asked.at),
            evidence=evidence,
            gaps=(*look.gaps, *self._gone(experiment)),
            surroundings=self.measured.surroundings(experiment, state, policy, asked),
        )

    def _readiness(self, experiment: Experiment, state: State, policy: EvidencePolicy, look: Look) -> Look:
        """What a stage waits for that needs no evidence."""
        workload, candidate = experiment.workload, experiment.candidate
        if state.stage is Stage.QUEUED:
            cooling = self._obstacle(workload, policy, look.at)
            return replace(look, waits_for=cooling or (BEHIND if self.measured.is_behind(experiment) else ""))
        track = Track.PRODUCTION if state.stage is Stage.PROMOTING else Track.CANDIDATE
        is_ready = self.measured.is_served(workload, track, candidate)
        if state.stage is Stage.PROMOTING or not is_ready or is_plain(policy):
            return replace(look, is_ready=is_ready)
        if state.level_alarm and look.cadence is Cadence.MINUTE:
            return look
        answered = self.measured.warm_up(workload, candidate, policy.warmup_requests, now=look.at)
        levels = self.measured.levels(experiment, at=look.at) if answered >= policy.warmup_requests else ()
        return replace(look, is_ready=True, replayed_requests=answered, levels=levels)

    def _obstacle(self, workload: str, policy: EvidencePolicy, at: datetime) -> str:
        """Why a queued candidate may not start yet: rollbacks in a row cool down, longer after each."""
        past = [one for one in self.journal.past(workload, limit=REMEMBERED) if one.verdict != "superseded"]
        count = next((n for n, one in enumerate(past) if one.verdict not in CALLED_OFF), len(past))
        if not count or is_plain(policy) or past[0].ended_at is None:
            return ""
        until = past[0].ended_at + timedelta(hours=cooldown_hours(count, policy))
        if at >= until:
            return ""
        return f"cooling down until {until:%Y-%m-%d %H:%M} UTC after {count} rollback{'s' * (count > 1)} in a row"

    def _share(self, state: State, policy: EvidencePolicy, at: datetime) -> float | None:
        """The share in force of the experiment's candidate, which is on the other track after its promotion."""
        if state.stage is Stage.PROMOTING or is_shadowed(state, policy, at):
            return None
        percent = self.split.share()
        return (100 - percent) / 100 if state.stage in AFTER_PROMOTION else percent / 100

    def _gone(self, experiment: Experiment) -> tuple[str, ...]:
        gaps = []
        for release_id in (experiment.production, experiment.candidate):
            try:
                if self.find(experiment.workload, release_id).files != KEPT:
                    gaps.append(f"the files of release {release_id} were removed (RELEASES_KEEP)")
            except RegistryError as error:
                log.warning("%s", error)
                break
            except RatchetError as error:
                gaps.append(str(error))
        return tuple(gaps)


def in_force(journal: Journal, newest: Record | None, policy: EvidencePolicy) -> EvidencePolicy:
    """The policy that an experiment is judged and placed by after its newest look: a changed setting, but for what it counts in."""
    body = journal.policies().get(newest.policy) if newest else None
    if newest is None or body is None:
        return policy
    return kept(policy, from_json(EvidencePolicy, body), newest.state.stage)


def overthrown(row: LookRow | None) -> bool:
    """Whether a look takes a promotion back."""
    return row is not None and row.decision.verdict is Verdict.REVERT


def stopped_by(reason: str) -> Order:
    """The order that ends an experiment whose production was taken away under it."""
    return Order(kind=OrderKind.ROLLBACK, who="ratchet", why=f"its production {reason}")


def _written(record: Record, policy: EvidencePolicy) -> NewLook:
    return NewLook(
        at=record.look.at,
        actor=record.actor,
        policy=record.policy,
        policy_body=to_json(policy).decode(),
        stage=record.state.stage.value,
        decision=record.decision,
        evidence=record.look.evidence,
        body=to_json(record).decode(),
    )
