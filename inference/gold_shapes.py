"""What is asked of the data behind the forecasts, and what its answers look like."""

from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, create_model

from inference.fields import Text
from inference.operator_shapes import Query
from inference.shapes import Shape

Name = Annotated[Text, Field(min_length=1, max_length=500)]


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


class TablePage(Query):
    """Which page of which table."""

    table: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    order: Annotated[Text, Field(min_length=1, max_length=100)] | None = None
    down: bool = True
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    offset: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0


class Column(Shape):
    """A column of a table."""

    name: str
    type: str
    description: str


class Table(Shape):
    """A table of gold."""

    name: str
    description: str
    rows: int
    columns: list[Column]


class Tables(Shape):
    """The newest gold."""

    workload: str
    data_hour: AwareDatetime | None
    last_week: str | None
    series: int | None
    synthetic: bool | None
    quality: dict[str, Any] | None
    tables: list[Table]


class TableRows(Shape):
    """A page of a table's rows."""

    workload: str
    table: str
    total: int
    limit: int
    offset: int
    rows: list[dict[str, Any]]


class At(Shape):
    """A value of a week."""

    week: date
    value: float


class Detail(Shape):
    """A series beyond its forecast: `families` has each family's own weeks, if the release kept them."""

    workload: str
    unique_id: str
    target: str
    family: str | None
    weeks_known: int | None
    mase: dict[str, float]
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
