"""The ports: what the loop needs of the world outside, with nothing said about who provides it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from ratchet.contracts.policy import Decision, Evidence
from ratchet.contracts.release import Card


class Track(StrEnum):
    """A place in serving."""

    PRODUCTION = "production"
    CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release as the registry knows it."""

    workload: str
    version: int
    release_id: str
    location: str
    """Where the release's folder can be fetched from: a `file://` or `s3://` address."""
    candidate_of: str | None = None
    best_of: str | None = None
    state: str = "registered"
    """`registered`, `queued`, `superseded` (by a newer one in the queue), `trial`, `production`, `beaten` or `rolled_back`."""
    data_hour: datetime | None = None

    def name_on(self, track: Track) -> str:
        """What people call it: `BO{m}` in production, `CO{n}` on trial."""
        names = (self.best_of, self.candidate_of) if track is Track.PRODUCTION else (self.candidate_of, self.best_of)
        return names[0] or names[1] or f"v{self.version}"


class LiveReleases(Protocol):
    """What serving asks of the registry: which release is behind a track's alias now."""

    def live(self, workload: str, track: Track) -> Release | None:
        """The release behind the alias; None if there is none; `RegistryError` if nobody can say."""


class Registry(LiveReleases, Protocol):
    """The single truth of what should be live."""

    def add(self, folder: Path, card: Card) -> Release:
        """Register a release folder once: the same `release_id` again returns what is there."""

    def releases(self, workload: str) -> Sequence[Release]:
        """Every release, oldest first."""

    def name_candidate(self, release: Release) -> Release:
        """Give it the next `CO{n}` unless it has one."""

    def name_best(self, release: Release) -> Release:
        """Give it the next `BO{m}` unless it has one."""

    def mark(self, release: Release, state: str) -> Release:
        """Write its lifecycle state."""

    def point(self, workload: str, track: Track, release: Release | None) -> None:
        """Move a track's alias; None takes it away."""


class LiveMetrics(Protocol):
    """What the serving metrics said of one release on one track between two times. `release` is its name on that track."""

    def requests(self, workload: str, track: Track, release: str, *, since: datetime, until: datetime) -> int | None:
        """Answered forecasts, or None where nothing was measured."""

    def errors(self, workload: str, track: Track, release: str, *, since: datetime, until: datetime) -> int | None:
        """Forecasts that failed on the server's side (5xx), or None."""

    def latency_ms(
        self, workload: str, track: Track, release: str, *, since: datetime, until: datetime
    ) -> float | None:
        """Mean latency in milliseconds, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """Ratings of one release: how many, and their mean."""

    count: int
    mean: float | None


class Feedback(Protocol):
    """What users said."""

    def ratings(self, workload: str, release_id: str, *, since: datetime, until: datetime) -> Ratings:
        """Ratings of forecasts that this release answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """The time a candidate and a production release serve side by side."""

    experiment_id: int
    workload: str
    production: str
    """`release_id` of the production release."""
    candidate: str
    started_at: datetime
    ended_at: datetime | None = None
    verdict: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """A verdict as it was written down. `acted_at` is None until the loop has carried it out."""

    decision_id: int
    experiment_id: int
    at: datetime
    decision: Decision
    decided_at: datetime
    acted_at: datetime | None


class Journal(Protocol):
    """Experiments, evidence and decisions: written once per (experiment, moment), never changed after."""

    def open_experiment(self, workload: str, *, production: str, candidate: str, at: datetime) -> Experiment:
        """Start an experiment, or return the one that is open with the same two releases."""

    def current(self, workload: str) -> Experiment | None:
        """The open experiment, if there is one."""

    def close_experiment(self, experiment_id: int, *, verdict: str, at: datetime) -> None:
        """End it; ending twice changes nothing."""

    def record_evidence(self, evidence: Evidence) -> Evidence:
        """Keep the evidence of a moment; a second look at the same moment returns the first one."""

    def experiment(self, experiment_id: int) -> Experiment:
        """One experiment, open or ended; a `RatchetError` if there is none with this id."""

    def evidence(self, experiment_id: int, *, at: datetime) -> Evidence | None:
        """The evidence kept for a moment, if there is any."""

    def alone(self, workload: str) -> AbstractContextManager[None]:
        """Only one holder per workload at a time, in the whole installation; others wait."""

    def record_decision(self, evidence: Evidence, decision: Decision, *, at: datetime) -> DecisionRow:
        """Keep a verdict before anyone acts on it; a second one for the same moment returns the first."""

    def pending(self, workload: str) -> Sequence[DecisionRow]:
        """Verdicts that were written down but not carried out, oldest first."""

    def acted(self, decision_id: int, *, at: datetime) -> None:
        """Note that a verdict has been carried out."""

    def decisions(self, workload: str, *, limit: int) -> Sequence[DecisionRow]:
        """The newest verdicts first."""


class TrafficSplit(Protocol):
    """How much traffic the candidate gets."""

    def share(self) -> int:
        """Percent of clients assigned to the candidate."""

    def set_share(self, percent: int) -> None:
        """Change it without dropping a request."""
