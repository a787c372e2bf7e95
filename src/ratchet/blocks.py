"""Rows, some at a time: what leads to an answer may take many times the room of the answer."""

from collections.abc import Iterator


def blocks(count: int, *, size: int) -> Iterator[slice]:
    """Every one of so many rows, in slices of so many; one that is empty where there are none, so that they are answered too."""
    return (slice(begin, begin + size) for begin in range(0, max(count, 1), size))
