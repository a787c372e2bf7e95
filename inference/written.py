"""Where something is wrong, as a client wrote it: pydantic names in its paths also how it read a field, which nobody wrote."""

import math
import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from pydantic_core import ErrorDetails

Path: TypeAlias = tuple[int | str, ...]
READING: Final = re.compile(r"list\[.+\]")
"""A field that may be read in several ways: after its name comes the way, as in `history.list[Point].0.week`."""
NOWHERE: Final = (-1, 0)


def as_written(found: Sequence[ErrorDetails]) -> list[tuple[str, str, str]]:
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
    match error["loc"]:
        case (name, str(second), *rest):
            return (name, *rest) if _is_read(error) else (second, *rest)
    return error["loc"]
