"""`Registry` in memory, and the small releases that it holds."""

import math
import shutil
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np

from ratchet.contracts.errors import RegistryError
from ratchet.contracts.ports import GOING, GONE, KEPT, Release, Track
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
            version=max((other.version for other in known), default=0) + 1,
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

    def lose(self, release_id: str) -> None:
        """Somebody deletes its version: what named it goes too, as in MLflow."""
        for key in [key for key, release in self._releases.items() if release.release_id == release_id]:
            del self._releases[key]
            self._aliases = {at: version for at, version in self._aliases.items() if (at[0], version) != key}

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
