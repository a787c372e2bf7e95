"""What a look needs, from the real adapters: the log, feedback, live metrics, gold, and the candidate's track itself."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import MetricsError, RatchetError
from ratchet.contracts.look import Level, Look, Surroundings, WeekOfLosses
from ratchet.contracts.policy import Evidence, EvidencePolicy
from ratchet.contracts.ports import Experiment, Feedback, Release, Track
from ratchet.decide import State
from ratchet.decide.state import AFTER_PROMOTION, EXPOSED, Stage, is_shadowed
from ratchet.observe import Comparison, PostgresAsked, PostgresHours, Window, fill_look, gather, pair_weeks, read_issued
from ratchet.observe.asked import Question
from ratchet.observe.hours import UNKNOWN
from ratchet.observe.issued import Actual, Issued, beginning
from ratchet.observe.levels import compare_levels
from ratchet.observe.live import PrometheusMetrics
from ratchet.trials.around import Around
from ratchet.trials.looking import Asked

log = logging.getLogger("ratchet.trials")

DAY: Final = timedelta(days=1)
FAR_ENOUGH: Final = timedelta(weeks=26)
"""So far back are the last weeks that have matured, also where actuals come late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """`Measured` over the real adapters."""

    hours: PostgresHours
    asked: PostgresAsked
    metrics: PrometheusMetrics
    feedback: Feedback
    find: Callable[[str, str], Release]
    folder: Callable[[Release], Path]
    """Where on this machine a release and all that it has issued are, brought here if need be."""
    first_week: Callable[[Release, int], date | None]
    """The first week that an issue forecasts; None if the issue is not there."""
    actuals: Callable[[str, date], Iterable[Actual]]
    """What really happened from a week on; empty while gold holds nothing newer."""
    around: Around
    replay: Callable[[str, str, Sequence[Question], int], int]
    """Of a workload, to a release."""
    workers: int
    """How many processes a track has at least."""

    def look(self, experiment: Experiment, state: State, policy: EvidencePolicy, asked: Asked) -> Look:
        """Requests, failures, new clients and ratings since the look before."""
        if state.stage not in EXPOSED or is_shadowed(state, policy, asked.at):
            return Look(at=asked.at, production=UNKNOWN, candidate=UNKNOWN, cadence=asked.cadence)
        window = Window(
            after=asked.after or state.counted_since,
            at=asked.at,
            ratings_after=state.ratings.through,
            cadence=asked.cadence,
        )
        return fill_look(self.hours, self.metrics, compared(experiment, state, policy), window)

    def weeks(self, experiment: Experiment, state: State, *, at: datetime) -> tuple[WeekOfLosses, ...]:
        """Matured weeks that no look has held. After a promotion only those that came after it: the others made it."""
        if state.stage not in EXPOSED:
            return ()
        first = state.counted_since.date() if state.stage is Stage.WATCH else date.min
        newest = max((name for name, _ in state.errors.weeks), default="")
        workload = experiment.workload
        try:
            old, new = self._issued(experiment)
            first = max(first, old.first_week, new.first_week)
            actuals = list(self.actuals(workload, first))
            if not any(beginning(week).isoformat() > newest for _, _, week, _ in actuals):
                return ()
            times = self.asked.times(workload, since=at - DAY, until=at)
        except (RatchetError, OSError) as error:
            log.warning("no realised errors at this look: %s", error)
            return ()
        return pair_weeks(old, new, actuals, seen=frozenset(name for name, _ in state.errors.weeks), asked=times)

    def evidence(
        self, experiment: Experiment, state: State, policy: EvidencePolicy, *, at: datetime
    ) -> Evidence | None:
        """What the plain rule reads; None where the registry cannot say what the releases are called."""
        try:
            production, candidate = (
                self.find(experiment.workload, release_id)
                for release_id in (experiment.production, experiment.candidate)
            )
        except RatchetError as error:
            log.warning("no figures for the plain rule: %s", error)
            return None
        comparison = compared(experiment, state, policy)
        return gather(
            comparison, production=production, candidate=candidate, metrics=self.metrics, feedback=self.feedback, at=at
        )

    def is_behind(self, experiment: Experiment) -> bool:
        """Whether the candidate's newest forecasts begin with a week that is over for production's; not where nobody can say."""
        try:
            sides = [self.find(experiment.workload, side) for side in (experiment.production, experiment.candidate)]
            old, new = (self.first_week(release, release.issue) for release in sides)
        except (RatchetError, OSError) as error:
            log.warning("nobody can say which weeks the releases forecast: %s", error)
            return False
        return old is not None and new is not None and new < old

    def is_served(self, workload: str, track: Track, release_id: str) -> bool:
        """Whether every worker of a track serves this release, as its metrics say; not while nobody can say."""
        try:
            serving = {release: count for release, count in self.metrics.serving(workload, track).items() if count}
        except MetricsError as error:
            log.warning("nobody can say what the %s track serves: %s", track.value, error)
            return False
        return set(serving) == {release_id} and serving[release_id] >= self.workers

    def surroundings(self, experiment: Experiment, state: State, policy: EvidencePolicy, asked: Asked) -> Surroundings:
        """What else is so; what is away is None."""
        seen = self.around.look(experiment.workload, at=asked.at)
        if state.stage not in EXPOSED:
            return seen
        try:
            since = asked.after or state.counted_since
            segments = self.hours.segments(compared(experiment, state, policy), since=since, until=asked.at)
        except MetricsError as error:
            log.warning("nobody can say which targets were asked for: %s", error)
            return seen
        return replace(seen, segments=segments)

    def warm_up(self, workload: str, release_id: str, requests: int, *, now: datetime) -> int:
        """How many replayed requests the candidate's track answered: recent questions, or the release's own series."""
        try:
            asked = self.asked.questions(workload, since=now - DAY, limit=max(requests, 1))
        except MetricsError as error:
            log.warning("no recent questions to warm up with: %s", error)
            asked = []
        return self.replay(workload, release_id, asked, requests)

    def levels(self, experiment: Experiment, *, at: datetime) -> tuple[Level, ...]:
        """What both releases expect of the coming weeks, beside the last weeks that have matured."""
        try:
            lately = self.actuals(experiment.workload, (at - FAR_ENOUGH).date())
            return compare_levels(*self._issued(experiment), lately)
        except (RatchetError, OSError) as error:
            log.warning("nobody can say what the releases expect: %s", error)
            return ()

    def _issued(self, experiment: Experiment) -> tuple[Issued, Issued]:
        """What production and the candidate have issued."""
        sides = (experiment.production, experiment.candidate)
        old, new = (read_issued(self.folder(self.find(experiment.workload, side))) for side in sides)
        return old, new


def compared(experiment: Experiment, state: State, policy: EvidencePolicy) -> Comparison:
    """The stage whose clients and first ratings are counted now."""
    return Comparison(
        experiment=experiment,
        began=state.counted_since,
        slow_ms=policy.slow_ms,
        is_swapped=state.stage in AFTER_PROMOTION - {Stage.PROMOTING},
    )
