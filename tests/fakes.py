"""Hand-written fakes, one per port. Each passes the same contract suite as the real adapter: so it stays honest."""

import math
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np

from ratchet.contracts.errors import JournalError, MetricsError, RegistryError
from ratchet.contracts.policy import Verdict
from ratchet.contracts.ports import (
    ANSWERED,
    CARRIED_OUT,
    GOING,
    GONE,
    KEPT,
    Experiment,
    LookRow,
    NewLook,
    Ratings,
    Release,
    Track,
)
from ratchet.contracts.release import (
    CARD,
    FAMILY,
    ISSUE,
    KEYS,
    NAME_OFFSETS,
    NAMES,
    SCORES,
    STATISTICS,
    Card,
    Issue,
    file_digest,
    issue_folder,
    issues_in,
    series_key,
    series_name,
)
from ratchet.contracts.source import Arrival, Landings, Piece
from ratchet.register.folder import check_folder
from ratchet.register.standing import ARCHIVED, lifecycle, lines, require_files


def write_release(folder: Path, *, workload: str, release_id: str, data_hour: datetime, weeks: int = 3) -> Card:
    """Write a small but complete release: series `a` and `b`, targets `x` and `y`, every number different."""
    series = sorted(
        (series_key(unique_id, target), series_name(unique_id, target)) for unique_id in "ab" for target in "xy"
    )
    names = [name.encode() for _, name in series]
    arrays = {
        KEYS: np.array([key for key, _ in series], dtype=np.uint64),
        NAME_OFFSETS: np.cumsum([0, *map(len, names)], dtype=np.uint64),
        FAMILY: np.zeros(len(series), dtype=np.uint8),
    }
    for number, statistic in enumerate(STATISTICS):
        rows = np.arange(len(series) * weeks, dtype=np.float32).reshape(len(series), weeks)
        arrays[f"{issue_folder(1)}/{statistic}.npy"] = rows + np.float32(100 * number + 0.1)
    for name, array in arrays.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / name, array)
    (folder / NAMES).write_bytes(b"".join(names))
    (folder / SCORES).write_text("{}\n")
    issue = Issue(number=1, data_hour=data_hour, first_week=data_hour.date(), horizon=weeks)
    (folder / issue_folder(1) / ISSUE).write_text(issue.to_json())
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    card = Card(
        release_id=release_id,
        workload=workload,
        id_name="thing",
        targets=("x", "y"),
        horizon=weeks,
        data_hour=data_hour,
        code_version="1.2.3",
        recipe=("seasonal_naive", "theta"),
        series=len(series),
        synthetic=True,
        families={"theta": 3, "seasonal_naive": 1},
        scores={"theta": {"mase": 0.8}, "overall": {"mase": 0.9, "smape": math.nan}},
        coverage={"80": 0.79},
        checksums={str(path.relative_to(folder)): file_digest(path) for path in files},
    )
    (folder / CARD).write_text(card.to_json())
    return card


class FakeRegistry:
    """`Registry` in memory: releases stay where they were made."""

    def __init__(self) -> None:
        self._releases: dict[tuple[str, int], Release] = {}
        self._aliases: dict[tuple[str, Track], int] = {}
        self.makes: dict[str, str] = {}
        self.gold: dict[str, str] = {}
        self.told: dict[str, datetime] = {}
        self.away = False

    def live(self, workload: str, track: Track) -> Release | None:
        self._require()
        version = self._aliases.get((workload, track))
        return None if version is None else self._releases[workload, version]

    def add(self, folder: Path, card: Card, *, gold: str = "") -> Release:
        self._require()
        check_folder(folder, card)
        known = self.releases(card.workload)
        for release in known:
            if release.release_id == card.release_id:
                return self._restore(release, folder)
        release = Release(
            workload=card.workload,
            version=len(known) + 1,
            release_id=card.release_id,
            location=folder.as_uri(),
            data_hour=card.data_hour,
        )
        self.makes[card.release_id], self.gold[card.release_id] = card.make, gold
        return self._settled(self._keep(release))

    def releases(self, workload: str) -> list[Release]:
        self._require()
        return [release for (name, _), release in sorted(self._releases.items()) if name == workload]

    def name_candidate(self, release: Release) -> Release:
        fresh = self._fresh(release)
        taken = [int(other.candidate_of[2:]) for other in self.releases(release.workload) if other.candidate_of]
        return self._keep(replace(fresh, candidate_of=fresh.candidate_of or f"CO{max(taken, default=0) + 1}"))

    def name_best(self, release: Release) -> Release:
        fresh = self._fresh(release)
        taken = [int(other.best_of[2:]) for other in self.releases(release.workload) if other.best_of]
        return self._keep(replace(fresh, best_of=fresh.best_of or f"BO{max(taken, default=0) + 1}"))

    def mark(self, release: Release, state: str) -> Release:
        return self._settled(self._keep(replace(self._fresh(release), state=state)))

    def issue(self, release: Release, folder: Path, number: int) -> Release:
        fresh = self._fresh(release)
        shutil.copytree(folder, _path(release) / issue_folder(number))
        return self._keep(replace(fresh, issue=number))

    def point(self, workload: str, track: Track, release: Release | None) -> None:
        self._require()
        if release is None:
            self._aliases.pop((workload, track), None)
        else:
            fresh = self._fresh(release)
            require_files(fresh)
            self._aliases[workload, track] = fresh.version
        self.settle(workload)

    def settle(self, workload: str) -> None:
        aliases = {track.value: version for (name, track), version in self._aliases.items() if name == workload}
        found = self.releases(workload)
        for release, line in zip(found, lines([self.makes[one.release_id] for one in found]), strict=True):
            wanted = lifecycle(release, aliases)
            since = release.archived_at or datetime.now(UTC)
            self._keep(replace(release, line=line, lifecycle=wanted, archived_at=since if wanted == ARCHIVED else None))

    def aliased(self, workload: str) -> frozenset[int]:
        self._require()
        return frozenset(version for (name, _), version in self._aliases.items() if name == workload)

    def retire(self, release: Release) -> Release:
        if release.version in self.aliased(release.workload):
            raise RegistryError(f"an alias names {release.release_id}")
        return self._keep(replace(self._fresh(release), files=GOING))

    def discard(self, release: Release) -> Release:
        fresh = self._fresh(release)
        if fresh.files != GOING:
            raise RegistryError(f"{release.release_id} was not said to be going")
        if release.version in self.aliased(release.workload):
            return self._keep(replace(fresh, files=KEPT))
        shutil.rmtree(_path(release), ignore_errors=True)
        return self._keep(replace(fresh, files=GONE))

    def keep_issues(self, release: Release, numbers: Iterable[int], *, at: datetime) -> Release:
        self.told[release.release_id] = at
        return self._keep(replace(self._fresh(release), kept_issues=tuple(numbers)))

    def discard_issues(self, release: Release, *, told_before: datetime) -> list[int]:
        stay, told = self._fresh(release).kept_issues, self.told.get(release.release_id)
        if not stay or told is None or told >= told_before:
            return []
        old = [number for number in issues_in(_path(release)) if number < max(stay) and number not in stay]
        for number in old:
            shutil.rmtree(_path(release) / issue_folder(number))
        return old

    def _restore(self, release: Release, folder: Path) -> Release:
        if release.files == KEPT:
            return release
        if release.files == GOING:
            raise RegistryError(f"the files of {release.release_id} are being removed")
        if _path(release) != folder:
            shutil.copytree(folder, _path(release))
        return self._keep(replace(release, files=KEPT, issue=1, kept_issues=(), archived_at=datetime.now(UTC)))

    def _settled(self, release: Release) -> Release:
        self.settle(release.workload)
        return self._releases[release.workload, release.version]

    def _fresh(self, release: Release) -> Release:
        self._require()
        if (release.workload, release.version) not in self._releases:
            raise RegistryError(f"no version {release.version} of {release.workload}")
        return self._releases[release.workload, release.version]

    def _keep(self, release: Release) -> Release:
        self._releases[release.workload, release.version] = release
        return release

    def _require(self) -> None:
        if self.away:
            raise RegistryError("the registry is away")


def _path(release: Release) -> Path:
    return Path(unquote(urlsplit(release.location).path))


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeAnswer:
    """One answered forecast, as the serving metrics would have counted it."""

    workload: str
    track: Track
    release: str
    at: datetime
    status: int = 200
    seconds: float = 0.01


class FakeLiveMetrics:
    """`LiveMetrics` from a list of answers; set `away` to have it raise."""

    def __init__(self, answers: Iterable[FakeAnswer] = ()) -> None:
        self.answers = list(answers)
        self.workers: dict[tuple[str, Track], dict[str, int]] = {}
        self.away = False

    def requests(self, workload: str, track: Track, release: str, *, since: datetime, until: datetime) -> int | None:
        seen = self._seen(workload, track, release, until)
        return sum(answer.at >= since for answer in seen) if seen else None

    def errors(self, workload: str, track: Track, release: str, *, since: datetime, until: datetime) -> int | None:
        seen = self._seen(workload, track, release, until)
        return sum(answer.at >= since and answer.status >= 500 for answer in seen) if seen else None

    def latency_ms(
        self, workload: str, track: Track, release: str, *, since: datetime, until: datetime
    ) -> float | None:
        seen = self._seen(workload, track, release, until)
        seconds = [answer.seconds for answer in seen if answer.at >= since]
        return 1000 * sum(seconds) / len(seconds) if seconds else None

    def failures(self, workload: str, track: Track, *, since: datetime, until: datetime) -> int | None:
        names = {answer.release for answer in self.answers if (answer.workload, answer.track) == (workload, track)}
        found = [self.errors(workload, track, name, since=since, until=until) for name in sorted(names)]
        known = [count for count in found if count is not None]
        return sum(known) if known else None

    def gaps(self, workload: str, track: Track, *, since: datetime, until: datetime) -> list[str]:
        self._seen(workload, track, "", max(since, until))
        return []

    def serving(self, workload: str, track: Track) -> dict[str, int]:
        return dict(self.workers.get((workload, track), {}))

    def clock(self) -> datetime:
        return datetime.now(UTC)

    def _seen(self, workload: str, track: Track, release: str, until: datetime) -> list[FakeAnswer]:
        if self.away:
            raise MetricsError("the live metrics are away")
        key = (workload, track, release)
        return [a for a in self.answers if (a.workload, a.track, a.release) == key and a.at < until]


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeRating:
    """One rating of one forecast."""

    workload: str
    release_id: str
    value: float
    forecast_at: datetime
    at: datetime
    client: str = "c"


class FakeFeedback:
    """`Feedback` from a list of ratings; set `away` to have it raise."""

    def __init__(self, given: Iterable[FakeRating] = ()) -> None:
        self.given = list(given)
        self.away = False

    def ratings(self, workload: str, release_id: str, *, since: datetime, until: datetime) -> Ratings:
        if self.away:
            raise MetricsError("feedback is away")
        votes: dict[tuple[str, date], float] = {}
        for rating in sorted(self.given, key=lambda rating: rating.at):
            if (
                (rating.workload, rating.release_id) == (workload, release_id)
                and since <= rating.at < until
                and since <= rating.forecast_at < until
            ):
                votes.setdefault((rating.client, rating.at.date()), rating.value)
        values = list(votes.values())
        return Ratings(count=len(values), mean=sum(values) / len(values) if values else None)


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


class FakeSource:
    """`Source` in memory: `chunks` by hour; an exception among them is raised when the reader comes to it.

    With a version it can be resumed at any byte, and each exception is raised once.
    """

    def __init__(
        self,
        chunks: Mapping[datetime, Iterable[bytes | Exception]],
        *,
        name: str = "memory",
        suffix: str = "json.gz",
        version: str = "",
        by_hour: bool = True,
    ) -> None:
        self.name = name
        self.suffix = suffix
        self.version = version
        self.by_hour = by_hour
        self.chunks = dict(chunks)
        self.reads: list[datetime] = []
        self.starts: list[int] = []
        self._raised: set[int] = set()

    def offers(self, landed: Landings) -> Iterator[Piece]:
        for hour in sorted(self.chunks):
            if self.by_hour or hour not in landed.hours():
                file = f"{hour:%Y-%m-%d}/{hour.hour}.{self.suffix}"
                yield Piece(hour=hour, file=file, open=partial(self._open, hour))

    def _open(self, hour: datetime, start: int, version: str) -> Arrival:
        self.reads.append(hour)
        start = start if version and version == self.version else 0
        self.starts.append(start)
        return Arrival(chunks=self._read(hour, start), start=start, version=self.version)

    def _read(self, hour: datetime, start: int) -> Iterator[bytes]:
        at = 0
        for chunk in self.chunks[hour]:
            if isinstance(chunk, Exception):
                if not self.version or id(chunk) not in self._raised:
                    self._raised.add(id(chunk))
                    raise chunk
                continue
            if at + len(chunk) > start:
                yield chunk[max(start - at, 0) :]
            at += len(chunk)


class FakeSplit:
    """`TrafficSplit` in memory."""

    def __init__(self) -> None:
        self._percent, self._salt = 0, 0

    def salt(self) -> int:
        return self._salt

    def share(self) -> int:
        return self._percent

    def set_share(self, percent: int, *, salt: int | None = None) -> None:
        self._percent, self._salt = percent, self._salt if salt is None else salt
