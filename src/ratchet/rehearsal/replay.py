"""The loop on its own history: each week a candidate, each hour people and a look, each verdict carried out."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet import scores
from ratchet.contracts.policy import Decision, Verdict
from ratchet.decide.stages import cooldown_hours
from ratchet.rehearsal.experiment import HOUR, Trial
from ratchet.rehearsal.history import History
from ratchet.rehearsal.levels import compare
from ratchet.rehearsal.people import Crowd
from ratchet.rehearsal.plan import Plan
from ratchet.rehearsal.plants import Contender, plant
from ratchet.rehearsal.releases import Issued

Floats = NDArray[np.float64]

HOURS: Final = 168


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that changed what people meet."""

    at: datetime
    week: int
    kind: str
    """`live`, `trial`, `superseded`, `promote`, `rollback`, `revert`, `inconclusive` or `abandoned`."""
    release: str
    reason: str
    trial: int = 0
    hours: float = 0.0
    """Since the candidate went on trial."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of a replay, week by week."""

    events: list[Event] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    mase: dict[str, list[float]] = field(default_factory=dict)
    """By way of choosing a release: the realised error of each week."""
    production: list[str] = field(default_factory=list)
    requests: int = 0


class Replay:
    """Lives through the weeks of a plan. `issued[0]` is the first release; `issued[k]` was trained when the k-th week was complete."""

    def __init__(self, history: History, plan: Plan, issued: list[Issued]) -> None:
        self._history, self._plan, self._issued = history, plan, issued
        self._crowd = Crowd(plan.people, series=len(history.names), seed=plan.seed)
        self._planted = {item.week: item.kind for item in plan.plants}
        self._production = Contender(issued=issued[0])
        self._queue: list[Contender] = []
        self._trial: Trial | None = None
        self._shadows: list[Trial] = []
        self._rollbacks, self._wait_until = 0, history.complete_at(plan.first - 1)
        self.outcome = Outcome()
        self._note(self._wait_until, plan.first, "live", self._production, "the first release")

    def run(self) -> Outcome:
        """All weeks."""
        for number, week in enumerate(range(self._plan.first, self._plan.last + 1)):
            self.live_week(number, week)
        return self.outcome

    def live_week(self, number: int, week: int) -> None:
        """A candidate from what is known, then the week's hours, then its actuals."""
        if number > 0:
            self._add_candidate(number)
        began, actual = self._history.complete_at(week - 1), self._history.values[:, week]
        served: dict[str, list[float]] = {}
        for hour in range(HOURS):
            self._live_hour(number * HOURS + hour, began + hour * HOUR, week, actual, served)
        self.outcome.production.append(self._production.name)
        self._score(number, week, served)
        for trial in self._open():
            trial.mature(self._history, week)

    def _add_candidate(self, number: int) -> None:
        """Newer ones take the place of those that still wait, but for a planted one: it is what the rehearsal is about."""
        fresh = Contender(issued=self._issued[number])
        kind = self._planted.get(number)
        if kind is not None:
            fresh = plant(fresh, kind, self._history, last=self._plan.last)
        elif any(waiting.planted for waiting in self._queue):
            return
        self._queue = [*(waiting for waiting in self._queue if waiting.planted), fresh][:1]

    def _live_hour(self, hour: int, at: datetime, week: int, actual: Floats, served: dict[str, list[float]]) -> None:
        self._begin_trial(at, week)
        people = self._crowd.hour(hour)
        self.outcome.requests += people.requests
        answering = {self._production.name: 1.0}
        for trial in self._open():
            if trial is self._trial:
                answering = self._answering(trial, at)
            elif trial not in self._shadows:
                continue  # abandoned within this hour
            decision = trial.live(people, at, week=week, actual=actual)
            self._carry_out(trial, decision, at + HOUR, week)
        for name, part in answering.items():
            served.setdefault(name, []).append(part)

    def _answering(self, trial: Trial, at: datetime) -> dict[str, float]:
        part = trial.share_at(at)
        shares = {trial.production.name: 1.0 - part}
        shares[trial.candidate.name] = shares.get(trial.candidate.name, 0.0) + part
        return shares

    def _open(self) -> list[Trial]:
        return [*self._shadows, *([self._trial] if self._trial else [])]

    def _begin_trial(self, at: datetime, week: int) -> None:
        if self._trial is not None and self._trial.is_shadow(at):
            self._shadows.append(self._trial)
            self._trial = None
        if not self._queue or at < self._wait_until or (self._trial is not None and self._trial.is_met):
            return
        if self._trial is not None:
            reason = self._trial.decision.reason if self._trial.decision else ""
            self._note(at, week, "superseded", self._trial.candidate, reason, trial=self._trial)
        candidate = self._queue.pop(0)
        number = len(self.outcome.trials) + 1
        trial = Trial(
            number=number,
            production=self._production,
            candidate=candidate,
            began=at,
            policy=self._plan.policy,
            levels=compare(self._production, candidate, self._history, week),
        )
        for matured in range(candidate.issued.trained + 1, week):
            trial.mature(self._history, matured)
        self._trial = trial
        self.outcome.trials.append(trial)
        self._note(at, week, "trial", candidate, f"beside {self._production.name}", trial=trial)

    def _carry_out(self, trial: Trial, decision: Decision, at: datetime, week: int) -> None:
        if decision.verdict is Verdict.PROMOTE:
            self._production, self._rollbacks = trial.candidate, 0
            self._shadows = []  # of a release that is not in production any more
            self._note(at, week, "promote", trial.candidate, decision.reason, trial=trial)
        elif decision.verdict is Verdict.ROLLBACK:
            self._rollbacks += 1
            self._wait_until = at + timedelta(hours=cooldown_hours(self._rollbacks, self._plan.policy))
            self._note(at, week, "rollback", trial.candidate, decision.reason, trial=trial)
        elif decision.verdict is Verdict.REVERT:
            self._revert(trial, decision, at, week)
        elif decision.verdict is Verdict.INCONCLUSIVE:
            self._note(at, week, "inconclusive", trial.candidate, decision.reason, trial=trial)
        if trial.is_over:
            self._shadows = [other for other in self._shadows if other is not trial]
            self._trial = None if self._trial is trial else self._trial

    def _revert(self, trial: Trial, decision: Decision, at: datetime, week: int) -> None:
        """The beaten release is back; whatever was tried beside the one that goes has lost its comparison."""
        self._rollbacks += 1
        self._wait_until = at + timedelta(hours=cooldown_hours(self._rollbacks, self._plan.policy))
        self._note(at, week, "revert", trial.candidate, decision.reason, trial=trial)
        if self._production.name != trial.candidate.name:
            return
        self._production = trial.production
        if self._trial is not None and self._trial is not trial:
            self._note(at, week, "abandoned", self._trial.candidate, "its production was reverted", trial=self._trial)
            if not self._queue or self._trial.candidate.planted:
                self._queue = [self._trial.candidate]
            self._trial = None

    def _score(self, number: int, week: int, served: dict[str, list[float]]) -> None:
        """Realised error of this week: what people met, and what each simple way of choosing would have given them.

        Of the series that every release forecast: one that began later would count against those alone that know it.
        """
        actual, scale = self._history.values[:, week], self._history.scale_at(week - 1)
        told = {self._production.name: self._production, **self._met()}
        met = np.array([told[name].of(week) for name in served])
        issued = np.array([release.of(week) for release in self._issued[: number + 1]])
        by_all = np.isfinite(met).all(axis=0) & np.isfinite(issued).all(axis=0)

        def wrong(forecast: Floats) -> float:
            return float(scores.mean(scores.scaled(np.abs(forecast - actual), scale)[by_all]))

        errors = dict(zip(served, map(wrong, met), strict=True))
        parts = {name: sum(shares) / HOURS for name, shares in served.items()}
        own = [wrong(forecast) for forecast in issued]
        for way, error in (
            ("the loop", sum(parts[name] * errors[name] for name in served)),
            ("never retrained", own[0]),
            ("always the newest", own[-1]),
            ("oracle", min(own)),
        ):
            self.outcome.mase.setdefault(way, []).append(error)

    def _met(self) -> dict[str, Contender]:
        met = {}
        for trial in self.outcome.trials:
            met[trial.production.name] = trial.production
            met[trial.candidate.name] = trial.candidate
        return {Contender(issued=self._issued[0]).name: Contender(issued=self._issued[0]), **met}

    def _note(
        self, at: datetime, week: int, kind: str, release: Contender, reason: str, *, trial: Trial | None = None
    ) -> None:
        hours = (at - trial.began) / HOUR if trial else 0.0
        number = trial.number if trial else 0
        self.outcome.events.append(
            Event(at=at, week=week, kind=kind, release=release.name, reason=reason, trial=number, hours=hours)
        )
