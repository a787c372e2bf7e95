"""Releases issued again from newer gold: all that are compared from the same one, so that models are compared and not the ages of data.

With them what may be on a track within minutes: nobody's first answers from it should be of weeks that are over.
"""

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import compress
from operator import not_
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import DataError, ReleaseError, noting
from ratchet.contracts.frames import Gold
from ratchet.contracts.ports import KEPT, Journal, Registry, Release, Track
from ratchet.contracts.release import Issue
from ratchet.serve.cache import ReleaseCache
from ratchet.train.issue import issue_again, read_issue

log = logging.getLogger("ratchet.issuing")

DAY: Final = timedelta(days=1)

Last = tuple[Release, Issue]
"""A release and what it issued last."""
Ready = tuple[Release, Issue, Path]
"""A release, its new issue and where that is until it is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuing:
    """Who knows of releases, experiments and gold."""

    registry: Registry
    journal: Journal
    find: Callable[[str, str], Release]
    gold: Callable[[str], Gold | None]
    cache: ReleaseCache
    scratch: Path

    def refresh(self, workload: str) -> dict[str, int]:
        """Issue again what is live, compared or next to be, once any of it is due: the new issue's number by release id.

        All are forecast before any is published. One that cannot be issued keeps no other from it; the error names it at the end.
        """
        gold = self.gold(workload)
        if gold is None:
            raise DataError(f"there is no gold for {workload} yet: run `ratchet ingest {workload}` first")
        made, failed = dict[str, int](), list[str]()
        self.scratch.mkdir(parents=True, exist_ok=True)
        self._remove_what_kills_left()
        with tempfile.TemporaryDirectory(prefix="issue.", dir=self.scratch) as scratch:
            ready = self._forecast_together(self._older(workload, gold, failed), gold, Path(scratch), failed)
            with self.journal.alone(workload):
                for release, issue, folder in ready:
                    with noting(failed, release.release_id):
                        if self.find(workload, release.release_id).issue == release.issue:
                            self.registry.issue(release, folder, issue.number)
                            made[release.release_id] = issue.number
        log.info("issued again from gold as of %s: %s", gold.data_hour, made or "nothing was due")
        self.cache.prune(now=time.time())
        if failed:
            raise ReleaseError(f"not issued again: {'; '.join(failed)}")
        return made

    def _remove_what_kills_left(self) -> None:
        for left in self.scratch.glob("issue.*"):
            with suppress(FileNotFoundError):  # another run was faster
                if left.stat().st_mtime < time.time() - DAY.total_seconds():
                    shutil.rmtree(left, ignore_errors=True)

    def _compared(self, workload: str) -> list[str]:
        """What answers on a track, and both sides of every open experiment: a beaten release is scored for a while."""
        live = [release.release_id for track in Track if (release := self.registry.live(workload, track))]
        current = self.journal.current(workload)
        experiments = [*([current] if current else []), *self.journal.shadows(workload)]
        return [*live, *(side for one in experiments for side in (one.production, one.candidate))]

    def _at_hand(self, workload: str) -> list[str]:
        """The newest release in the queue, whose turn may come any minute, and the one that a revert would bring back."""
        live, promotions = self.registry.live(workload, Track.PRODUCTION), self.journal.promotions(workload, limit=1)
        beaten = next((one.production for one in promotions if live and one.candidate == live.release_id), "")
        kept = [release for release in self.registry.releases(workload) if release.files == KEPT]
        queued = [release.release_id for release in kept if release.state == "queued"]
        return [*queued[-1:], *(release.release_id for release in kept if release.release_id == beaten)]

    def _older(self, workload: str, gold: Gold, failed: list[str]) -> list[Last]:
        """What is wanted and was last issued from older gold than this."""
        found: list[Last] = []
        for release_id in dict.fromkeys([*self._compared(workload), *self._at_hand(workload)]):
            with noting(failed, release_id):
                release = self.find(workload, release_id)
                last = read_issue(self.cache.fetch_whole(release), release.issue)
                if last.data_hour < gold.data_hour:
                    found.append((release, last))
        return found

    def _forecast_together(self, older: list[Last], gold: Gold, scratch: Path, failed: list[str]) -> list[Ready]:
        """Forecast what is due; with it all others, so that what is compared is of the same gold from then on.

        One that is due and cannot be issued takes no other along: it is due again every hour.
        """
        due = [is_due(last, gold.data_hour) for _, last in older]
        ready = self._forecast(compress(older, due), gold, scratch, failed)
        if ready:
            ready += self._forecast(compress(older, map(not_, due)), gold, scratch, failed)
        return ready

    def _forecast(self, older: Iterable[Last], gold: Gold, scratch: Path, failed: list[str]) -> list[Ready]:
        ready: list[Ready] = []
        for release, last in older:
            folder, out = self.cache.folder_of(release), scratch / release.release_id
            with noting(failed, release.release_id):
                issue = issue_again(folder, gold.frame(), last=last.number, data_hour=gold.data_hour, out=out)
                ready.append((release, issue, out))
        return ready


def is_due(last: Issue, data_hour: datetime) -> bool:
    """A week was completed since, or a day has passed, in which late events may have changed earlier weeks."""
    complete = datetime(last.first_week.year, last.first_week.month, last.first_week.day, tzinfo=UTC) + DAY
    return last.data_hour < complete <= data_hour or data_hour - last.data_hour >= DAY
