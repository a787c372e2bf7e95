"""Drift: what is remembered of the data that a release learnt from, what is seen now, and what is said of the difference."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Self

Observations = Mapping[str, tuple[float, ...]]
"""Values by period (an ISO date: a week's Sunday, a day, the origin of a forecast). A period is what varies as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftPolicy:
    """When a difference is drift. Every figure may be overridden by a workload."""

    alpha: float = 0.01
    """Of a false discovery among one look's features (Benjamini and Yekutieli's correction)."""
    min_psi: float = 0.1
    """A difference smaller than this and than `min_shift_percent` is no drift, however certain it is."""
    min_shift_percent: float = 10.0
    strong_alpha: float = 0.0005
    """So certain, and at least `strong_psi`: confirmed at once. Else the next look at new data has to agree."""
    strong_psi: float = 0.25
    recent_weeks: int = 8
    reference_weeks: int = 104
    recent_days: int = 7
    """Of ratings and of what was asked for."""
    reference_days: int = 14
    """The first days of a release in production make its reference of ratings: there are none before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureReference:
    """One feature as it was: a sketch of its distribution, and how much its values hang together."""

    sketch: tuple[float, ...]
    """Evenly spaced quantiles, lowest first: the distribution as a sample of fixed size."""
    edges: tuple[float, ...]
    """Inner bounds of the PSI's bins: deciles, equal ones once."""
    shares: tuple[float, ...]
    """What each bin holds, one more than there are edges."""
    mean: float
    mean_size: float
    """Mean of the absolute values: what a shift is a percentage of."""
    periods: int
    between: float
    """Variance of a period's mean, as a share of the variance of single values: 1 where a period's values move as one."""
    rho: float
    """Correlation of one period with the next."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read what `asdict` made."""
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in body.items()}
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """What is said of one feature."""

    drift_percentage: float
    """How far the mean has moved."""
    significant_drift: bool
    test: str
    p_value: float
    """After the correction for the number of features."""
    psi: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """One look at drift. What could not be judged is named with its reason, and is not among the indicators."""

    workload: str
    release_id: str
    at: datetime
    data: str
    """Digest of all that was looked at."""
    indicators: Mapping[str, Indicator]
    not_judged: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where each feature's recent data came from."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Of each feature's recent data: the same data again are no second opinion on it. Empty in reports from before they were kept."""
    confirmed: bool = False

    @property
    def drifting(self) -> tuple[str, ...]:
        """The features that drift."""
        return tuple(name for name, indicator in self.indicators.items() if indicator.significant_drift)

    def public(self) -> dict[str, Any]:
        """The report as it is served."""
        return {
            "overall_drift_detected": bool(self.drifting),
            "drift_indicators": {name: asdict(indicator) for name, indicator in self.indicators.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftAlarm:
    """A confirmed drift that a new release was asked for, remembered until it is over."""

    workload: str
    release_id: str
    began_at: datetime
    data_hour: datetime | None
    """The newest data that any release had learnt from when the alarm began."""
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Why an alarm ended."""

    why: str
    retrained: bool
    """A release has learnt from newer data; else what drifted is as it was."""


MoreDrift = Callable[[str, datetime], Mapping[str, tuple[Observations, Observations]]]
"""A workload's own features, such as labels or embeddings: `(release_id, at)` to (reference, recent) of each."""
