"""One experiment of a rehearsal: hour after hour of people, and a real look by the real policy after each."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.look import HourOfRatings, Level, Look, PairedLoss, TrackCounts, WeekOfLosses
from ratchet.contracts.policy import Decision, Evidence, EvidencePolicy, TrackEvidence
from ratchet.decide import State, queued, share, step
from ratchet.decide.state import EXPOSED, OVER, Stage, is_shadowed
from ratchet.rehearsal.history import History
from ratchet.rehearsal.people import Hour
from ratchet.rehearsal.plants import Contender

Floats = NDArray[np.float64]

NOT_MET: Final = (Stage.QUEUED, Stage.WARMUP)
HOUR: Final = timedelta(hours=1)
CLEARLY: Final = 1.05
"""An error this many times another's is worse."""
HINDSIGHT_WEEKS: Final = 8
WARM: Final = 10_000
"""Replayed requests: more than any policy wants."""


@dataclass(slots=True)
class Tally:
    """What the plain rule reads of one track: everything since the trial began."""

    requests: int = 0
    errors: int = 0
    ratings: int = 0
    stars: float = 0.0

    def evidence(self, name: str, latency_ms: float) -> TrackEvidence:
        """As the plain rule wants it."""
        mean = self.stars / self.ratings if self.ratings else None
        return TrackEvidence(
            release=name,
            requests=self.requests,
            errors=self.errors,
            latency_ms=latency_ms,
            ratings=self.ratings,
            rating=mean,
        )


@dataclass(slots=True, kw_only=True)
class Trial:
    """A candidate beside production, from its queue to its end."""

    number: int
    production: Contender
    candidate: Contender
    began: datetime
    policy: EvidencePolicy
    levels: tuple[Level, ...] = ()
    """What both expect of the week in which the trial begins, beside what came lately."""
    state: State = field(init=False)
    decision: Decision | None = None
    weeks_due: list[WeekOfLosses] = field(default_factory=list)
    served: dict[int, list[int]] = field(default_factory=dict)
    """By week: requests that production and candidate answered."""
    bad: list[int] = field(default_factory=lambda: [0, 0])
    hours_exposed: int = 0
    tallies: tuple[Tally, Tally] = field(default_factory=lambda: (Tally(), Tally()))

    def __post_init__(self) -> None:
        self.state = queued(self.began, self.policy)

    @property
    def is_over(self) -> bool:
        """Nothing more will be decided."""
        return self.state.stage in OVER

    @property
    def is_met(self) -> bool:
        """Whether clients have met the candidate: until then a newer one takes its place."""
        return self.state.stage not in NOT_MET

    def is_shadow(self, at: datetime) -> bool:
        """Its winner serves everybody, and the beaten release is only scored: another trial may begin."""
        return is_shadowed(self.state, self.policy, at)

    def share_at(self, at: datetime) -> float:
        """The candidate's share of the clients."""
        return float(share(self.state, self.policy, at))

    def mature(self, history: History, week: int) -> None:
        """A week's actuals are here: both releases are scored on every series that both forecast, if neither had seen it."""
        if week <= max(self.production.issued.trained, self.candidate.issued.trained):
            return
        actual = history.values[:, week]
        wrong = [np.abs(contender.of(week) - actual) for contender in (self.production, self.candidate)]
        known = np.flatnonzero(np.isfinite(wrong[0]) & np.isfinite(wrong[1]))
        losses = tuple(
            PairedLoss(series=history.names[row], production=float(wrong[0][row]), candidate=float(wrong[1][row]))
            for row in known
        )
        if losses:
            self.weeks_due.append(WeekOfLosses(week=history.complete_at(week), losses=losses))

    def errors(self, history: History, week: int) -> tuple[float, float]:
        """Both releases' realised errors of a week, summed over the series that both forecast, in each series' naive error."""
        actual, scale = history.values[:, week], history.scale_at(week - 1)
        old, new = (np.abs(side.of(week) - actual) for side in (self.production, self.candidate))
        told = np.isfinite(old) & np.isfinite(new) & (scale > 0)
        return float((old[told] / scale[told]).sum()), float((new[told] / scale[told]).sum())

    def is_worse(self, history: History, week: int) -> bool:
        """Whether the candidate's forecasts of a week turned out clearly worse than production's."""
        old, new = self.errors(history, week)
        return new > CLEARLY * old

    def hindsight(self, history: History, week: int, *, last: int) -> float | None:
        """The candidate's error relative to production's over the weeks after it went on trial, which nobody knew then."""
        weeks = range(week, min(week + HINDSIGHT_WEEKS, last + 1))
        both = np.array([self.errors(history, one) for one in weeks]).sum(axis=0)
        return float(both[1] / both[0] - 1.0) if both[0] > 0 else None

    def live(self, hour: Hour, at: datetime, *, week: int, actual: Floats) -> Decision:
        """One hour of people, and the look at its end; of a shadow's hour only what has matured counts."""
        if self.is_shadow(at):
            self.served.setdefault(week, [0, 0])[1] += hour.requests
            self.hours_exposed += 1
            return self._look(at, 1.0, (0, 0), (0, 0), (0, 0), [(), ()])
        due = self.share_at(at) if self.state.stage in EXPOSED else 0.0
        sides = (self.production, self.candidate)
        requests, clients, raters = (hour.split(count, due) for count in (hour.requests, hour.clients, hour.raters))
        bad = tuple(hour.fail(asked, extra=side.extra_bad) for asked, side in zip(requests, sides, strict=True))
        stars = [
            hour.rate(count, forecast=side.of(week), actual=actual) for count, side in zip(raters, sides, strict=True)
        ]
        if due > 0:
            self._count(week, requests, bad, stars)
        return self._look(at, due, requests, bad, clients, stars)

    def _count(
        self, week: int, requests: tuple[int, int], bad: tuple[int, ...], stars: list[tuple[float, ...]]
    ) -> None:
        self.hours_exposed += 1
        served = self.served.setdefault(week, [0, 0])
        for track, tally in enumerate(self.tallies):
            served[track] += requests[track]
            self.bad[track] += bad[track]
            tally.requests += requests[track]
            tally.errors += bad[track]
            tally.ratings += len(stars[track])
            tally.stars += sum(stars[track])

    def _look(  # every figure of an hour
        self,
        at: datetime,
        due: float,
        requests: tuple[int, int],
        bad: tuple[int, ...],
        clients: tuple[int, int],
        stars: list[tuple[float, ...]],
    ) -> Decision:
        counts = [
            TrackCounts(requests=float(requests[t]), bad_requests=float(bad[t]), new_clients=float(clients[t]))
            for t in (0, 1)
        ]
        weeks, self.weeks_due = tuple(self.weeks_due), []
        look = Look(
            at=at + HOUR,
            production=counts[0],
            candidate=counts[1],
            hours=(HourOfRatings(hour=at, production=stars[0], candidate=stars[1]),),
            weeks=weeks,
            share=due,
            replayed_requests=WARM,
            levels=self.levels,
            evidence=self._evidence(at + HOUR),
        )
        self.state, self.decision = step(self.state, look, self.policy)
        return self.decision

    def _evidence(self, at: datetime) -> Evidence:
        old, new = (
            tally.evidence(side.name, side.latency_ms)
            for tally, side in zip(self.tallies, (self.production, self.candidate), strict=True)
        )
        return Evidence(experiment_id=self.number, at=at, since=self.began, production=old, candidate=new)
