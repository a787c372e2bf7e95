"""Values as they stand in a record, read without trust: what is not of the expected kind is None, never an error."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

LARGEST_ID: Final = 2**63 - 1
LARGEST_COUNT: Final = 2**31 - 1
NAME: Final = r"[^/\s\x00]+/[^/\s\x00]+"
_NAME: Final = re.compile(NAME)
_HASHED: Final = re.compile(r"[0-9a-f]{40}")
_ADDRESS: Final = re.compile(r"([^\s@\"'<>\\]+)@([^\s@\"'<>\\]+)")
_MISSING: Final[Mapping[str, Any]] = {}
_TOLERANCE: Final = timedelta(days=1, hours=1)  # until 2014 files are named by Pacific time: up to eight hours behind


def mask(text: str) -> str:
    """E-mail addresses as GH Archive's crawler masks them: SHA-1 of the part before `@`, domain kept."""
    return _ADDRESS.sub(lambda found: f"{_hash(found[1])}@{found[2]}", text) if "@" in text else text


def as_moment(value: object) -> datetime | None:
    """ISO 8601 with any offset, or the timeline's `2012/03/24 00:00:04 -0700`; without an offset it is UTC."""
    return _moment(value) if isinstance(value, str) else None


@lru_cache(maxsize=1 << 14)  # an hour's events share its 3,600 seconds
def _moment(text: str) -> datetime | None:
    try:
        if text[4:5] == "/":
            return as_naive(datetime.strptime(text, "%Y/%m/%d %H:%M:%S %z"))
        return as_naive(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def as_naive(moment: datetime) -> datetime:
    """UTC without an offset, as the warehouse keeps it."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def within(value: object, hour: datetime, *, first: datetime, name: str = "created_at") -> datetime | str:
    """A moment from `first` on that can be in a file of this hour, or what is wrong with it."""
    if value is None:
        return f"{name} missing"
    found = as_moment(value)
    if found is None:
        return f"{name} unreadable"
    return found if first <= found < end_of(hour) else f"{name} outside the archive"


@lru_cache(maxsize=64)
def end_of(hour: datetime) -> datetime:
    """The moment from which on nothing can be in a file of that hour."""
    return as_naive(hour) + _TOLERANCE


def digest(text: str) -> str:
    """A key of a text, short and the same everywhere."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def as_object(value: object) -> Mapping[str, Any]:
    """A JSON object, empty if it is something else."""
    return value if isinstance(value, dict) else _MISSING


def as_text(value: object) -> str | None:
    """A text that is not empty."""
    return value if isinstance(value, str) and value else None


def as_identifier(value: object) -> str | None:
    """A number or text that names something."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else as_text(value)


def as_number(value: object, largest: int = LARGEST_COUNT) -> int | None:
    """A whole number from 0 to `largest`."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= largest:
        return None
    return value


def as_name(value: object) -> str | None:
    """A name of the form owner/name."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None


def masked(email: str | None) -> str | None:
    """An e-mail address masked, with or without its domain."""
    if email is None:
        return None
    return mask(email) if "@" in email else _hash(email)


def _hash(text: str) -> str:
    if _HASHED.fullmatch(text):
        return text
    return hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
