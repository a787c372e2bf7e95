"""Which release is where: placing a new one, promoting it, taking it off. Through ports only.

Every step may be repeated: what a killed run left half-done, the next one finishes.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

from ratchet.contracts.errors import RatchetError
from ratchet.contracts.policy import Verdict
from ratchet.contracts.ports import DecisionRow, Experiment, Journal, Registry, Release, Track, TrafficSplit

log = logging.getLogger("ratchet.trials")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """Moves releases between the queue, the candidate track and production."""

    registry: Registry
    journal: Journal
    split: TrafficSplit
    share: int
    """Percent of clients that a candidate gets."""

    def place(self, release: Release, *, now: datetime) -> Release:
        """Production if that is empty, else on trial, else in the queue; a release that was placed before stays where it is."""
        if release.state not in ("registered", "queued"):
            log.info("%s is known already (%s): nothing new to try", release.release_id, release.state)
            return release
        production = self.registry.live(release.workload, Track.PRODUCTION)
        if production is None or production.release_id == release.release_id:
            return self._go_live(release)
        self.registry.mark(self.registry.name_candidate(release), "queued")
        self.next_trial(release.workload, now=now)
        return self.find(release.workload, release.release_id)

    def next_trial(self, workload: str, *, now: datetime) -> None:
        """Put the newest queued release on trial unless one is; older queued ones are superseded by it."""
        production = self.registry.live(workload, Track.PRODUCTION)
        experiment = self.journal.current(workload)
        if production is None:
            return
        if experiment is None:
            queued = [release for release in self.registry.releases(workload) if release.state == "queued"]
            if not queued:
                return
            for older in queued[:-1]:
                self.registry.mark(older, "superseded")
            experiment = self.journal.open_experiment(
                workload, production=production.release_id, candidate=queued[-1].release_id, at=now
            )
        self._put_on_trial(self.find(workload, experiment.candidate))

    def carry_out(self, row: DecisionRow, *, now: datetime) -> None:
        """Do what a verdict says, and note that it was done."""
        verdict, experiment = row.decision.verdict, self.journal.experiment(row.experiment_id)
        if verdict in (Verdict.PROMOTE, Verdict.ROLLBACK) and experiment.verdict in (None, verdict.value):
            self._promote(experiment) if verdict is Verdict.PROMOTE else self._roll_back(experiment)
            self.journal.close_experiment(row.experiment_id, verdict=verdict.value, at=now)
        self.journal.acted(row.decision_id, at=now)

    def find(self, workload: str, release_id: str) -> Release:
        """A release by its id; a `RatchetError` if the registry no longer has it."""
        for release in self.registry.releases(workload):
            if release.release_id == release_id:
                return release
        raise RatchetError(f"release {release_id} of {workload} is gone from the registry")

    def _go_live(self, release: Release) -> Release:
        release = self.registry.name_best(release)
        self.registry.point(release.workload, Track.PRODUCTION, release)
        return self.registry.mark(release, "production")

    def _put_on_trial(self, candidate: Release) -> None:
        if candidate.state == "trial":
            return
        self.registry.point(candidate.workload, Track.CANDIDATE, candidate)
        self.split.set_share(self.share)
        self.registry.mark(candidate, "trial")
        log.info("%s is on trial with %d %% of the clients", candidate.name_on(Track.CANDIDATE), self.share)

    def _promote(self, experiment: Experiment) -> None:
        winner = self.registry.name_best(self.find(experiment.workload, experiment.candidate))
        self.registry.point(experiment.workload, Track.PRODUCTION, winner)
        self.split.set_share(0)
        self.registry.point(experiment.workload, Track.CANDIDATE, None)
        self.registry.mark(self.find(experiment.workload, experiment.production), "beaten")
        self.registry.mark(winner, "production")
        log.info("%s is in production now", winner.name_on(Track.PRODUCTION))

    def _roll_back(self, experiment: Experiment) -> None:
        self.split.set_share(0)
        self.registry.point(experiment.workload, Track.CANDIDATE, None)
        loser = self.registry.mark(self.find(experiment.workload, experiment.candidate), "rolled_back")
        log.info("%s was taken off; production stays", loser.name_on(Track.CANDIDATE))
