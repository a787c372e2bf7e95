"""Which release is where: placing a new one, and bringing aliases, share and names to what an experiment's state asks for.

Every step may be repeated: what a killed run left half-done, the next one finishes.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from ratchet.contracts.errors import RatchetError, RegistryError
from ratchet.contracts.policy import EvidencePolicy, Verdict
from ratchet.contracts.ports import Experiment, Journal, LookRow, Registry, Release, Track, TrafficSplit
from ratchet.decide import Record, State, queued
from ratchet.decide.records import from_json
from ratchet.decide.state import OVER, Stage, is_shadowed
from ratchet.trials.looking import in_force
from ratchet.trials.placement import BEATEN, Placement, place, standing

log = logging.getLogger("ratchet.trials")

REPLACEABLE: Final = (Stage.QUEUED, Stage.WARMUP)
"""No client has met it yet: a newer candidate takes its place."""
EVERY: Final = 1_000_000
TRIED: Final = {"rollback": "rolled_back", "revert": "rolled_back", "inconclusive": "inconclusive"}
"""What the registry says of the candidate of an experiment that ended with this word."""
PROMOTED: Final = "promote"
EMPTY: Final = "%s@production is empty: %s is gone from the registry, and %s; docs/runbook.md, ProductionEmpty"
ENDINGS: Final = {Stage.DONE: PROMOTED, Stage.INCONCLUSIVE: "inconclusive"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """Moves releases between the queue, the candidate's track and production."""

    registry: Registry
    journal: Journal
    split: TrafficSplit

    def place(self, release: Release, *, now: datetime) -> Release:
        """Production if that is empty, else an experiment or the queue; a release that was placed before stays where it is."""
        release = self.find(release.workload, release.release_id)  # another run may have placed it meanwhile
        if release.state not in ("registered", "queued"):
            log.info("%s is known already (%s): nothing new to try", release.release_id, release.state)
            return release
        if self._in_production(release.workload) in (None, release.release_id):
            return self._go_live(release)
        self.registry.mark(self.registry.name_candidate(release), "queued")
        self.next_trial(release.workload, now=now)
        return self.find(release.workload, release.release_id)

    def place_left(self, workload: str, *, now: datetime) -> None:
        """Place what was registered and, its run having ended there, never placed; what a newer one has overtaken is not tried."""
        overtaken = False
        left: list[Release] = []
        for release in reversed(self.registry.releases(workload)):
            if release.state != "registered":
                overtaken = True
            elif overtaken:
                self.registry.mark(release, "superseded")
            else:
                left.append(release)
        for release in reversed(left):
            log.info("%s was registered and never placed: it is placed now", release.release_id)
            self.place(release, now=now)

    def next_trial(self, workload: str, *, now: datetime) -> None:
        """Open an experiment for the newest queued release unless clients meet another one; older queued ones are superseded.

        What somebody has made production by hand gets its name and mark, and is not tried against itself.
        """
        production = self.registry.live(workload, Track.PRODUCTION)
        current = self.journal.current(workload)
        if production and not current and not (production.state == "production" and production.best_of):
            production = self._go_live(production)
        if production:
            self._mark_beaten(production)
        waiting = self._waiting(workload, production) if production else []
        if production is None or not waiting:
            return
        newest = waiting[-1]
        if current is not None and not self._give_way(current, newest, now=now):
            return
        for older in waiting[:-1]:
            self.registry.mark(older, "superseded")
        self.journal.open_experiment(workload, production=production.release_id, candidate=newest.release_id, at=now)

    def reconcile(
        self, experiment: Experiment, policy: EvidencePolicy, *, at: datetime, shadowed: bool = False
    ) -> None:
        """Bring the world to what the newest look asks for; where it is so already, nothing changes.

        A promotion that another one has followed is only closed: production is nothing that it could say anything about.
        """
        if shadowed and self._is_outlived(experiment):
            self.journal.close_experiment(experiment.experiment_id, verdict=PROMOTED, at=at)
            return
        policy = in_force(self.journal, self._newest(experiment), policy)
        state = self.state(experiment, policy)
        if not shadowed:
            wanted = place(experiment, state, policy, at=at)
            if wanted.percent < self.split.share() and self._keeps_production(experiment, state):
                self.split.set_share(wanted.percent)  # also while the registry is away
            self._take_tracks(experiment, wanted)
        elif state.stage is Stage.ROLLED_BACK:
            wanted = self._possible(experiment.workload, place(experiment, state, policy, at=at))
            self._move(experiment.workload, Track.PRODUCTION, wanted.production)
        self._mark(experiment, state)
        if state.stage in OVER:
            self.journal.close_experiment(experiment.experiment_id, verdict=self._ending(experiment, state), at=at)
        elif is_shadowed(state, policy, at) and not shadowed:
            self.journal.shadow(experiment.experiment_id)

    def carried_out(self, rows: list[LookRow], *, at: datetime) -> None:
        """Note that these looks have been carried out."""
        for row in rows:
            self.journal.acted(row.look_id, at=at)

    def state(self, experiment: Experiment, policy: EvidencePolicy) -> State:
        """Where an experiment stands after its newest look."""
        newest = self._newest(experiment)
        return newest.state if newest else queued(experiment.started_at, policy)

    def find(self, workload: str, release_id: str) -> Release:
        """A release by its id; a `RatchetError` if the registry no longer has it."""
        for release in self.registry.releases(workload):
            if release.release_id == release_id:
                return release
        raise RatchetError(f"release {release_id} of {workload} is gone from the registry")

    def is_gone(self, workload: str, release_id: str) -> bool:
        """Whether the registry answers, and does not have this release any more."""
        try:
            return release_id not in {release.release_id for release in self.registry.releases(workload)}
        except RegistryError:
            return False

    def _newest(self, experiment: Experiment) -> Record | None:
        row = self.journal.newest(experiment.experiment_id)
        return from_json(Record, row.body) if row and row.body is not None else None

    def _waiting(self, workload: str, production: Release) -> list[Release]:
        """What may be tried beside production, oldest first; what was tried so already gets the mark that it should have."""
        past = self.journal.past(workload, limit=EVERY)
        tried = {one.candidate: one for one in past if one.production == production.release_id}
        known = (one for one in self.registry.releases(workload) if one.release_id != production.release_id)
        waiting = [release for release in known if release.state in ("queued", "trial")]
        for release in waiting:
            if (one := tried.get(release.release_id)) is not None:
                beside, number = production.release_id, one.experiment_id
                log.warning(
                    "%s was tried beside %s already, in experiment %d: %s", one.candidate, beside, number, one.verdict
                )
                self.registry.mark(release, TRIED.get(str(one.verdict), "superseded"))
        return [release for release in waiting if release.release_id not in tried]

    def _give_way(self, current: Experiment, newest: Release, *, now: datetime) -> bool:
        """Whether a newer candidate takes the place of one that no client has met."""
        if current.candidate == newest.release_id:
            return False
        row = self.journal.newest(current.experiment_id)
        stage = Stage(row.stage) if row and row.stage else Stage.QUEUED
        if stage not in REPLACEABLE:
            return False
        self.journal.close_experiment(current.experiment_id, verdict="superseded", at=now)
        return True

    def _go_live(self, release: Release) -> Release:
        release = self.registry.name_best(release)
        self.registry.point(release.workload, Track.PRODUCTION, release)
        return self.registry.mark(release, "production")

    def _take_tracks(self, experiment: Experiment, asked: Placement) -> None:
        """A smaller share comes first and a larger one last, so that nobody meets a track that is not ready for them.

        Only where production itself changes does its alias come before: nobody is moved from one bad release to another.
        """
        workload = experiment.workload
        wanted = self._possible(workload, asked)
        self._move(workload, Track.PRODUCTION, wanted.production)
        if wanted.percent < self.split.share():
            self.split.set_share(wanted.percent)
        self._move(workload, Track.CANDIDATE, wanted.candidate)
        if (self.split.share(), self.split.salt()) != (wanted.percent, wanted.salt):
            self.split.set_share(wanted.percent, salt=wanted.salt)

    def _keeps_production(self, experiment: Experiment, state: State) -> bool:
        """Whether production is what it was when the experiment began: nobody is moved to a release that is on its way out."""
        if state.stage is Stage.ROLLED_BACK:
            return self._ending(experiment, state) == Verdict.ROLLBACK.value
        return state.stage not in (Stage.PROMOTING, Stage.WATCH, Stage.DONE)

    def _possible(self, workload: str, wanted: Placement) -> Placement:
        """What is left of a placement where somebody has removed a release: it must keep nothing else from being carried out.

        Production stays as it is. Where that is empty the candidate's track stays too: the router has it answer everybody.
        """
        known = {release.release_id for release in self.registry.releases(workload)}
        if wanted.candidate is not None and wanted.candidate not in known:
            log.error("%s is gone from the registry: nobody is sent to %s@candidate", wanted.candidate, workload)
            wanted = replace(wanted, candidate=None, percent=0)
        if wanted.production in known:
            return wanted
        live, beside = (self.registry.live(workload, track) for track in Track)
        if live is not None:
            stays = live.name_on(Track.PRODUCTION)
            log.error("%s is gone from the registry: %s@production stays %s", wanted.production, workload, stays)
            return replace(wanted, production=live.release_id)
        answers = f"{workload}@candidate answers everybody" if beside else "nobody answers"
        log.error(EMPTY, workload, wanted.production, answers)
        kept = wanted.candidate or (beside.release_id if beside else None)
        return replace(wanted, production=None, candidate=kept)

    def _in_production(self, workload: str) -> str | None:
        """What belongs there: an alias that somebody took away during an experiment comes back with the next act."""
        live, current = self.registry.live(workload, Track.PRODUCTION), self.journal.current(workload)
        if live is not None or current is None:
            return live.release_id if live else None
        known = (release.release_id for release in self.registry.releases(workload))
        return current.production if current.production in known else None

    def _is_outlived(self, experiment: Experiment) -> bool:
        """Whether production is neither release of an experiment: a killed revert may have moved it from one to the other already."""
        live = self.registry.live(experiment.workload, Track.PRODUCTION)
        return live is not None and live.release_id not in (experiment.production, experiment.candidate)

    def _move(self, workload: str, track: Track, release_id: str | None) -> None:
        live = self.registry.live(workload, track)
        if release_id == (live.release_id if live else None):
            return
        release = self.find(workload, release_id) if release_id else None
        if release is not None and track is Track.PRODUCTION:
            release = self.registry.name_best(release)
        self.registry.point(workload, track, release)
        log.info("%s@%s is %s now", workload, track.value, release.name_on(track) if release else "empty")

    def _mark(self, experiment: Experiment, state: State) -> None:
        known = {release.release_id: release for release in self.registry.releases(experiment.workload)}
        live = self.registry.live(experiment.workload, Track.PRODUCTION)
        sides = (experiment.production, experiment.candidate)
        for release_id, wanted in zip(sides, standing(state), strict=True):
            release, state_now = known.get(release_id), _standing_now(release_id, wanted, live)
            if release is not None and release.state != state_now:
                self.registry.mark(release, state_now)

    def _mark_beaten(self, production: Release) -> None:
        """Nothing else is called production: somebody may have moved the alias, or something else have gone live, outside a trial."""
        for release in self.registry.releases(production.workload):
            if release.state == "production" and release.release_id != production.release_id:
                self.registry.mark(release, BEATEN)

    def _ending(self, experiment: Experiment, state: State) -> str:
        if state.stage is not Stage.ROLLED_BACK:
            return ENDINGS[state.stage]
        row = self.journal.newest(experiment.experiment_id)
        return row.decision.verdict.value if row else Verdict.ROLLBACK.value


def _standing_now(release_id: str, wanted: str, live: Release | None) -> str:
    """Only what is live is called production: what should have come back may be gone, and somebody may have moved the alias."""
    if live is not None and release_id == live.release_id:
        return "production"
    return BEATEN if live is not None and wanted == "production" else wanted
