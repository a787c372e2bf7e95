"""What may be asked for on a command line: words that make no sense are refused before anything is done."""

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable


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


def no_text(words: Iterable[str]) -> str:
    """Say which of these words is none that a file, a database or another reader could take; nothing if all can be read."""
    for word in words:
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            return f"{word!r} is no text: some of its bytes are no UTF-8"
    return ""
