"""What a workload declares, so that no stage ever has to ask which one it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from ratchet.contracts.drift import DriftPolicy, MoreDrift
from ratchet.contracts.policy import EvidencePolicy
from ratchet.contracts.source import EVERYTHING, Clock, Source, SourceKind, Span, open_sources, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedFile:
    """A file in bronze, as the readers of records see it."""

    source: str
    hour: datetime
    part: str
    """What of the hour the file holds, such as `owner/name/commits`; empty if it is the whole hour."""


Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """How a workload's bronze becomes typed rows, before dbt takes them over."""

    columns: Mapping[str, str]
    """Each column's name and SQL type, in the order of the values in a row."""
    kind: Callable[[LandedFile], str]
    """What a file holds, such as `hours`; kept with the file for the models.

    `snapshot`: its hour says nothing of its content. `items`: they were asked for within it, so it is not known to its end.
    """
    parse: Callable[[LandedFile, Mapping[str, Any]], Row | str]
    """One JSON object or CSV row as a typed row, or the reason why it is none. Raises nothing, whatever the object holds."""
    moment: str
    """The column that says when a record happened (UTC, naive)."""
    quick: Callable[[LandedFile, bytes], Row | None] = lambda _file, _line: None
    """A line of JSON straight to the row that `parse` would make of it; None wherever that is not plain to see. Raises nothing."""
    mask: Callable[[str], str] = str
    """Hides what must not be kept of people in the raw text of a rejected record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """How a table is cut into files: by the day or month of a column."""

    column: str
    by: Literal["day", "month"]


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
    source_kinds: tuple[SourceKind, ...]
    """What it can read; a bare address means the first kind, and `sample` is the sample that ships with the workload."""
    records: Records
    """Turns bronze into the typed rows that the dbt models start from."""
    sql: Path
    """The folder that holds `silver/` and `gold/`, the workload's dbt models. What a model `notices` of silver has (`notice`, `size`) is
    said in the log of the build that finds it first, the largest first."""
    policy: EvidencePolicy
    first_recipe: tuple[str, ...]
    """The families of the very first release, before there is anything to compare with."""
    sample_actuals: Path
    """What came after the sample's last week (`unique_id, target, ds, y` as CSV): nothing trains on it; simulated users rate by it."""
    truth_after: timedelta = timedelta(0)
    """How long after its end a week counts as what really happened: it is scored once, so what still arrives must be in it."""
    retrain_after_weeks: int = 1
    more_families: tuple[str, ...] = ()
    """What may be asked for as well: ten to a thousand times the cost for no gain that was measured, but known to people."""
    drift: DriftPolicy = field(default_factory=DriftPolicy)
    more_drift: MoreDrift | None = None
    """Its own features to look for drift in, such as labels or embeddings; None: those of every workload."""
    silver: Mapping[str, Cut | None] = field(default_factory=dict)
    """The silver tables that other engines may read (setting SILVER), and how each is cut into files; None: it is one file."""
    dag_ids: Mapping[str, str] = field(default_factory=dict)
    """Names of DAGs that differ from `<kind>_<workload>`."""

    def dag_id(self, kind: str) -> str:
        """What the orchestrator calls one of this workload's DAGs: `ingest`, `train_candidate`, `evaluate_ab` and so on."""
        return self.dag_ids.get(kind, f"{kind}_{self.name}")

    def truth_until(self, data_hour: datetime) -> date:
        """The last day whose weeks count as what really happened, by gold of this data hour."""
        return (data_hour.astimezone(UTC) - self.truth_after).date() - timedelta(days=1)

    def sources(self, location: str, *, span: Span = EVERYTHING, clock: Clock = utc_now) -> tuple[Source, ...]:
        """Return the sources that the setting `EVENTS` names; of those that come by hour, the hours of the span."""
        return open_sources(self.source_kinds, location, span=span, clock=clock)
