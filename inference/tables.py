"""A batch as CSV: one row per question on the way in; one per series and week, or per problem, on the way out. And what can be asked."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Any, Final

from inference.problems import INVALID, ProblemError

WHOLE: Final = re.compile(r"[0-9]{1,4}")
STATISTICS: Final = ("mean", "median", "lo_80", "hi_80", "lo_95", "hi_95")
MAX_ROWS: Final = 10_000
"""More than a batch may hold: whoever sends too many is told how many, up to here."""


def read(body: bytes, *, id_name: str) -> list[dict[str, Any]]:
    """Return a CSV's rows as questions; a cell that is left empty is a field that is left out, and a row of such cells is none."""
    allowed = {id_name, "target", "horizon", "statistic"}
    try:
        rows = csv.reader(io.StringIO(body.decode(), newline=""), strict=True, skipinitialspace=True)
        header = [name.strip() for name in next(rows, [])]
        if not {id_name, "target"} <= set(header) <= allowed or len(set(header)) < len(header):
            needed = f"{id_name}, target and, if wanted, horizon and statistic"
            raise ProblemError(
                INVALID, f"The first row must name the columns, separated by commas and each once: {needed}."
            )
        return [_question(header, row) for _, row in zip(range(MAX_ROWS), filter(any, rows), strict=False)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ProblemError(INVALID, f"The body is not CSV in UTF-8: {error}") from error


def write(results: Sequence[dict[str, Any]], asked: Sequence[Any], *, id_name: str) -> str:
    """Return results as CSV, in the order of the questions."""
    columns = (id_name, "target", "week", *STATISTICS, "prediction_id", "release", "note", "problem")
    text = io.StringIO(newline="")
    rows = csv.DictWriter(text, columns, restval="", extrasaction="ignore")
    rows.writeheader()
    for question, result in zip(asked, results, strict=True):
        if "weeks" in result:
            rows.writerows(result | week for week in result["weeks"])
        else:
            rows.writerow(_refused(question, result, id_name=id_name))
    return text.getvalue()


def write_names(series: Sequence[tuple[str, str]], *, id_name: str) -> str:
    """Return series as CSV that `read` takes as a batch of questions."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([(id_name, "target"), *series])
    return text.getvalue()


def _question(header: list[str], row: list[str]) -> dict[str, Any]:
    question: dict[str, Any] = {name: cell for name, cell in zip(header, row, strict=False) if cell}
    if len(row) > len(header):
        question["a cell without a column"] = row[len(header)]  # no question has such a field, and its problem names it
    horizon = question.get("horizon", "")
    if WHOLE.fullmatch(horizon):
        question["horizon"] = int(horizon)
    return question


def _refused(question: object, result: dict[str, Any], *, id_name: str) -> dict[str, str]:
    asked: dict[str, Any] = question if isinstance(question, dict) else {}
    named = {name: asked[name] for name in (id_name, "target") if isinstance(asked.get(name), str)}
    slug = result["type"].rpartition("/")[2]
    return {**named, "problem": f"{slug}: {result['detail']}"}
