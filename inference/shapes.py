"""What every answer looks like, for `/openapi.json` and whoever checks an answer against it; views build plain dicts."""

from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, create_model

TrackName = Literal["production", "candidate"]
Figure = Annotated[float, Field(ge=0)]
MOST_ERRORS: Final = 10


class Shape(BaseModel):
    """Nothing is in an answer that is not described."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FieldError(Shape):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(Shape):
    """RFC 9457. `type` is what a program branches on."""

    type: str
    title: str
    status: int
    detail: str = ""
    request_id: str | None = None
    errors: Annotated[list[FieldError], Field(max_length=MOST_ERRORS)] = []
    """The first ones; `detail` says how many more there are."""


class Week(Shape):
    """One week ahead. What was not asked for is left out."""

    week: date
    mean: Figure | None = None
    median: Figure | None = None
    lo_80: Figure | None = None
    hi_80: Figure | None = None
    lo_95: Figure | None = None
    hi_95: Figure | None = None


class Forecast(Shape):
    """The coming weeks of one series; a release adds its own word for `unique_id`."""

    prediction_id: str
    workload: str
    unique_id: str
    target: str
    track: TrackName
    release: str
    release_id: str
    family: str | None
    data_hour: AwareDatetime
    synthetic: bool
    weeks: list[Week]
    note: str | None


class Accepted(Shape):
    """Feedback that is kept."""

    prediction_id: str
    kind: Literal["rating", "accurate", "actual", "comment"]
    status: Literal["accepted"]


class Release(Shape):
    """What a track serves."""

    workload: str
    track: TrackName
    release: str
    release_id: str
    version: str
    """`major.minor.patch`: another major is another way of making releases, the patch is the issue; empty until the registry counts."""
    issue: int
    """Its newest forecasts are of this number: 1 are those that it was trained with."""
    data_hour: AwareDatetime
    """The hour that these forecasts know everything up to;"""
    trained_on: AwareDatetime
    """the model knows it up to this one."""
    made_at: AwareDatetime
    code_version: str
    targets: list[str]
    horizon: int
    series: int
    families: dict[str, int]
    scores: dict[str, dict[str, float]]
    coverage: dict[str, float]
    synthetic: bool


class Alive(Shape):
    """The process lives."""

    status: Literal["alive"]
    track: TrackName


class Ready(Shape):
    """Every workload has a release."""

    status: Literal["ready"]
    track: TrackName
    releases: dict[str, str]


@lru_cache(maxsize=64)
def forecast(id_name: str) -> type[BaseModel]:
    """Return the shape of a forecast where series are called this."""
    return create_model("Forecast", __base__=Forecast, unique_id=(Annotated[str, Field(alias=id_name)], ...))


@lru_cache(maxsize=64)
def batch(id_name: str) -> type[BaseModel]:
    """Return the shape of a batch's answer."""
    results: Any = list[forecast(id_name) | Problem]  # type: ignore[misc]  # the shape is known only here
    fields: dict[str, Any] = {"workload": (str, ...), "track": (TrackName, ...), "release": (str, ...)}
    return create_model(
        "BatchAnswer", __base__=Shape, **fields, answered=(int, ...), failed=(int, ...), results=(results, ...)
    )


@lru_cache(maxsize=64)
def series(id_name: str) -> type[BaseModel]:
    """Return the shape of a page of series."""
    one = create_model(
        "Series", __base__=Shape, unique_id=(Annotated[str, Field(alias=id_name)], ...), target=(str, ...)
    )
    fields: dict[str, Any] = dict.fromkeys(("total", "limit", "offset"), (int, ...))
    return create_model("SeriesPage", __base__=Shape, **fields, series=(list[one], ...))


@lru_cache(maxsize=64)
def items_of(question: type[BaseModel], *, at_most: int) -> type[BaseModel]:
    """Return the shape of a batch of questions. An item that is no question gets a problem of its own."""
    items: Any = Annotated[list[question | Any], Field(min_length=1, max_length=at_most)]  # type: ignore[valid-type]
    return create_model("Batch", __base__=Shape, items=(items, ...))
