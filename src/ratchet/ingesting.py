"""The first stage, wired: from the sources of the setting EVENTS to gold, and what is told of it. `Loop` has all that is here."""

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ratchet import workloads
from ratchet.contracts.errors import RatchetError, SourceError
from ratchet.contracts.source import Span, utc_now
from ratchet.wiring import Wired

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratchet.ingest import Building, LandReport, Progress

log = logging.getLogger("ratchet.loop")


class Ingesting(Wired):
    """Landing, building gold, and showing what is in it."""

    def land(self, workload: str, *, first: str = "", last: str = "") -> dict[str, int]:
        """Land what the sources offer and bronze has not: how many, per source; then an error if one is away. With hours: those only."""
        span = self._span(first, last)
        reports, away = self.land_from(workload, self.settings.events, span=span, hours_only=bool(first or last))
        if away:
            raise SourceError("; ".join(map(str, away)))
        return {report.source: report.landed for report in reports}

    def land_from(
        self,
        workload: str,
        events: str,
        *,
        span: Span,
        hours_only: bool = False,
        progress: "Callable[[str, Progress], None] | None" = None,
    ) -> "tuple[list[LandReport], list[RatchetError]]":
        """Land what each of these sources offers, and say why one could not. By hour only: missing hours whatever their turn."""
        from ratchet.ingest import Pace, land

        pace = Pace(at_once=self.settings.land_at_once, again=hours_only)
        reports: list[LandReport] = []
        away: list[RatchetError] = []
        for source in workloads.find(workload).sources(events, span=span):
            if hours_only and not source.by_hour:
                continue
            hear = partial(progress, source.name) if progress else None
            try:
                reports.append(report := land(source, bronze=self.bronze, progress=hear, pace=pace))
            except RatchetError as error:
                away.append(error)
                continue
            log.info("landed %d from %s, %d bytes", report.landed, report.source, report.bytes)
            for trouble in report.troubles:
                log.warning("%s: %s %s: %s", report.source, trouble.name, trouble.what, trouble.reason)
        return reports, away

    def plan_hours(self, first: str, last: str, *, at_most: int = 48) -> list[dict[str, str]]:
        """Cut the hours from `first` to `last` into parts of equal size, as few hours each as `at_most` parts allow."""
        hours = list(self._span(first, last or utc_now().isoformat(timespec="hours")[:13]).hours())
        size = -(-len(hours) // at_most)
        parts = [hours[at : at + size] for at in range(0, len(hours), size)]
        return [{"first": part[0].isoformat()[:13], "last": part[-1].isoformat()[:13]} for part in parts]

    def build_gold(
        self, workload: str, *, events: str = "", progress: "Callable[[Building], None] | None" = None
    ) -> dict[str, str]:
        """Bronze to silver to gold: the newest partition's data hour and digest. How far it is the log says, unless `progress` hears it."""
        from ratchet.ingest import build_gold, prune
        from ratchet.observe.gold_reports import address

        gold = build_gold(
            workloads.find(workload),
            home=self.settings.home,
            location=events or self.settings.events,
            bronze=self.bronze,
            elsewhere=self.elsewhere,
            progress=progress,
        )
        log.info("gold of %s as of %s: %d series, digest %s", workload, gold.data_hour, gold.series, gold.digest)
        there = self.gold_place.under(workload) if self.gold_place else None
        needed = self._trained_on(workload)
        prune(self.settings.home, workload, keep=self.settings.gold_keep, needed=needed, there=there)
        report = address(self.settings.bind, self.settings.reports_port, workload, gold.path.name)
        log.info("quality report: %s", report)
        return {"data_hour": gold.data_hour.isoformat(), "digest": gold.digest, "report": report}

    def write_docs(self, workload: str) -> Path:
        """Write dbt's page about the workload's silver and gold, with lineage: where it is."""
        from ratchet.ingest.warehouse.docs import write_docs

        return write_docs(workload, home=self.settings.home)

    def log_clusters(self, workload: str) -> dict[str, float]:
        """Show in MLflow which series of the newest gold are alike: k, silhouettes and a plot. Once per gold."""
        from ratchet.ingest import read_table
        from ratchet.register.clusters import log_clusters

        gold = self.required_gold(workload)
        figures = log_clusters(
            read_table(gold, "clusters"), self.settings.tracking_uri, workload=workload, digest=gold.digest
        )
        log.info("clusters of %s: %s", workload, figures or "too few series to group")
        return figures

    def gold_moved_enough(self, workload: str) -> bool:
        """Whether gold holds enough complete weeks, since the newest release, to train another one."""
        gold = self.newest_gold(workload)
        trained_on = [release.data_hour for release in self.trials.registry.releases(workload) if release.data_hour]
        if gold is None or not trained_on:
            return gold is not None
        weeks = (gold.data_hour - max(trained_on)).days / 7
        log.info("gold of %s is %.1f weeks ahead of the newest release", workload, weeks)
        return weeks >= workloads.find(workload).retrain_after_weeks

    def _span(self, first: str, last: str) -> Span:
        return Span.parse(first or self.settings.events_from, last or self.settings.events_to)
