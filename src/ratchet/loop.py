"""One function per stage; the only module that knows all stages. Airflow, a shell and the tests call these same functions.

Stages meet in data at rest, so each function takes names and times and returns something small that fits in a log line.
"""

import hashlib
import logging
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ratchet import workloads
from ratchet.contracts.errors import DataError, RatchetError, ReleaseError
from ratchet.contracts.policy import Decision, Evidence, Verdict
from ratchet.contracts.ports import Track
from ratchet.contracts.release import CARD, Card
from ratchet.settings import Settings
from ratchet.trials import Trials

log = logging.getLogger("ratchet.loop")


class Loop:
    """The stages of one installation, wired to the real adapters that its settings name."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.load()

    # ------------------------------------------------------------------ ingest

    def land(self, workload: str) -> dict[str, int]:
        """Land every hour that a source offers and bronze has not: how many, per source."""
        from ratchet.ingest import land

        found = workloads.find(workload)
        landed = {}
        for source in found.sources(self.settings.events):
            report = land(source, bronze=self.settings.home / "bronze")
            landed[source.name] = report.landed
        log.info("landed %s", landed)
        return landed

    def build_gold(self, workload: str) -> dict[str, str]:
        """Bronze to silver to gold: the newest partition's data hour and digest."""
        from ratchet.ingest import build_gold

        gold = build_gold(workloads.find(workload), home=self.settings.home, location=self.settings.events)
        log.info("gold of %s as of %s: %d series, digest %s", workload, gold.data_hour, gold.series, gold.digest)
        return {"data_hour": gold.data_hour.isoformat(), "digest": gold.digest}

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
            registry=MlflowRegistry(self.settings.tracking_uri, kms_key=self.settings.artifacts_kms_key),
            journal=PostgresJournal(self.settings.database),
            split=FlagFileSplit(self.settings.home / "router" / "weights"),
            share=self.settings.candidate_share,
        )

    def _evidence(self, workload: str, *, at: datetime) -> Evidence | None:
        experiment = self.trials.journal.current(workload)
        return self.trials.journal.evidence(experiment.experiment_id, at=at) if experiment else None

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
