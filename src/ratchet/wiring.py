"""Which real adapter stands behind each port: the only place that knows it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ratchet import workloads
from ratchet.contracts.errors import DataError
from ratchet.contracts.policy import EvidencePolicy
from ratchet.contracts.ports import Journal, LookRow, Release
from ratchet.contracts.release import CARD, Card
from ratchet.decide.overrides import override, with_mode
from ratchet.notify import News, announce
from ratchet.settings import Settings
from ratchet.trials import Looker, Trials, Turns

if TYPE_CHECKING:
    import pandas as pd

    from ratchet.contracts.frames import Gold
    from ratchet.contracts.place import Place
    from ratchet.ingest import Bronze, Elsewhere, GoldPartition
    from ratchet.issuing import Issuing
    from ratchet.keeping import Keeping
    from ratchet.serve.cache import ReleaseCache
    from ratchet.train import Budget
    from ratchet.train.crew import Crew


class Wired:
    """One installation's registry, journal, split and measurements, each made when it is first asked for."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.load()

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
            registry=MlflowRegistry(self.settings.tracking_uri, kms_key=self.settings.artifacts_kms_key),
            journal=self.journal,
            split=FlagFileSplit(self.settings.home / "router" / "weights"),
        )

    @cached_property
    def looker(self) -> Looker:
        """The one that looks, wired to everything that can be measured."""
        from ratchet.keeping import read_first_week
        from ratchet.observe import PostgresAsked, PostgresFeedback, PostgresHours, PrometheusMetrics
        from ratchet.observe.drift_log import PostgresDrift
        from ratchet.posted import FAMILY
        from ratchet.register.discard import read_file
        from ratchet.trials.around import Around
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
            folder=self._folder,
            first_week=read_first_week(read_file),
            actuals=self._actuals,
            around=Around(data_hour=self._data_hour, alarm=PostgresDrift(settings.database).alarm),
            replay=WarmUp(address=settings.candidate, secret=secret).replay,
            workers=settings.web_workers,
        )
        return Looker(journal=trials.journal, split=trials.split, measured=measured, find=trials.find)

    @cached_property
    def issuing(self) -> "Issuing":
        """The one that issues releases again."""
        from ratchet.issuing import Issuing

        return Issuing(
            registry=self.trials.registry,
            journal=self.journal,
            find=self.trials.find,
            gold=self._gold,
            cache=self._cache,
            scratch=self.settings.home / "scratch",
        )

    @cached_property
    def keeping(self) -> "Keeping":
        """The one that lets old releases and issues go."""
        from ratchet.keeping import Keeping, read_first_week
        from ratchet.observe import PrometheusMetrics
        from ratchet.register.discard import read_file

        return Keeping(
            registry=self.trials.registry,
            journal=self.journal,
            serving=PrometheusMetrics(self.settings.prometheus).serving,
            gold=self._truth_hour,
            drift_weeks=lambda workload: workloads.find(workload).drift.recent_weeks,
            first_week=read_first_week(read_file),
            bundles=self._bundles,
            keep=self.settings.releases_keep,
        )

    @cached_property
    def turns(self) -> Turns:
        """Looks, orders and what is done about them."""
        return Turns(trials=self.trials, looker=self.looker, tell=self._tell)

    @cached_property
    def bronze(self) -> "Bronze":
        """Where raw files are."""
        from ratchet.ingest import open_bronze

        settings = self.settings
        return open_bronze(settings.bronze_root, home=settings.home, kms_key=settings.artifacts_kms_key)

    @cached_property
    def gold_place(self) -> "Place | None":
        """Where gold is shared with other machines; None: nowhere."""
        from ratchet.ingest import open_place

        return open_place(self.settings.gold, kms_key=self.settings.artifacts_kms_key)

    @cached_property
    def elsewhere(self) -> "Elsewhere":
        """Where gold and silver go besides this machine's home."""
        from ratchet.ingest import Elsewhere, open_place

        silver = open_place(self.settings.silver, kms_key=self.settings.artifacts_kms_key)
        return Elsewhere(gold=self.gold_place, silver=silver)

    def newest_gold(self, workload: str) -> "GoldPartition | None":
        """What was published last, by this machine or, where the setting GOLD names a place, by another one."""
        from ratchet.ingest import follow, newest, prune

        home, there = self.settings.home, self.gold_place
        if there and follow(home, workload, there.under(workload)):
            prune(home, workload, keep=self.settings.gold_keep, needed=self._trained_on(workload))
        return newest(home, workload)

    def required_gold(self, workload: str) -> "GoldPartition":
        """The newest gold; a `DataError` that says how to get some if there is none."""
        gold = self.newest_gold(workload)
        if gold is None:
            raise DataError(f"there is no gold for {workload} yet: `ratchet ingest {workload}` or its DAG makes some")
        return gold

    def actuals(self, workload: str) -> "pd.DataFrame":
        """What really happened, by the newest gold: every week that has matured; a `DataError` if there is no gold."""
        return _as_gold(self.required_gold(workload)).actuals()

    def policy(self, workload: str, *, mode: str = "") -> EvidencePolicy:
        """The workload's policy with what the setting POLICY says; `mode` asks for another rule at this one look."""
        names = frozenset(workloads.names())
        own = override(workloads.find(workload).policy, self.settings.policy, workload=workload, workloads=names)
        return with_mode(own, mode)

    def budget(self, *, trials: int | None = None, seconds: float | None = None) -> "Budget":
        """How much a training may try: what is asked for, else what the settings say."""
        from ratchet.train import Budget

        settings = self.settings
        return Budget(
            trials=settings.train_trials if trials is None else trials,
            seconds=settings.train_seconds if seconds is None else seconds,
        )

    def _crew(self, workload: str) -> "Crew":
        """Who validates, with what was done before remembered on this machine."""
        from ratchet.train import code_version, hire, remembering

        crew = hire(self.settings.dask_scheduler_address)
        return remembering(crew, self.settings.home / "remembered" / workload, code=code_version())

    def _tell(self, workload: str, rows: Sequence[LookRow]) -> None:
        news = [News(key=row.look_id, experiment_id=row.experiment_id, decision=row.decision) for row in rows]
        announce(self.settings, workload, news, dag_id=workloads.find(workload).dag_id("evaluate_ab"))

    def _actuals(self, workload: str, first: date) -> Iterator[tuple[str, str, date, float]]:
        """What gold says happened from a week on, as far as it has matured: a week is scored once."""
        gold = self._gold(workload)
        if gold is None or gold.truth_until < first:
            return
        frame = gold.actuals()
        frame = frame[frame["ds"].dt.date >= first]
        for unique_id, target, ds, y in frame[["unique_id", "target", "ds", "y"]].itertuples(index=False):
            yield str(unique_id), str(target), ds.date(), float(y)

    def _gold(self, workload: str) -> "Gold | None":
        gold = self.newest_gold(workload)
        return _as_gold(gold) if gold else None

    def _data_hour(self, workload: str) -> datetime | None:
        gold = self._gold(workload)
        return gold.data_hour if gold else None

    def _truth_hour(self, workload: str) -> datetime | None:
        """Up to when gold says what really happened."""
        gold = self._gold(workload)
        return datetime.combine(gold.truth_until + timedelta(days=1), time(), tzinfo=UTC) if gold else None

    def _trained_on(self, workload: str) -> list[datetime]:
        """The data hours of the releases that were trained on this machine; not of what is damaged, or half-written, and trained anew."""
        hours: list[datetime] = []
        for card in self._bundles(workload).glob(f"[!.]*/{CARD}"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                hours.append(Card.from_json(card.read_bytes()).data_hour)
        return hours

    def _learnt_from(self, card: Card) -> str:
        """Where the gold is, or was, that a release was trained on; empty if it does not say."""
        from ratchet.ingest import partition_path

        return (
            partition_path(self.settings.home, card.workload, card.data_hour, card.gold).as_uri() if card.gold else ""
        )

    def _folder(self, release: Release) -> Path:
        """A release with all that it has issued, where this machine serves it from, and whole."""
        return self._cache.fetch_whole(release)

    @cached_property
    def _cache(self) -> "ReleaseCache":
        from ratchet.serve.cache import ReleaseCache

        return ReleaseCache(self.settings.home / "cache")

    def _bundles(self, workload: str) -> Path:
        return self.settings.home / "bundles" / workload


def _as_gold(partition: "GoldPartition") -> "Gold":
    from ratchet.contracts.frames import Gold
    from ratchet.ingest import read_series

    return Gold(data_hour=partition.data_hour, truth_until=partition.truth_until, frame=lambda: read_series(partition))
