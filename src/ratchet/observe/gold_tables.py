"""Gold at rest, for people: what tables there are, pages of their rows, and the history of a series. Reads files, asks nobody."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ratchet.contracts.errors import MetricsError

if TYPE_CHECKING:
    import duckdb

MEMORY: Final = "256MB"
NUMBERS: Final = (
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL"),
    *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
)
SERIES: Final = "series"
HISTORY: Final = "SELECT ds, y FROM read_parquet($path) WHERE unique_id = $unique_id AND target = $target ORDER BY ds DESC LIMIT $limit"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """What is wanted of a table: the `sum` or `max` of a column of numbers for each combination of some columns, the largest first."""

    by: tuple[str, ...]
    measure: str
    how: str
    only: tuple[str, str] | None
    """A column and what it has to hold."""
    limit: int


class GoldTables:
    """The newest gold of each workload. `MetricsError` where there is none or it cannot be read."""

    def __init__(self, home: Path) -> None:
        self._gold = home / "gold"
        self._alone = threading.Lock()
        """One question at a time: it shares a process with forecasts."""

    def describe(self, workload: str) -> Row:
        """Return when the data is from, and each table with what it holds, in the order in which the workload describes them."""
        folder, manifest = self._newest(workload)
        described = manifest.get("tables", {})
        names = sorted(
            (path.stem for path in folder.glob("*.parquet")),
            key=lambda name: (described.get(name, {}).get("place", len(described)), name),
        )
        with self._alone, _connect() as opened:
            tables = [_describe(opened, folder / f"{name}.parquet", described.get(name, {})) for name in names]
        kept = {name: manifest.get(name) for name in ("data_hour", "last_week", "series", "synthetic")}
        return {**kept, "quality": _quality(self._gold / workload), "tables": tables}

    def rows(
        self, workload: str, table: str, *, limit: int, offset: int, order: str | None, down: bool
    ) -> tuple[int, list[Row]]:
        """Return how many rows a table has and a page of them; a `KeyError` for a table or column that is not there."""
        folder, _ = self._newest(workload)
        with self._alone, _connect() as opened:
            found = _open(opened, folder, table)
            total = found.count("*").fetchall()[0][0]
            if order is not None:
                found = _sorted(found, order, down=down)
            page = found.limit(limit, offset)
            return total, [dict(zip(page.columns, map(_plain, row), strict=True)) for row in page.fetchall()]

    def groups(self, workload: str, table: str, asked: Grouping) -> tuple[int, list[Row]]:
        """Return how many groups a table has and the largest of them, each with its `value`, over all of the table's rows.

        A `KeyError` for a table or column that is not there, and for a measure that holds no numbers.
        """
        folder, _ = self._newest(workload)
        with self._alone, _connect() as opened:
            grouped = _group(_open(opened, folder, table), asked)
            total = grouped.count("*").fetchall()[0][0]
            page = grouped.limit(asked.limit).fetchall()
        return total, [dict(zip((*asked.by, "value"), map(_plain, row), strict=True)) for row in page]

    def history(self, workload: str, *, unique_id: str, target: str, limit: int) -> list[Row]:
        """Return the newest weeks of a series, oldest first; empty if gold does not know it."""
        folder, _ = self._newest(workload)
        values = {"path": str(folder / f"{SERIES}.parquet"), "unique_id": unique_id, "target": target, "limit": limit}
        with self._alone, _connect() as opened:
            found = opened.execute(HISTORY, values).fetchall()
        return [{"week": _plain(week), "value": float(value)} for week, value in reversed(found)]

    def _newest(self, workload: str) -> tuple[Path, Row]:
        root = self._gold / workload
        try:
            folder = root / json.loads((root / "newest.json").read_bytes())["partition"]
            manifest: Row = json.loads((folder / "manifest.json").read_bytes())
        except (OSError, ValueError, KeyError) as error:
            raise MetricsError(f"there is no gold of {workload} where this service looks for it") from error
        return folder, manifest


def _quality(root: Path) -> Row | None:
    """Return the quality report on the newest data, where the builds write one."""
    try:
        name = json.loads((root / "quality" / "newest.json").read_bytes())["report"]
        report: Row = json.loads((root / "quality" / f"{name}.json").read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return report


def _connect() -> "duckdb.DuckDBPyConnection":
    import duckdb  # noqa: PLC0415, most processes are never asked

    return duckdb.connect(config={"memory_limit": MEMORY, "threads": 1})


def _open(opened: "duckdb.DuckDBPyConnection", folder: Path, table: str) -> "duckdb.DuckDBPyRelation":
    path = folder / f"{table}.parquet"
    if path not in set(folder.glob("*.parquet")):
        raise KeyError(table)
    return opened.read_parquet(str(path))


def _require(found: "duckdb.DuckDBPyRelation", columns: Sequence[str]) -> None:
    if missing := [name for name in columns if name not in found.columns]:
        raise KeyError(missing[0])


def _group(found: "duckdb.DuckDBPyRelation", asked: Grouping) -> "duckdb.DuckDBPyRelation":
    from duckdb import ColumnExpression, ConstantExpression, FunctionExpression  # noqa: PLC0415

    _require(found, (*asked.by, asked.measure))
    if str(found.types[found.columns.index(asked.measure)]).partition("(")[0] not in NUMBERS:
        raise KeyError(asked.measure)
    if asked.only:
        column, holds = asked.only
        _require(found, (column,))
        found = found.filter(ColumnExpression(column).cast("VARCHAR") == ConstantExpression(holds))
    names = [f"by_{number}" for number in range(len(asked.by))]
    columns = [ColumnExpression(column).alias(name) for column, name in zip(asked.by, names, strict=True)]
    value = FunctionExpression(asked.how, ColumnExpression(asked.measure).cast("DOUBLE")).alias("value")
    return found.aggregate([*columns, value]).sort(
        ColumnExpression("value").desc().nulls_last(), *map(ColumnExpression, names)
    )


def _describe(opened: "duckdb.DuckDBPyConnection", path: Path, said: Row) -> Row:
    found = opened.read_parquet(str(path))
    columns = said.get("columns", {})
    return {
        "name": path.stem,
        "description": said.get("description", ""),
        "rows": found.count("*").fetchall()[0][0],
        "columns": [
            {"name": name, "type": str(kind).lower(), "description": columns.get(name, "")}
            for name, kind in zip(found.columns, found.types, strict=True)
        ],
    }


def _sorted(found: "duckdb.DuckDBPyRelation", order: str, *, down: bool) -> "duckdb.DuckDBPyRelation":
    import duckdb  # noqa: PLC0415

    _require(found, (order,))
    column = duckdb.ColumnExpression(order)
    return found.sort(column.desc() if down else column.asc())


def _plain(value: Any) -> Any:  # noqa: ANN401, whatever a column holds
    """Return what JSON can hold."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124, NaN is the one that differs
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else str(value)
