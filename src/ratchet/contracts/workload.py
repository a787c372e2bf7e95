"""What a workload declares, so that no stage ever has to ask which one it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ratchet.contracts.policy import CompositePolicy
from ratchet.contracts.source import EVERYTHING, Clock, Source, SourceKind, Span, open_sources, utc_now


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
    source_kinds: tuple[SourceKind, ...]
    """What it can read; a bare address means the first kind, and `sample` is the sample that ships with the workload."""
    sql: Path
    """The folder that holds `silver/` and `gold/`, the workload's dbt models."""
    policy: CompositePolicy
    first_recipe: tuple[str, ...]
    """The families of the very first release, before there is anything to compare with."""
    sample_actuals: Path
    """What came after the sample's last week (`unique_id, target, ds, y` as CSV): nothing trains on it; simulated users rate by it."""
    retrain_after_weeks: int = 1
    dag_ids: Mapping[str, str] = field(default_factory=dict)
    """Names of DAGs that differ from `<kind>_<workload>`."""

    def dag_id(self, kind: str) -> str:
        """What the orchestrator calls this workload's `ingest`, `train_candidate` or `evaluate_ab`."""
        return self.dag_ids.get(kind, f"{kind}_{self.name}")

    def sources(self, location: str, *, span: Span = EVERYTHING, clock: Clock = utc_now) -> tuple[Source, ...]:
        """Return the sources that the setting `EVENTS` names; of those that come by hour, the hours of the span."""
        return open_sources(self.source_kinds, location, span=span, clock=clock)
