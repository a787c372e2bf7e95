"""How both sides write a value, so that rows can be compared as text."""

from datetime import datetime


def plain(value: object) -> str:
    """A value as both sides write it."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    try:
        return f"{float(value):.9g}"
    except (TypeError, ValueError):
        return str(value)
