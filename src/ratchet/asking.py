"""What may be asked for on a command line: words that make no sense are refused before anything is done."""

import difflib
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from typing import Final

MANY: Final = 20_000
"""Series among which a wrong name is compared."""


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


def read(parser: ArgumentParser, words: Sequence[str]) -> Namespace:
    """Read a command; a word that is no text, which no database, file or terminal takes, is refused as others that make no sense."""
    for word in words:
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            parser.error(f"{word!r} is no text: some of its bytes are no UTF-8")
    return parser.parse_args(words)


def nearest(wanted: str, names: Sequence[str], inside: Sequence[str]) -> str:
    """Say which of these names are most like one that is not there: those that hold it, else those that are written like it."""
    near = inside[:3] or difflib.get_close_matches(wanted, names, n=3)
    return f"did you mean {', '.join(near)}?" if near else f"there are {len(names):,}, such as {names[0]}"
