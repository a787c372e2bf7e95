"""One function per stage; the only module that knows all stages. Airflow, a shell and the tests call these same functions.

Stages meet in data at rest, so each function takes names and times and returns something small that fits in a log line.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ratchet import workloads
from ratchet.contracts.errors import JournalError, RatchetError, ReleaseError
from ratchet.contracts.look import Order, OrderKind
from ratchet.contracts.ports import ANSWERED, Track
from ratchet.contracts.release import CARD, Card
from ratchet.ingesting import Ingesting
from ratchet.trials.looking import Asked
from ratchet.trials.replaying import Replayed

if TYPE_CHECKING:
    from ratchet.keeping import Tidied
    from ratchet.train import Budget
    from ratchet.training import Training

log = logging.getLogger("ratchet.loop")


class Loop(Ingesting):
    """The stages of one installation, wired to the real adapters that its settings name."""

    # ------------------------------------------------------------------- train

    def train(self, workload: str, *, recipe: Sequence[str] = (), reason: str, budget: "Budget | None" = None) -> str:
        """Train on the newest gold; the release's id. The same gold, code and recipe give the same release, without work.

        Without a recipe the first release uses the workload's simplest one, so that there is something to beat.
        """
        made = self._training(workload, recipe)
        return made.make(self._bundles(workload), budget=budget or self.budget(), reason=reason)

    def validate(self, workload: str, *, share: int, recipe: Sequence[str] = (), budget: "Budget | None" = None) -> int:
        """Do one of the TRAIN_TASKS shares of the next training's validation and search ahead of it; how many jobs it had."""
        made = self._training(workload, recipe)
        return made.validate(share, self.settings.train_tasks, budget=budget or self.budget())

    def _training(self, workload: str, recipe: Sequence[str]) -> "Training":
        from ratchet.training import Training

        found, gold = workloads.find(workload), self.required_gold(workload)
        if not recipe:
            recipe = found.families if self.trials.registry.live(workload, Track.PRODUCTION) else found.first_recipe
        return Training(workload=found, gold=gold, recipe=tuple(recipe), crew=self._crew(workload))

    def refresh(self, workload: str) -> dict[str, int]:
        """Issue again, from the newest gold, what is live or compared: the new issue's number by release, where one was due."""
        return self.issuing.refresh(workload)

    # ---------------------------------------------------------------- register

    def register(self, workload: str, release_id: str, *, now: datetime | None = None) -> dict[str, str]:
        """Register a trained release and put it where it belongs: production if that is empty, else on trial or in the queue."""
        folder = self._bundles(workload) / release_id
        if not (folder / CARD).exists():
            raise ReleaseError(f"release {release_id} of {workload} has not been trained on this machine")
        card = Card.from_json((folder / CARD).read_bytes())
        with self.journal.alone(release_id):  # by two at once it would be two versions
            added = self.trials.registry.add(folder, card, gold=self._learnt_from(card))
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
        self, workload: str, kind: OrderKind, *, who: str, why: str, placed: datetime | None = None
    ) -> dict[str, Any]:
        """A person's word on an experiment: looked at, written down with their words, carried out."""
        order = Order(kind=kind, who=who, why=why.strip())
        return self.turns.order(workload, self.policy(workload), order, now=datetime.now(UTC), placed=placed)

    # --------------------------------------------------------------------- act

    def act(self, workload: str, *, now: datetime | None = None) -> dict[str, Any]:
        """Carry out every look that was written down and not acted on, then try the next queued candidate."""
        return {"acted": self.turns.act(workload, self.policy(workload), now=now or datetime.now(UTC))}

    def evaluate(self, workload: str, *, actor: str, at: datetime | None = None, mode: str = "") -> dict[str, Any]:
        """Look, decide and act in one go: what the hourly DAG does in its tasks."""
        return {**self.look(workload, at=at or datetime.now(UTC), actor=actor, mode=mode), **self.act(workload)}

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

    # ------------------------------------------------------------------- drift

    def look_for_drift(
        self, workload: str, *, at: datetime | None = None, given: object = None, fresh: bool = False
    ) -> dict[str, Any]:
        """Compare production's world with the one it learnt from; `asks` is true once per drift, when a new candidate is wanted.

        `given` is recent data by feature that somebody passed in; `fresh` passes over what the tracking server has kept.
        """
        from ratchet.drifting import Look, told
        from ratchet.observe.drift_log import PostgresDrift
        from ratchet.register.drift_artifacts import DriftArtifacts

        release = self.trials.registry.live(workload, Track.PRODUCTION)
        if release is None:
            raise RatchetError(f"nothing of {workload} is in production: there is nothing to look for drift in")
        trained = [other.data_hour for other in self.trials.registry.releases(workload) if other.data_hour]
        look = Look(
            workload=workloads.find(workload),
            release_id=release.release_id,
            folder=self._folder(release),
            home=self.settings.home,
            database=PostgresDrift(self.settings.database),
            artifacts=DriftArtifacts(self.settings.tracking_uri),
            gold=self._gold(workload),
            newest_trained=max(trained, default=None),
            at=at or datetime.now(UTC),
        )
        looked = look.take(given, fresh=fresh)
        log.info("drift page: %s", looked.page)
        return {
            "features": told(looked.report),
            "drifting": list(looked.report.drifting),
            "confirmed": looked.report.confirmed,
            "asks": looked.asks,
            "page": looked.page,
        }

    def carry_out_orders(self, workload: str) -> list[str]:
        """Take up what people asked for over HTTP: each once, its outcome written down; it waits for the database and for other runs."""
        from ratchet.observe.orders import Orders

        book, outcomes = Orders(self.settings.database), list[str]()
        for placed in book.waiting(workload):
            try:
                kind = OrderKind(placed.kind)
                outcome = self.order(workload, kind, who=placed.who, why=placed.why, placed=placed.at)["reason"]
            except JournalError:  # nothing was written down, or another run is at work: it is taken up again
                raise
            except (RatchetError, ValueError) as error:
                outcome = f"refused: {error}"
            book.end(workload, placed.order_id, outcome=outcome, at=datetime.now(UTC))
            outcomes.append(outcome)
        return outcomes

    # -------------------------------------------------------------------- tidy

    def tidy(self, *, now: datetime | None = None) -> dict[str, int]:
        """Have the forecast log's next days ready and drop those past their retention: how many of each."""
        from ratchet.serve.tidy import tidy_log

        done = tidy_log(
            self.settings.database, now=now or datetime.now(UTC), keep_days=self.settings.log_retention_days
        )
        log.info("the forecast log: %s", done)
        return {"ready": len(done.ready), "dropped": len(done.dropped), "feedback": done.feedback}

    def tidy_task_logs(self, folder: str, *, now: datetime | None = None) -> int:
        """Remove logs of tasks, in this folder, that are past the same retention: how many."""
        from ratchet.keeping.old_files import remove_old

        before = (now or datetime.now(UTC)) - timedelta(days=self.settings.log_retention_days)
        removed = remove_old(Path(folder), before=before.timestamp())
        log.info("logs of tasks: %d removed", removed)
        return removed

    def tidy_releases(self, workload: str, *, dry_run: bool = False) -> "Tidied":
        """Let go the files of releases and issues that nobody needs any more."""
        return self.keeping.tidy(workload, now=datetime.now(UTC), dry_run=dry_run)
