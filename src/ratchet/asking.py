"""What may be asked for on a command line: words that make no sense are refused before anything is done."""

from argparse import ArgumentTypeError
from collections.abc import Callable


def at_least(least: int) -> Callable[[str], int]:
    """Read a whole number, no less than this."""

    def number(text: str) -> int:
        if not text.lstrip("-").isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"must be a whole number from {least} on, not {text!r}")
        return int(text)

    return number


def names(text: str) -> tuple[str, ...]:
    """Read what is separated by commas, with spaces or without."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
