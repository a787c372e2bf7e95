"""What operators may ask, and what their answers look like."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from inference.fields import WITHOUT_NUL, Moment
from inference.shapes import Shape, TrackName

Filter = Annotated[str, Field(max_length=500), WITHOUT_NUL]


class Query(BaseModel):
    """A query holds nothing that is not described."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(Query):
    """From when to when; without it, the last day."""

    since: Moment | None = None
    until: Moment | None = None


class LogPage(Window):
    """Which lines of the log."""

    kind: Literal["forecasts", "feedback"] = "forecasts"
    unique_id: Filter | None = None
    target: Filter | None = None
    track: Literal["production", "candidate"] | None = None
    release: Filter | None = None
    client: Filter | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=1000)] | None = None


class ExperimentPage(Query):
    """Which experiments: those before `before`, newest first."""

    before: Annotated[int, Field(ge=1, le=2**62)] | None = None
    limit: Annotated[int, Field(ge=1, le=50)] = 10


class OfRelease(Shape):
    """How one release did on one track."""

    track: TrackName | None
    release: str
    forecasts: int
    clients: int = 0
    fallbacks: int = 0
    first_at: AwareDatetime | None = None
    last_at: AwareDatetime | None = None
    latency_ms_mean: float | None = None
    latency_ms_p50: float | None = None
    latency_ms_p95: float | None = None
    latency_ms_p99: float | None = None
    ratings: int
    rating_mean: float | None
    accurate_said: int
    accurate_yes: int
    actuals: int
    comments: int


class Summary(Shape):
    """Forecasts and feedback by track and release."""

    workload: str
    since: AwareDatetime
    until: AwareDatetime
    releases: list[OfRelease]


class Logs(Shape):
    """Lines of the forecast log or of the feedback, newest first; `next` is the cursor of the page after this one."""

    workload: str
    kind: Literal["forecasts", "feedback"]
    rows: list[dict[str, Any]]
    next: str | None


class Said(Shape):
    """A verdict in short."""

    at: AwareDatetime
    verdict: str
    reason: str


class Verdict(Said):
    """What the policy said of an experiment at a moment."""

    stage: str | None
    """Of the experiment after the look."""
    actor: str
    policy: str | None
    """The digest of the policy that judged."""
    scores: dict[str, Any]
    decided_at: AwareDatetime
    acted_at: AwareDatetime | None


class Experiment(Shape):
    """A candidate beside a production release, with its newest evidence and its verdicts."""

    experiment_id: int
    production: str
    candidate: str
    started_at: AwareDatetime
    ended_at: AwareDatetime | None
    verdict: str | None
    stage: str | None
    stage_since: AwareDatetime | None
    share: float | None
    """The candidate's part of the clients that was in force at the newest look."""
    waits_for: str | None
    """What the newest look said; null once it is over."""
    evidence: dict[str, Any] | None
    moved: Said | None
    """The newest promotion or revert, however long ago."""
    verdicts: list[Verdict]


class Experiments(Shape):
    """Newest first; `next` is the `before` of the page after this one."""

    workload: str
    experiments: list[Experiment]
    next: int | None


class DriftIndicator(Shape):
    """How one feature differs from what the release learnt from."""

    drift_percentage: float
    significant_drift: bool
    test: str
    p_value: float
    psi: float


class DriftReport(Shape):
    """The newest look at drift; `Last-Modified` says when."""

    overall_drift_detected: bool
    drift_indicators: dict[str, DriftIndicator]
