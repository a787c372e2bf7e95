"""Which real adapter stands behind each port: the only place that knows it."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

from ratchet import workloads
from ratchet.contracts.ports import Journal, LookRow, Release
from ratchet.contracts.release import CARD, Card
from ratchet.notify import News, announce
from ratchet.settings import Settings
from ratchet.trials import Looker, Trials, Turns


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
        from ratchet.observe import PostgresAsked, PostgresFeedback, PostgresHours, PrometheusMetrics
        from ratchet.observe.drift_log import PostgresDrift
        from ratchet.posted import FAMILY
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
            actuals=self._actuals,
            around=Around(data_hour=self._data_hour, alarm=PostgresDrift(settings.database).alarm),
            replay=WarmUp(address=settings.candidate, secret=secret).replay,
            workers=settings.web_workers,
        )
        return Looker(journal=trials.journal, split=trials.split, measured=measured, find=trials.find)

    @cached_property
    def turns(self) -> Turns:
        """Looks, orders and what is done about them."""
        return Turns(trials=self.trials, looker=self.looker, tell=self._tell)

    def _tell(self, workload: str, rows: Sequence[LookRow]) -> None:
        news = [News(key=row.look_id, experiment_id=row.experiment_id, decision=row.decision) for row in rows]
        announce(self.settings, workload, news, dag_id=workloads.find(workload).dag_id("evaluate_ab"))

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

    def _data_hour(self, workload: str) -> datetime | None:
        from ratchet.ingest import newest

        gold = newest(self.settings.home, workload)
        return gold.data_hour if gold else None

    def _trained_on(self, workload: str) -> list[datetime]:
        """The data hours of the releases that were trained on this machine."""
        cards = self._bundles(workload).glob(f"*/{CARD}")
        return [Card.from_json(card.read_bytes()).data_hour for card in cards]

    def _folder(self, release: Release) -> Path:
        """A release's folder: where it was trained, or where this machine serves it from."""
        from ratchet.serve.cache import ReleaseCache

        trained = self._bundles(release.workload) / release.release_id
        return trained if (trained / CARD).exists() else ReleaseCache(self.settings.home / "cache").fetch(release)

    def _bundles(self, workload: str) -> Path:
        return self.settings.home / "bundles" / workload
