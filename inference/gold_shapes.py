"""What is asked of the series behind the forecasts, and what its answers look like."""

from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from inference.fields import WITHOUT_NUL
from inference.operator_shapes import Query
from inference.shapes import Shape

Name = Annotated[str, Field(min_length=1, max_length=500), WITHOUT_NUL]


class Named(Query):
    """Which series, and how much of its past."""

    unique_id: Name
    target: Name
    weeks: Annotated[int, Field(ge=1, le=520)] = 104


class ScorePage(Query):
    """Which series: the worst or the best ones by MASE on held-out weeks."""

    order: Literal["worst", "best"] = "worst"
    target: Name | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 10


class At(Shape):
    """A value of a week."""

    week: date
    value: float


class Detail(Shape):
    """A series beyond its forecast: `families` has each family's own weeks, if kept, `explained` what families tell of it."""

    workload: str
    unique_id: str
    target: str
    family: str | None
    weeks_known: int | None
    mase: dict[str, float]
    scores: dict[str, float]
    explained: dict[str, dict[str, float]]
    families: dict[str, list[At]]
    history: list[At]


class Score(Shape):
    """A series and the error of the family that answers for it."""

    unique_id: str
    target: str
    family: str
    mase: float


@lru_cache(maxsize=64)
def detail_of(id_name: str) -> type[BaseModel]:
    """Return the shape of a series' detail where series are called this."""
    return create_model("Detail", __base__=Detail, unique_id=(Annotated[str, Field(alias=id_name)], ...))


@lru_cache(maxsize=64)
def scores_of(id_name: str) -> type[BaseModel]:
    """Return the shape of a page of scores where series are called this."""
    one = create_model("Score", __base__=Score, unique_id=(Annotated[str, Field(alias=id_name)], ...))
    fields: dict[str, Any] = {"workload": (str, ...), "release": (str, ...), "order": (str, ...)}
    return create_model("Scores", __base__=Shape, **fields, series=(list[one], ...))
