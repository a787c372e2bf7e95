"""The ports: what the loop needs of the world outside, with nothing said about who provides it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from ratchet.contracts.policy import Decision, Evidence
from ratchet.contracts.release import Card

KEPT: Final = "kept"
GOING: Final = "going"
GONE: Final = "gone"
"""What the registry says of a release's files."""
CARRIED_OUT: Final = "carried_out"
ANSWERED: Final = "answered"
"""Another candidate was asked for."""


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
    """What it was trained on."""
    issue: int = 1
    """The number of its newest issue, which is the one to serve."""
    lifecycle: str = ""
    """`trained`, `candidate`, `production` or `archived`: follows the aliases; empty until the next of them moves."""
    archived_at: datetime | None = None
    """Since when it is archived."""
    line: str = ""
    """Major and minor of its version: which way of making releases, and the how manieth made so."""
    files: str = KEPT
    """`kept`, `going` (nobody may take it up any more) or `gone`."""
    kept_issues: tuple[int, ...] = ()
    """Of the issues up to the last of these, only these are there still; empty: all are."""

    @property
    def semantic_version(self) -> str:
        """`major.minor.patch`, the patch being the issue's number; empty until the registry has counted."""
        return f"{self.line}.{self.issue}" if self.line else ""

    @property
    def issues(self) -> tuple[int, ...]:
        """The numbers of the issues that are there, oldest first."""
        return (*self.kept_issues, *range(max(self.kept_issues, default=0) + 1, self.issue + 1))

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

    def add(self, folder: Path, card: Card, *, gold: str = "") -> Release:
        """Register a release folder once: the same `release_id` again returns what is there, its files put back if they were removed.

        `gold` is the address of the data that it was trained on.
        """

    def releases(self, workload: str) -> Sequence[Release]:
        """Every release, oldest first."""

    def name_candidate(self, release: Release) -> Release:
        """Give it the next `CO{n}` unless it has one."""

    def name_best(self, release: Release) -> Release:
        """Give it the next `BO{m}` unless it has one."""

    def mark(self, release: Release, state: str) -> Release:
        """Write its lifecycle state."""

    def issue(self, release: Release, folder: Path, number: int) -> Release:
        """Put issue `number`, the folder with its files, beside what the release issued before, then say that it is the one to serve."""

    def point(self, workload: str, track: Track, release: Release | None) -> None:
        """Move a track's alias; None takes it away. `RegistryError` for a release whose files are not kept."""

    def settle(self, workload: str) -> None:
        """Bring each release's lifecycle and version to what aliases, states and order say. Every move does so by itself."""

    def aliased(self, workload: str) -> frozenset[int]:
        """The versions that any alias names, a track's or one that people gave."""

    def retire(self, release: Release) -> Release:
        """Say that its files are going, so that nobody takes it up; `RegistryError` while an alias names it."""

    def discard(self, release: Release) -> Release:
        """Remove the files of one that is going; card, scores, names and states stay. One that an alias names by now is kept."""

    def keep_issues(self, release: Release, numbers: Sequence[int], *, at: datetime) -> Release:
        """Say which of its issues stay, so that nobody asks for another."""

    def discard_issues(self, release: Release, *, told_before: datetime) -> Sequence[int]:
        """Remove the issues that were said not to stay, if that was said before a moment: which."""


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

    def failures(self, workload: str, track: Track, *, since: datetime, until: datetime) -> int | None:
        """Forecasts that a track failed to answer (5xx), whatever it served; None where nothing was measured."""

    def gaps(self, workload: str, track: Track, *, since: datetime, until: datetime) -> Sequence[str]:
        """What is wrong with a track's figures of a window, in words: scrapes that are missing, counters that were reset."""

    def serving(self, workload: str, track: Track) -> Mapping[str, int]:
        """How many workers of a track serve which `release_id` now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """Ratings of one release: how many, and their mean."""

    count: int
    mean: float | None


class Feedback(Protocol):
    """What users said."""

    def ratings(self, workload: str, release_id: str, *, since: datetime, until: datetime) -> Ratings:
        """Ratings of forecasts that this release answered: the first one of each client and day."""


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
class NewLook:
    """A look that has been judged, ready to be written down."""

    at: datetime
    actor: str
    policy: str
    """The policy's digest."""
    policy_body: str
    stage: str
    """The stage of the experiment after the look."""
    decision: Decision
    evidence: Evidence | None
    body: str
    """The whole record as JSON: what a replay starts from, byte for byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookRow:
    """A look as it was written down. Nothing of it ever changes but `acted_at`: None until it has been carried out."""

    look_id: int
    experiment_id: int
    at: datetime
    decided_at: datetime
    actor: str
    policy: str | None
    stage: str | None
    decision: Decision
    body: str | None
    """None for looks from before they were kept whole."""
    acted_at: datetime | None


class Journal(Protocol):
    """Experiments and their looks: written once per (experiment, moment), never changed after."""

    def open_experiment(self, workload: str, *, production: str, candidate: str, at: datetime) -> Experiment:
        """Start an experiment, or return the one that is open with the same two releases."""

    def current(self, workload: str) -> Experiment | None:
        """The experiment that has the tracks, if there is one."""

    def shadows(self, workload: str) -> Sequence[Experiment]:
        """Open experiments that only score a beaten release and leave the tracks to others, oldest first."""

    def past(self, workload: str, *, limit: int) -> Sequence[Experiment]:
        """Experiments that ended, the newest first."""

    def promotions(self, workload: str, *, limit: int) -> Sequence[Experiment]:
        """Experiments that promoted, the newest first, however long ago: ended with that word, or only scored by now."""

    def shadow(self, experiment_id: int) -> None:
        """From now on it leaves the tracks to others; twice changes nothing."""

    def close_experiment(self, experiment_id: int, *, verdict: str, at: datetime) -> None:
        """End it; ending twice changes nothing but what a revert says."""

    def experiment(self, experiment_id: int) -> Experiment:
        """One experiment, open or ended; a `RatchetError` if there is none with this id."""

    def alone(self, workload: str) -> AbstractContextManager[None]:
        """Only one holder per workload at a time, in the whole installation; others wait, and not for ever: a `BusyError`."""

    def clock(self) -> datetime:
        """Its own time: what says that the loop's has jumped ahead."""

    def record(self, experiment_id: int, look: NewLook, *, at: datetime) -> LookRow:
        """Keep a look before anyone acts on it; a second one of the same moment returns the first."""

    def newest(self, experiment_id: int) -> LookRow | None:
        """The last look at an experiment."""

    def stage(self, workload: str) -> str:
        """Where the experiment on trial stands: `queued` before its first look, empty if there is none."""

    def look(self, experiment_id: int, *, at: datetime) -> LookRow | None:
        """The look of a moment, if there is one."""

    def looks(self, workload: str, *, limit: int) -> Sequence[LookRow]:
        """The newest looks first."""

    def history(self, experiment_id: int) -> Sequence[LookRow]:
        """Every look at an experiment, oldest first."""

    def policies(self) -> Mapping[str, str]:
        """Every policy that ever judged, as JSON by its digest."""

    def pending(self, workload: str) -> Sequence[LookRow]:
        """Looks that were written down but not carried out, oldest first."""

    def acted(self, look_id: int, *, at: datetime, what: str = CARRIED_OUT) -> None:
        """Note that something has been done about a look; the first time stands."""

    def unanswered(self, workload: str) -> LookRow | None:
        """The newest rollback or revert that nobody has asked for another candidate about."""


class TrafficSplit(Protocol):
    """How much traffic the candidate's track gets, and which people."""

    def share(self) -> int:
        """Percent of clients assigned to the candidate's track."""

    def salt(self) -> int:
        """Which of sixteen splits is in force: another one picks other people."""

    def set_share(self, percent: int, *, salt: int | None = None) -> None:
        """Change it without dropping a request; without a salt the same people stay."""
