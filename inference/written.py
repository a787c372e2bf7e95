"""Where something is wrong, as a client wrote it: pydantic names in its paths also how it read a field, which nobody wrote."""

import math
import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from inference.shapes import MOST_ERRORS

Path: TypeAlias = tuple[int | str, ...]
READING: Final = re.compile(r"list\[.+\]")
"""A field that may be read in several ways: after its name comes the way, as in `history.list[Point].0.week`."""
NOWHERE: Final = (-1, 0)
BODY: Final = "body"
MOST_SAID: Final = 3
MOST_READ: Final = 1000
LONGEST_WORD: Final = 200
"""Of what is said of one field: names and values that somebody made up may be in it."""


def name_errors(error: ValidationError) -> tuple[str, list[dict[str, str]]]:
    """Return what is wrong as a sentence, and field by field: the first of it, for an answer may not outgrow its question.

    pydantic tells all errors or none, each at many times the cost of finding it: whoever made a thousand is told their number.
    """
    if error.error_count() > MOST_READ:
        return f"{error.error_count()} things are wrong with it: too many to name.", []
    found = _as_written(error.errors(include_url=False, include_input=False))
    errors = [
        {"field": path[:LONGEST_WORD] or BODY, "message": _say(kind, message)}
        for path, kind, message in found[:MOST_ERRORS]
    ]
    said = [f"{each['field']}: {each['message']}" for each in errors[:MOST_SAID]]
    return "; ".join([*said, *([f"and {len(found) - len(said)} more"] if len(found) > len(said) else [])]), errors


def _as_written(found: Sequence[ErrorDetails]) -> list[tuple[str, str, str]]:
    """Return the path, kind and words of each error, once. Of a field's readings only those that came furthest count."""
    came: dict[Path, tuple[float, int]] = {}
    for each in found:
        if _is_read(each):
            way = each["loc"][:2]
            came[way] = max(came.get(way, NOWHERE), _progress(each))
    short = {way for way in came if any(other[0] == way[0] and came[other] > came[way] for other in came)}
    told = [
        (".".join(map(str, _path(each))), each["type"], each["msg"]) for each in found if each["loc"][:2] not in short
    ]
    return list(dict.fromkeys(told))


def _is_read(error: ErrorDetails) -> bool:
    """Whether its path says how a field was read. A name that is not allowed is a client's own, whatever it looks like."""
    match error["loc"]:
        case (_, str(second), *rest):
            return READING.fullmatch(second) is not None and (bool(rest) or error["type"] != "extra_forbidden")
    return False


def _progress(error: ErrorDetails) -> tuple[float, int]:
    """How far a reading came: to which point of a list, and how deep into it; to the end of one that is only too long."""
    loc = error["loc"]
    if error["type"] == "too_long":
        return math.inf, 0
    point = loc[2] if len(loc) > 2 else -1  # field, reading, point
    return (point if isinstance(point, int) else -1, len(loc))


def _path(error: ErrorDetails) -> Path:
    """No request has an object right in an object: of two names in a row one is pydantic's, a reading or the kind of feedback."""
    if "discriminator" in error.get("ctx", ()):  # the field that says which kind it is
        return (error["ctx"]["discriminator"].strip("'"),)
    match error["loc"]:
        case (name, str(second), *rest):
            return (name, *rest) if _is_read(error) else (second, *rest)
    return error["loc"]


def _say(kind: str, message: str) -> str:
    """Return pydantic's words; of what has been parsed already, as a batch has, it would name the class that it wanted."""
    if kind == "model_type":
        return "Input should be an object"
    if kind == "union_tag_not_found":
        return "Field required"
    return message.removeprefix("Value error, ")[:LONGEST_WORD]
