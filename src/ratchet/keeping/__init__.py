"""Old releases and old issues let go, so that a disk does not fill: what they were and how they scored stays.

Nothing goes in the run that finds it to be old: first everybody is told, an hour later at the earliest its files are removed.
Whatever a kill leaves, the next run finishes.
"""

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import MetricsError, RatchetError, ReleaseError, noting
from ratchet.contracts.ports import GOING, GONE, KEPT, Experiment, Journal, Registry, Release, Track
from ratchet.contracts.release import issue_folder
from ratchet.keeping.rules import GRACE, Fate, decide, first_scored_week, needed_issues

__all__ = ["Fate", "Keeping", "Tidied"]

log = logging.getLogger("ratchet.keeping")

LEFT: Final = timedelta(days=1)
"""What a killed run left half-written or half-removed goes once it is so old: no release is written for a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """What a run did, or, dry, would do."""

    fates: Sequence[Fate]
    removed: Sequence[str] = ()
    """Releases whose files are gone now."""
    issues: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Issues that are let go, by release."""
    waits: str = ""
    """Why no release is removed now, though some could be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Who knows what is needed, and where copies are."""

    registry: Registry
    journal: Journal
    serving: Callable[[str, Track], Mapping[str, int]]
    """How many workers of a track serve which release; `MetricsError` if nobody can say."""
    gold: Callable[[str], datetime | None]
    """Up to when the newest gold says what really happened."""
    drift_weeks: Callable[[str], int]
    """How many of the newest weeks drift is looked for in."""
    first_week: Callable[[Release, int], date | None]
    """The first week that an issue forecasts; None if the issue is not there."""
    bundles: Callable[[str], Path]
    """Where training left releases on this machine."""
    keep: int

    def tidy(self, workload: str, *, now: datetime, dry_run: bool = False) -> Tidied:
        """Let go what is not needed any more; the newest `keep` releases, and whatever anyone may still ask for, stay whole.

        One that cannot be tidied keeps no other from it: the error names it at the end.
        """
        gone, failed = dict[str, Sequence[int]](), list[str]()
        if not dry_run:
            self.registry.settle(workload)
            # What an earlier run told of, before this one tells of more: a list counts an hour after it was made.
            for release in self._kept(workload):
                with noting(failed, release.release_id):
                    gone[release.release_id] = self._remove_issues(release, now=now)
        with self.journal.alone(workload):  # no alias moves and no experiment begins meanwhile
            fates, waits = self.fates(workload, now=now)
            issues = dict(self._old_issues(workload, fates, failed))
            if not dry_run:
                self._tell(fates, issues, at=now)
        if dry_run:
            for line in failed:
                log.warning("cannot be tidied: %s", line)
            return Tidied(fates=fates, issues={one.release_id: old for one, (_, old) in issues.items()}, waits=waits)
        removed = list(self._remove(workload, failed))
        if failed:
            raise ReleaseError(f"not tidied: {'; '.join(failed)}")
        issues_gone = {release_id: numbers for release_id, numbers in gone.items() if numbers}
        return Tidied(fates=fates, removed=removed, issues=issues_gone, waits=waits)

    def fates(self, workload: str, *, now: datetime) -> tuple[list[Fate], str]:
        """Each release with what becomes of its files and why; and why none can be removed now, if that is so."""
        releases = self.registry.releases(workload)
        judge = partial(
            decide,
            releases,
            keep=self.keep,
            aliased=self.registry.aliased(workload),
            needed=self._needed(workload),
            now=now,
        )
        fates = judge(served={})
        if all(fate.stays or fate.release.files != KEPT for fate in fates):
            return fates, ""
        try:
            return judge(served=self._served(workload)), ""
        except MetricsError as error:
            unknown = {release.release_id: "nobody can say whether it is served" for release in releases}
            return judge(served=unknown), f"nobody can say what is served: {error}"

    def _served(self, workload: str) -> dict[str, str]:
        return {
            release_id: f"served by the {track.value} track"
            for track in Track
            for release_id, workers in self.serving(workload, track).items()
            if workers
        }

    def _needed(self, workload: str) -> dict[str, str]:
        """Releases that an experiment is about, or that its last word could bring back, with the reason."""
        pending = {row.experiment_id for row in self.journal.pending(workload)}
        # The last two: taken back, the newer one leaves the other as the last.
        promotions = self.journal.promotions(workload, limit=2)
        why: list[tuple[Experiment, str]] = [(one, "experiment {} made or beat it") for one in promotions]
        why += [(one, "experiment {} ended last and may be taken back") for one in self.journal.past(workload, limit=1)]
        why += [(self.journal.experiment(number), "experiment {} is to be acted on") for number in sorted(pending)]
        why += [(one, "experiment {} runs") for one in self._open(workload)]
        return {side: text.format(one.experiment_id) for one, text in why for side in (one.production, one.candidate)}

    def _open(self, workload: str) -> list[Experiment]:
        current = self.journal.current(workload)
        return [*([current] if current else []), *self.journal.shadows(workload)]

    def _old_issues(
        self, workload: str, fates: Sequence[Fate], failed: list[str]
    ) -> Iterator[tuple[Release, tuple[tuple[int, ...], list[int]]]]:
        """Releases some of whose issues nobody will ask for again: which stay, which go."""
        gold = self.gold(workload)
        if gold is None:
            return
        pairs = [(one.production, one.candidate) for one in self._open(workload)]
        releases = [fate.release for fate in fates]
        since = first_scored_week(releases, compared=pairs, gold=gold, drift_weeks=self.drift_weeks(workload))
        for release in (
            fate.release for fate in fates if fate.stays and fate.release.issue > 2
        ):  # the first and the newest stay
            with noting(failed, release.release_id):
                weeks = {number: self.first_week(release, number) for number in release.issues}
                there = {number: week for number, week in weeks.items() if week is not None}
                stay = needed_issues(there, newest=release.issue, since=since)
                if old := sorted(set(release.issues) - set(stay)):
                    yield release, (stay, old)

    def _tell(
        self,
        fates: Sequence[Fate],
        issues: Mapping[Release, tuple[tuple[int, ...], list[int]]],
        *,
        at: datetime,
    ) -> None:
        for fate in fates:
            if not fate.stays and fate.release.files == KEPT:
                log.info("%s goes: %s", fate.release.release_id, fate.why)
                self.registry.retire(fate.release)
        for release, (stay, old) in issues.items():
            log.info("%s: issues %s are not needed any more", release.release_id, old)
            self.registry.keep_issues(release, stay, at=at)

    def _kept(self, workload: str) -> list[Release]:
        return [one for one in self.registry.releases(workload) if one.files == KEPT and one.kept_issues]

    def _remove_issues(self, release: Release, *, now: datetime) -> Sequence[int]:
        return self.registry.discard_issues(release, told_before=now - GRACE)

    def _remove(self, workload: str, failed: list[str]) -> Iterator[str]:
        """Remove what is going, from this run or one that was killed; then training's own copies of all that is gone."""
        for release in self.registry.releases(workload):
            if release.files == GOING:
                with noting(failed, release.release_id):
                    if self.registry.discard(release).files == GONE:
                        yield release.release_id
        for release in self.registry.releases(workload):
            if release.files == GONE:
                with noting(failed, release.release_id):
                    _drop(self.bundles(workload) / release.release_id)
        for left in self.bundles(workload).glob(".*"):
            with noting(failed, left.name):
                if _is_old(left, LEFT):
                    shutil.rmtree(left) if left.is_dir() else left.unlink()


def _drop(bundle: Path) -> None:
    """One that was just trained anew is left: it is about to be registered."""
    if bundle.is_dir() and _is_old(bundle, GRACE):
        going = bundle.with_name(f".{bundle.name}.going")
        shutil.rmtree(going, ignore_errors=True)
        bundle.rename(going)
        shutil.rmtree(going)


def _is_old(path: Path, age: timedelta) -> bool:
    return path.exists() and time.time() - path.stat().st_mtime > age.total_seconds()


def read_first_week(read: Callable[[str, str], bytes | None]) -> Callable[[Release, int], date | None]:
    """Ask where a release lies for the first week of one of its issues."""

    def ask(release: Release, number: int) -> date | None:
        name = f"{issue_folder(number)}/issue.json"
        content = read(release.location, name)
        try:
            return date.fromisoformat(json.loads(content)["first_week"]) if content else None
        except (ValueError, KeyError, TypeError) as error:
            raise RatchetError(f"{release.location}/{name} is no issue of a release: {error!r}") from error

    return ask
