"""The body of a batch: JSON or CSV, and how many questions it may hold."""

from typing import Any, Final

import pydantic_core
from flask import request

from inference import tables
from inference.here import body
from inference.problems import INVALID, MALFORMED_JSON, ProblemError

MAX_ITEMS: Final = 1000
CSV: Final = "text/csv"


def read(id_name: str) -> list[Any]:
    """Return the items of the batch at hand, not yet looked at one by one."""
    said = body()
    return _count(tables.read(said, id_name=id_name)) if request.mimetype == CSV else read_json(said)


def read_json(body: bytes) -> list[Any]:
    """Return the items of a batch in JSON, or raise a problem that says what is wrong with it as a whole."""
    try:
        told = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise ProblemError(MALFORMED_JSON, str(error)) from error
    if not isinstance(told, dict) or set(told) != {"items"} or not isinstance(told["items"], list):
        raise ProblemError(INVALID, 'The body must be {"items": […]} and nothing else.')
    return _count(told["items"])


def _count(items: list[Any]) -> list[Any]:
    if not 1 <= len(items) <= MAX_ITEMS:
        raise ProblemError(INVALID, f"A batch holds 1 to {MAX_ITEMS} items, this one {len(items)}.")
    return items
