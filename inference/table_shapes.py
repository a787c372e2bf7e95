"""What is asked of the tables that the workload publishes, and what their answers look like."""

from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Field, field_validator

from inference.fields import WITHOUT_NUL
from inference.operator_shapes import Query
from inference.shapes import Shape
from ratchet.observe.gold_tables import Grouping

MOST_COLUMNS: Final = 3
TableName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
ColumnName = Annotated[str, Field(min_length=1, max_length=100), WITHOUT_NUL]


class TablePage(Query):
    """Which page of which table."""

    table: TableName
    order: ColumnName | None = None
    down: bool = True
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    offset: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0


class GroupPage(Query):
    """Which table, grouped `by` which columns (up to three, separated by commas), and what of which column of numbers.

    With `only` and `holds` it is over the rows in which that column holds that.
    """

    table: TableName
    by: Annotated[str, Field(min_length=1, max_length=300), WITHOUT_NUL]
    measure: ColumnName
    how: Literal["sum", "max"] = "sum"
    only: ColumnName | None = None
    holds: Annotated[str, Field(max_length=500), WITHOUT_NUL] = ""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100

    @field_validator("by")
    @classmethod
    def _is_short(cls, value: str) -> str:
        names = value.split(",")
        if len(names) > MOST_COLUMNS or len(set(names)) < len(names):
            raise ValueError(f"must be up to {MOST_COLUMNS} columns, each once, separated by commas")
        return value

    def grouping(self) -> Grouping:
        """Return it as gold is asked."""
        only = None if self.only is None else (self.only, self.holds)
        return Grouping(by=tuple(self.by.split(",")), measure=self.measure, how=self.how, only=only, limit=self.limit)


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


class TableGroups(Shape):
    """A table's groups over all of its rows, the largest first; each has the columns that were asked for, and `value`."""

    workload: str
    table: str
    total: int
    groups: list[dict[str, Any]]
