"""Looking for drift: a release's reference, recent data from whoever has it, a report, and at most one call for a new candidate."""

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from ratchet import reference
from ratchet.contracts.drift import DriftAlarm, DriftReport, FeatureReference, Observations
from ratchet.contracts.errors import MetricsError, RatchetError, RegistryError
from ratchet.contracts.frames import Gold
from ratchet.contracts.workload import Workload
from ratchet.decide import drift
from ratchet.drifting.page import render
from ratchet.drifting.recent import Origin, Recent, collect, read_conf
from ratchet.drifting.remembered import Remembered
from ratchet.observe.drift_log import PostgresDrift
from ratchet.register.drift_artifacts import DriftArtifacts
from ratchet.serve.cache import write_whole
from ratchet.serve.drift_score import NEWEST

__all__ = ["Look", "Looked"]

log = logging.getLogger("ratchet.drifting")

FRESH: Final = timedelta(hours=12)
"""Recent data on the tracking server are used for so long: a second try, or a machine without a disk of its own, sees the same."""
PAGES: Final = 90
"""So many pages are kept on disk."""
RATED_BEFORE: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What came of a look."""

    report: DriftReport
    asks: bool
    """A new candidate is wanted, for the first time of this drift."""
    page: str
    """Where the page is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at one workload's production release, with all it needs of the world."""

    workload: Workload
    release_id: str
    folder: Path
    """The release's folder."""
    home: Path
    database: PostgresDrift
    artifacts: DriftArtifacts
    gold: Gold | None
    newest_trained: datetime | None
    """The newest data hour that any release has learnt from."""
    at: datetime

    def take(self, given: object = None, *, fresh: bool = False) -> Looked:
        """Look, and remember it; a second look at the same moment answers what the first one did.

        A database that is away leaves page and report on disk, and an error: nothing is asked for that could not be remembered.
        """
        if before := self._before():
            return before
        remembered = Remembered.read(self.folder)
        features, seen = self._see(remembered, read_conf(given), fresh=fresh)
        report = self._judge(features, seen)
        self._keep_on_disk(report, render(report, features, seen.observed, asked=False))
        report, asks = self._remember(report)
        page = render(report, features, seen.observed, asked=asks)
        self._keep_on_disk(report, page)
        address = self._keep_on_server(page, seen.observed)
        return Looked(report=report, asks=asks, page=address or self._disk.joinpath("newest.html").as_uri())

    @property
    def _disk(self) -> Path:
        return self.home / "drift" / self.workload.name

    def _before(self) -> Looked | None:
        with suppress(MetricsError):
            report = self.database.report(self.workload.name, at=self.at)
            if report is not None:
                alarm = self.database.alarm(self.workload.name)
                asks = alarm is not None and alarm.began_at == self.at
                return Looked(report=report, asks=asks, page=self._disk.joinpath("newest.html").as_uri())
        return None

    def _see(
        self, remembered: Remembered, given: Mapping[str, Observations], *, fresh: bool
    ) -> tuple[dict[str, FeatureReference], Recent]:
        features, own = dict(remembered.features), self._own()
        rated, ratings = self._ratings()
        features |= {reference.RATINGS: rated} if rated else {}
        features |= {name: kept for name, (before, _) in own.items() if (kept := reference.remember(before))}
        origins: list[Origin] = [
            ("the run's conf", lambda: given),
            ("the tracking server", lambda: {} if fresh else self._on_server()),
            ("the database", lambda: self._in_database(remembered, ratings)),
            ("this disk", lambda: self._on_disk(remembered)),
            ("the workload", lambda: {name: now for name, (_, now) in own.items()}),
        ]
        return features, collect(origins, features)

    def _own(self) -> Mapping[str, tuple[Observations, Observations]]:
        return self.workload.more_drift(self.release_id, self.at) if self.workload.more_drift else {}

    def _ratings(self) -> tuple[FeatureReference | None, Observations]:
        """A release is first rated when it is live: its first days are its reference, its last ones what is compared."""
        policy, name = self.workload.drift, self.workload.name
        try:
            kept = self.database.reference(name, self.release_id, reference.RATINGS)
            rated = self.database.ratings(name, self.release_id, since=self.at - RATED_BEFORE, until=self.at)
        except MetricsError as error:
            log.warning("ratings: %s", error)
            return None, {}
        days = sorted(rated)
        if kept is None and len(days) > policy.reference_days:
            kept = reference.remember({day: rated[day] for day in days[: policy.reference_days]})
            if kept is not None:
                self.database.keep_reference(name, self.release_id, reference.RATINGS, kept)
        return kept, {day: rated[day] for day in days[policy.reference_days :][-policy.recent_days :]}

    def _on_server(self) -> dict[str, Observations]:
        kept = self.artifacts.recent(self.workload.name, self.release_id)
        if kept is None:
            return {}
        try:
            at, data_hour = (datetime.fromisoformat(kept[name]) if kept[name] else None for name in ("at", "data_hour"))
            observed = read_conf(kept["observed"])
        except (KeyError, TypeError, ValueError) as error:
            raise RegistryError(f"the tracking server's recent data make no sense: {error!r}") from error
        if at is None or not timedelta(0) <= self.at - at <= FRESH:
            log.info("recent data: those on the tracking server are as of %s: too old", at)
            return {}
        if self.gold is not None and (data_hour is None or data_hour < self.gold.data_hour):
            log.info("recent data: gold on this disk is newer than what the tracking server has")
            return {}
        return observed

    def _in_database(self, remembered: Remembered, ratings: Observations) -> dict[str, Observations]:
        since = self.at - timedelta(days=self.workload.drift.recent_days)
        asked = self.database.asked(self.workload.name, self.release_id, since=since, until=self.at)
        return {**remembered.see_forecasts(asked), reference.RATINGS: ratings}

    def _on_disk(self, remembered: Remembered) -> dict[str, Observations]:
        if self.gold is None:
            log.info("recent data: there is no gold on this disk")
            return remembered.see_issue()
        return {**remembered.see_issue(), **remembered.see_gold(self.gold.whole(), self.workload.drift)}

    def _judge(self, features: Mapping[str, FeatureReference], seen: Recent) -> DriftReport:
        indicators, missing = drift.judge(features, seen.observed, self.workload.drift)
        return DriftReport(
            workload=self.workload.name,
            release_id=self.release_id,
            at=self.at,
            data=reference.digest(seen.observed),
            digests={name: reference.digest({name: values}) for name, values in seen.observed.items()},
            indicators=indicators,
            not_judged=missing,
            origins=seen.origins,
        )

    def _remember(self, report: DriftReport) -> tuple[DriftReport, bool]:
        report = drift.confirm(report, self.database.earlier(report), self.workload.drift)
        alarm = self.database.alarm(report.workload)
        ended = drift.ending(alarm, report, newest_data_hour=self.newest_trained) if alarm else None
        raised = None
        if (
            report.confirmed
            and (alarm is None or ended)
            and self._would_help(retrained=bool(ended and ended.retrained))
        ):
            raised = self._alarm(report)
        self.database.record(report, ended=ended, raised=raised)
        for name, said in told(report).items():
            log.info("drift: %s: %s", name, said)
        return report, raised is not None

    def _would_help(self, *, retrained: bool) -> bool:
        """Whether a training would see something new, and none has answered this release's drift yet."""
        if retrained or self.database.was_answered(self.workload.name, self.release_id):
            log.info("drift: another release has been trained since; it is for the experiment to decide now")
            return False
        if self.gold and self.newest_trained and self.gold.data_hour <= self.newest_trained:
            log.info("drift: a release has learnt from the newest gold already; nothing newer to train on")
            return False
        return True

    def _alarm(self, report: DriftReport) -> DriftAlarm:
        return DriftAlarm(
            workload=report.workload,
            release_id=report.release_id,
            began_at=report.at,
            data_hour=self.newest_trained,
            features=report.drifting,
        )

    def _keep_on_disk(self, report: DriftReport, page: str) -> None:
        told = {"at": report.at.isoformat(), "release_id": report.release_id, "confirmed": report.confirmed}
        body = told | report.public()
        for name, text in ((_page_name(report.at), page), ("newest.html", page), (NEWEST, json.dumps(body))):
            write_whole(self._disk / name, text.encode())
        for old in sorted(self._disk.glob("20*.html"))[:-PAGES]:
            old.unlink(missing_ok=True)

    def _keep_on_server(self, page: str, observed: Mapping[str, Observations]) -> str | None:
        body: dict[str, Any] = {
            "at": self.at.isoformat(),
            "data_hour": self.gold.data_hour.isoformat() if self.gold else None,
            "observed": {name: reference.thin(values) for name, values in observed.items()},
        }
        try:
            return self.artifacts.keep(self.workload.name, self.release_id, at=self.at, page=page, recent=body)
        except RatchetError as error:
            log.warning("the drift page is on disk only: %s", error)
            return None


def _page_name(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H%M}.html"


def told(report: DriftReport) -> dict[str, str]:
    """What is said of each feature, in a line: the test's word first, for a PSI of few values is large by chance."""
    judged = {
        name: f"{'DRIFT' if said.significant_drift else 'no drift'} (p {said.p_value:.2g}), mean {said.drift_percentage:+.1f} %,"
        f" PSI {said.psi:.3f}"
        for name, said in sorted(report.indicators.items())
    }
    return judged | {name: f"not judged, {why}" for name, why in sorted(report.not_judged.items())}
