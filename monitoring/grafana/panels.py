"""What a panel is, and a board of them."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["lines", "number", "states", "table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One expression and how its lines are named."""

    says: str
    expr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A picture of one or more expressions. `empty` says when it is rightly empty."""

    title: str
    about: str
    unit: str
    queries: tuple[Query, ...]
    kind: Kind = "lines"
    wide: int = 8
    empty: str = ""

    @property
    def description(self) -> str:
        """What a person reads behind the panel's title."""
        return f"{self.about} Empty: {self.empty}." if self.empty else self.about


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A page of panels, in rows by title."""

    uid: str
    title: str
    about: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All of them, in order."""
        return tuple(panel for _, panels in self.rows for panel in panels)


def line(says: str, expr: str) -> Query:
    """Make a query."""
    return Query(says=says, expr=expr)


def number(title: str, about: str, unit: str, expr: str, *, empty: str = "", says: str = "", wide: int = 4) -> Panel:  # noqa: PLR0913, a panel is these
    """Make a panel that shows the newest figure."""
    return Panel(
        title=title,
        about=about,
        unit=unit,
        queries=(Query(says=says, expr=expr),),
        kind="number",
        wide=wide,
        empty=empty,
    )
