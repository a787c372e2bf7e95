"""One function per stage; the only module that knows all stages. Airflow, a shell and the tests call these same functions.

Stages meet in data at rest, so each function takes names and times and returns something small that fits in a log line.
"""

import hashlib
import logging
from datetime import UTC, datetime
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ratchet import workloads
from ratchet.contracts.errors import DataError, RatchetError, ReleaseError
from ratchet.contracts.policy import Decision, Evidence, Verdict
from ratchet.contracts.ports import Track
from ratchet.contracts.release import CARD, Card
from ratchet.contracts.source import Span, utc_now
from ratchet.settings import Settings
from ratchet.trials import Trials

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratchet.ingest import LandReport, Progress

log = logging.getLogger("ratchet.loop")


class Loop:
    """The stages of one installation, wired to the real adapters that its settings name."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.load()

    # ------------------------------------------------------------------ ingest

    def land(self, workload: str, *, first: str = "", last: str = "") -> dict[str, int]:
        """Land every piece that the sources offer and bronze has not: how many, per source. With hours: those hours only, now."""
        span = self._span(first, last)
        reports = self.land_from(workload, self.settings.events, span=span, hours_only=bool(first or last))
        return {report.source: report.landed for report in reports}

    def land_from(
        self,
        workload: str,
        events: str,
        *,
        span: Span,
        hours_only: bool = False,
        progress: "Callable[[str, Progress], None] | None" = None,
    ) -> "list[LandReport]":
        """Land what these sources offer; by hour only if so asked, and then missing hours are asked for whatever their turn."""
        from ratchet.ingest import Pace, land, open_bronze

        bronze = open_bronze(self.settings.bronze_root, home=self.settings.home)
        pace = Pace(at_once=self.settings.land_at_once, again=hours_only)
        reports = []
        for source in workloads.find(workload).sources(events, span=span):
            if hours_only and not source.by_hour:
                continue
            hear = partial(progress, source.name) if progress else None
            reports.append(report := land(source, bronze=bronze, progress=hear, pace=pace))
            log.info("landed %d from %s, %d bytes", report.landed, report.source, report.bytes)
            for trouble in report.troubles:
                log.warning("%s: %s %s: %s", report.source, trouble.name, trouble.what, trouble.reason)
        return reports

    def plan_hours(self, first: str, last: str, *, at_most: int = 48) -> list[dict[str, str]]:
        """Cut the hours from `first` to `last` into parts of equal size, as few hours each as `at_most` parts allow."""
        hours = list(self._span(first, last or utc_now().isoformat(timespec="hours")[:13]).hours())
        size = -(-len(hours) // at_most)
        parts = [hours[at : at + size] for at in range(0, len(hours), size)]
        return [{"first": part[0].isoformat()[:13], "last": part[-1].isoformat()[:13]} for part in parts]

    def build_gold(self, workload: str, *, events: str = "") -> dict[str, str]:
        """Bronze to silver to gold: the newest partition's data hour and digest."""
        from ratchet.ingest import build_gold, open_bronze, prune
        from ratchet.observe.gold_reports import address

        gold = build_gold(
            workloads.find(workload),
            home=self.settings.home,
            location=events or self.settings.events,
            bronze=open_bronze(self.settings.bronze_root, home=self.settings.home),
        )
        log.info("gold of %s as of %s: %d series, digest %s", workload, gold.data_hour, gold.series, gold.digest)
        prune(self.settings.home, workload, keep=self.settings.gold_keep, needed=self._trained_on(workload))
        report = address(self.settings.bind, self.settings.reports_port, workload, gold.path.name)
        log.info("quality report: %s", report)
        return {"data_hour": gold.data_hour.isoformat(), "digest": gold.digest, "report": report}

    def write_docs(self, workload: str) -> Path:
        """Write dbt's page about the workload's silver and gold, with lineage: where it is."""
        from ratchet.ingest.warehouse.docs import write_docs

        return write_docs(workload, home=self.settings.home)

    def log_clusters(self, workload: str) -> dict[str, float]:
        """Show in MLflow which series of the newest gold are alike: k, silhouettes and a plot. Once per gold."""
        from ratchet.ingest import newest, read_table
        from ratchet.register.clusters import log_clusters

        gold = newest(self.settings.home, workload)
        if gold is None:
            raise DataError(f"there is no gold for {workload} yet: run `ratchet ingest {workload}` first")
        figures = log_clusters(
            read_table(gold, "clusters"), self.settings.tracking_uri, workload=workload, digest=gold.digest
        )
        log.info("clusters of %s: %s", workload, figures or "too few series to group")
        return figures

    def gold_moved_enough(self, workload: str) -> bool:
        """Whether gold holds enough complete weeks, since the newest release, to train another one."""
        from ratchet.ingest import newest

        gold = newest(self.settings.home, workload)
        trained_on = [release.data_hour for release in self.trials.registry.releases(workload) if release.data_hour]
        if gold is None or not trained_on:
            return gold is not None
        weeks = (gold.data_hour - max(trained_on)).days / 7
        log.info("gold of %s is %.1f weeks ahead of the newest release", workload, weeks)
        return weeks >= workloads.find(workload).retrain_after_weeks

    # ------------------------------------------------------------------- train

    def train(self, workload: str, *, recipe: tuple[str, ...] = (), reason: str) -> str:
        """Train on the newest gold; the release's id. The same gold, code and recipe give the same release, without work.

        Without a recipe the first release uses the workload's simplest one, so that there is something to beat.
        """
        from ratchet.ingest import newest, read_series
        from ratchet.train import train

        found = workloads.find(workload)
        gold = newest(self.settings.home, workload)
        if gold is None:
            raise DataError(
                f"there is no gold for {workload} yet: run `ratchet ingest {workload}` or its ingest DAG first"
            )
        if not recipe:
            recipe = found.families if self.trials.registry.live(workload, Track.PRODUCTION) else found.first_recipe
        log.info("training %s on gold as of %s with %s: %s", workload, gold.data_hour, ", ".join(recipe), reason)
        card = train(
            read_series(gold),
            workload=found,
            recipe=recipe,
            data_hour=gold.data_hour,
            code_version=code_version(),
            synthetic=gold.synthetic,
            out=self._bundles(workload),
            progress=log.info,
        )
        return card.release_id

    # ---------------------------------------------------------------- register

    def register(self, workload: str, release_id: str, *, now: datetime | None = None) -> dict[str, str]:
        """Register a trained release and put it where it belongs: production if that is empty, else on trial or in the queue."""
        folder = self._bundles(workload) / release_id
        if not (folder / CARD).exists():
            raise ReleaseError(f"release {release_id} of {workload} has not been trained on this machine")
        added = self.trials.registry.add(folder, Card.from_json((folder / CARD).read_bytes()))
        with self.trials.journal.alone(workload):
            release = self.trials.place(added, now=now or datetime.now(UTC))
        return {"release_id": release.release_id, "name": release.name_on(Track.CANDIDATE), "state": release.state}

    # ------------------------------------------------------- observe and decide

    def observe(self, workload: str, *, at: datetime) -> int | None:
        """Gather and keep the evidence of the open experiment up to `at`; its experiment id, or None if nothing is on trial."""
        from ratchet.observe import PostgresFeedback, PrometheusMetrics, gather

        experiment = self.trials.journal.current(workload)
        if experiment is None or at <= experiment.started_at:
            log.info("nothing to look at: no experiment of %s was running at %s", workload, at)
            return None
        evidence = gather(
            experiment,
            production=self.trials.find(workload, experiment.production),
            candidate=self.trials.find(workload, experiment.candidate),
            metrics=PrometheusMetrics(self.settings.prometheus),
            feedback=PostgresFeedback(self.settings.database),
            at=at,
        )
        kept = self.trials.journal.record_evidence(evidence)
        log.info("evidence: %s", kept)
        return experiment.experiment_id

    def decide(self, workload: str, *, at: datetime) -> dict[str, str]:
        """Judge the evidence kept for `at` and write the verdict down, before anyone acts on it."""
        from ratchet.decide import decide

        evidence = self._evidence(workload, at=at)
        if evidence is None:
            return {"verdict": "none", "reason": "no experiment is running"}
        row = self.trials.journal.record_decision(
            evidence, decide(evidence, workloads.find(workload).policy), at=datetime.now(UTC)
        )
        log.info("verdict: %s, because %s", row.decision.verdict, row.decision.reason)
        return {"verdict": row.decision.verdict.value, "reason": row.decision.reason}

    # --------------------------------------------------------------------- act

    def act(self, workload: str, *, now: datetime | None = None) -> dict[str, Any]:
        """Carry out every verdict that was written down and not acted on, then put the next queued candidate on trial."""
        now = now or datetime.now(UTC)
        done: list[str] = []
        with self.trials.journal.alone(workload):
            for row in self.trials.journal.pending(workload):
                self.trials.carry_out(row, now=now)
                done.append(row.decision.verdict.value)
            self.trials.next_trial(workload, now=now)
        return {"acted": done}

    def evaluate(self, workload: str, *, at: datetime | None = None) -> dict[str, Any]:
        """Observe, decide and act in one go: what the hourly DAG does in three tasks."""
        at = at or datetime.now(UTC)
        self.observe(workload, at=at)
        return {**self.decide(workload, at=at), **self.act(workload)}

    def decide_by_hand(
        self, workload: str, verdict: Verdict, *, why: str, now: datetime | None = None
    ) -> dict[str, Any]:
        """A person's verdict on the open experiment: looked at, written down with their words, carried out."""
        now = now or datetime.now(UTC)
        evidence = self._evidence(workload, at=now) if self.observe(workload, at=now) else None
        if evidence is None:
            raise RatchetError(f"nothing is on trial for {workload}: there is nothing to {verdict.value}")
        self.trials.journal.record_decision(
            evidence, Decision(verdict=verdict, reason=f"by hand: {why}", scores={}), at=now
        )
        return self.act(workload, now=now)

    # -------------------------------------------------------------------- tidy

    def tidy(self, *, now: datetime | None = None) -> dict[str, int]:
        """Have the forecast log's next days ready and drop those past their retention: how many of each."""
        from ratchet.serve.tidy import tidy_log

        done = tidy_log(
            self.settings.database, now=now or datetime.now(UTC), keep_days=self.settings.log_retention_days
        )
        log.info("the forecast log: %s", done)
        return {"ready": len(done.ready), "dropped": len(done.dropped), "feedback": done.feedback}

    # ------------------------------------------------------------------ wiring

    @cached_property
    def trials(self) -> Trials:
        """The registry, the journal and the split, wired to the real ones."""
        from ratchet.observe import PostgresJournal
        from ratchet.register.mlflow_registry import MlflowRegistry
        from ratchet.serve.split import FlagFileSplit

        return Trials(
            registry=MlflowRegistry(self.settings.tracking_uri),
            journal=PostgresJournal(self.settings.database),
            split=FlagFileSplit(self.settings.home / "router" / "weights"),
            share=self.settings.candidate_share,
        )

    def _span(self, first: str, last: str) -> Span:
        return Span.parse(first or self.settings.events_from, last or self.settings.events_to)

    def _evidence(self, workload: str, *, at: datetime) -> Evidence | None:
        experiment = self.trials.journal.current(workload)
        return self.trials.journal.evidence(experiment.experiment_id, at=at) if experiment else None

    def _trained_on(self, workload: str) -> list[datetime]:
        """The data hours of the releases that were trained on this machine."""
        cards = self._bundles(workload).glob(f"*/{CARD}")
        return [Card.from_json(card.read_bytes()).data_hour for card in cards]

    def _bundles(self, workload: str) -> Path:
        return self.settings.home / "bundles" / workload


def code_version() -> str:
    """The version of the code that shapes a release: its number and a digest of the sources that train it."""
    digest = hashlib.blake2b(digest_size=4)
    here = Path(__file__).parent
    for path in sorted([*here.glob("forecasters/*.py"), *here.glob("train/*.py"), here / "scores.py"]):
        digest.update(path.read_bytes())
    return f"{version('ratchet')}+{digest.hexdigest()}"


def migrate(settings: Settings | None = None) -> None:
    """Bring database `ratchet` to this version's tables."""
    from ratchet.migrations import migrate as upgrade

    upgrade((settings or Settings.load()).database)
