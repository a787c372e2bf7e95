"""One function per stage; the only module that knows all stages. Airflow, a shell and the tests call these same functions.

Stages meet in data at rest, so each function takes names and times and returns something small that fits in a log line.
"""

import hashlib
import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ratchet import workloads
from ratchet.contracts.errors import DataError, ReleaseError
from ratchet.contracts.look import Order, OrderKind
from ratchet.contracts.policy import EvidencePolicy
from ratchet.contracts.ports import ANSWERED, Journal, Track
from ratchet.contracts.release import CARD, Card
from ratchet.decide.overrides import override, with_mode
from ratchet.settings import Settings
from ratchet.trials import Looker, Trials, Turns
from ratchet.trials.looking import Asked
from ratchet.trials.replaying import Replayed

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
        with self.journal.alone(workload):
            self.trials.place(added, now=now or datetime.now(UTC))
        self.advance(workload, now=now or datetime.now(UTC))
        release = self.trials.find(workload, added.release_id)
        return {"release_id": release.release_id, "name": release.name_on(Track.CANDIDATE), "state": release.state}

    # ------------------------------------------------------- observe and decide

    def look(self, workload: str, *, at: datetime, actor: str, mode: str = "") -> dict[str, str]:
        """Measure what runs, judge it and write it down, before anyone acts on it; the verdict of the experiment on trial."""
        return self.turns.look(workload, self.policy(workload, mode=mode), Asked(at=at, actor=actor))

    def order(
        self, workload: str, kind: OrderKind, *, who: str, why: str, now: datetime | None = None
    ) -> dict[str, Any]:
        """A person's word on an experiment: looked at, written down with their words, carried out."""
        order = Order(kind=kind, who=who, why=why.strip())
        return self.turns.order(workload, self.policy(workload), order, now=now or datetime.now(UTC))

    # --------------------------------------------------------------------- act

    def act(self, workload: str, *, now: datetime | None = None) -> dict[str, Any]:
        """Carry out every look that was written down and not acted on, then try the next queued candidate."""
        return {"acted": self.turns.act(workload, self.policy(workload), now=now or datetime.now(UTC))}

    def evaluate(self, workload: str, *, actor: str, at: datetime | None = None, mode: str = "") -> dict[str, Any]:
        """Look, decide and act in one go: what the hourly DAG does in its tasks."""
        said = self.look(workload, at=at or datetime.now(UTC), actor=actor, mode=mode)
        return {**said, **self.act(workload)}

    def advance(self, workload: str, *, now: datetime) -> dict[str, Any]:
        """Move on what waits for no evidence, judge the guardrails, finish what was left half-done."""
        return self.turns.advance(workload, self.policy(workload), now=now)

    def stage(self, workload: str) -> str:
        """Where the experiment on trial stands; empty if there is none. Asks the database alone."""
        return self.journal.stage(workload)

    def waiting_since(self, workload: str) -> str:
        """A name for the approval that is asked for now: the same one until it is answered; empty if none is."""
        return self.turns.waiting_since(workload, self.policy(workload))

    def unanswered(self, workload: str) -> dict[str, Any] | None:
        """The newest rollback or revert about which nobody has asked for another candidate: its id and its reason."""
        row = self.journal.unanswered(workload)
        return {"look_id": row.look_id, "reason": row.decision.reason} if row else None

    def answered(self, look_id: int) -> None:
        """Note that another candidate was asked for."""
        self.journal.acted(look_id, at=datetime.now(UTC), what=ANSWERED)

    def replay(self, workload: str, *, experiment: int | None = None) -> list[Replayed]:
        """Judge every look that was ever recorded again, from the journal alone."""
        from ratchet.trials.replaying import replay_all

        return list(replay_all(self.journal, workload, only=experiment))

    def policy(self, workload: str, *, mode: str = "") -> EvidencePolicy:
        """The workload's policy with what the setting POLICY says; `mode` asks for another rule at this one look."""
        names = frozenset(workloads.names())
        own = override(workloads.find(workload).policy, self.settings.policy, workload=workload, workloads=names)
        return with_mode(own, mode)

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
    def journal(self) -> Journal:
        """Experiments and looks, in the database."""
        from ratchet.observe import PostgresJournal

        return PostgresJournal(self.settings.database)

    @cached_property
    def trials(self) -> Trials:
        """The registry, the journal and the split, wired to the real ones."""
        from ratchet.register.mlflow_registry import MlflowRegistry
        from ratchet.serve.split import FlagFileSplit

        return Trials(
            registry=MlflowRegistry(self.settings.tracking_uri),
            journal=self.journal,
            split=FlagFileSplit(self.settings.home / "router" / "weights"),
        )

    @cached_property
    def looker(self) -> Looker:
        """The one that looks, wired to everything that can be measured."""
        from ratchet.observe import PostgresAsked, PostgresFeedback, PostgresHours, PrometheusMetrics
        from ratchet.posted import FAMILY
        from ratchet.trials.measuring import Measurements
        from ratchet.trials.warming import WarmUp

        settings, trials = self.settings, self.trials
        secret = settings.prediction_secret.get_secret_value().encode()
        measured = Measurements(
            hours=PostgresHours(settings.database),
            asked=PostgresAsked(settings.database, posted=FAMILY),
            metrics=PrometheusMetrics(settings.prometheus),
            feedback=PostgresFeedback(settings.database),
            find=trials.find,
            actuals=self._actuals,
            replay=WarmUp(address=settings.candidate, secret=secret).replay,
            workers=settings.web_workers,
        )
        return Looker(journal=trials.journal, split=trials.split, measured=measured, find=trials.find)

    @cached_property
    def turns(self) -> Turns:
        """Looks, orders and what is done about them."""
        return Turns(trials=self.trials, looker=self.looker)

    def _actuals(self, workload: str, first: date) -> Iterator[tuple[str, str, date, float]]:
        """What gold says happened from a week on; nothing while it ends before."""
        from ratchet.ingest import newest, read_series

        gold = newest(self.settings.home, workload)
        if gold is None or gold.last_week < first:
            return
        frame = read_series(gold)
        frame = frame[frame["ds"].dt.date >= first]
        for unique_id, target, ds, y in frame[["unique_id", "target", "ds", "y"]].itertuples(index=False):
            yield str(unique_id), str(target), ds.date(), float(y)

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
