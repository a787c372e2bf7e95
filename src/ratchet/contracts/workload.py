"""What a workload declares, so that no stage ever has to ask which one it is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from ratchet.contracts.policy import CompositePolicy


class Source(Protocol):
    """Where raw data comes from, one hour at a time. Hours are aware UTC and start at minute 0."""

    @property
    def name(self) -> str:
        """The folder under bronze: `bronze/<name>/<date>/<hour>.<suffix>`."""

    @property
    def suffix(self) -> str:
        """What a landed file's name ends with, such as `json.gz`."""

    def hours(self) -> Sequence[datetime]:
        """Every hour that the source offers now, oldest first."""

    def read(self, hour: datetime) -> Iterator[bytes]:
        """The hour's bytes exactly as they are, in chunks of bounded size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A prediction problem that the loop runs. Found by listing `workloads/`; there is no register to edit."""

    name: str
    title: str
    id_name: str
    """What users call a series' `unique_id`, such as `repository`: the field in a request's body."""
    targets: tuple[str, ...]
    season_length: int
    horizon: int
    families: tuple[str, ...]
    """What a training tries unless it is told otherwise: cheap enough to repeat at will."""
    sources: Callable[[str], tuple[Source, ...]]
    """Makes the sources from the setting `EVENTS`; `sample` names the sample that ships with the workload."""
    sql: Path
    """The folder that holds `silver/` and `gold/`, the workload's dbt models."""
    policy: CompositePolicy
    first_recipe: tuple[str, ...]
    """The families of the very first release, before there is anything to compare with."""
    sample_actuals: Path
    """What came after the sample's last week (`unique_id, target, ds, y` as CSV): nothing trains on it; simulated users rate by it."""
    retrain_after_weeks: int = 1
    more_families: tuple[str, ...] = ()
    """What may be asked for as well: ten to a thousand times the cost for no gain that was measured, but known to people."""
    dag_ids: Mapping[str, str] = field(default_factory=dict)
    """Names of DAGs that differ from `<kind>_<workload>`."""

    def dag_id(self, kind: str) -> str:
        """What the orchestrator calls this workload's `ingest`, `train_candidate` or `evaluate_ab`."""
        return self.dag_ids.get(kind, f"{kind}_{self.name}")
