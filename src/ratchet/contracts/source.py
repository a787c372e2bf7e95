"""Where raw data comes from: the port that every source is an adapter of, and how sources are named in a setting."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, Protocol

from ratchet.contracts.errors import DataError

_HOUR: Final = timedelta(hours=1)
SEPARATOR: Final = ";"
"""Between the sources of one setting; a path or an address hardly ever holds one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The hours from `first` to `last`, both in it; None: open at that end."""

    first: datetime | None = None
    last: datetime | None = None

    @classmethod
    def parse(cls, first: str, last: str) -> "Span":
        """Read `2026-01-31`, `2026-01-31T05` or `2026-01-31-5` (UTC); a day as the last one counts up to its last hour."""
        span = cls(first=_parse_hour(first, last=False), last=_parse_hour(last, last=True))
        if span.first and span.last and span.last < span.first:
            raise DataError(f"from {first} to {last}: the end is before the beginning")
        return span

    def holds(self, hour: datetime) -> bool:
        """Whether the hour lies in the span."""
        return (self.first is None or hour >= self.first) and (self.last is None or hour <= self.last)

    def hours(self) -> Iterator[datetime]:
        """Yield every hour of a span that is closed at both ends, oldest first."""
        if self.first is None or self.last is None:
            raise DataError("a span that is open at an end has no list of hours")
        hour = self.first
        while hour <= self.last:
            yield hour
            hour += _HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Bytes on their way: from position `start` on, 0 or the one that was asked for."""

    chunks: Iterator[bytes]
    start: int = 0
    version: str = ""
    """What tells this content from a changed one, such as a strong ETag; empty: a broken transfer begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One file that a source offers: where it belongs, and how it is read from a position on, if still of a version."""

    hour: datetime
    file: str
    """Relative to the source's folder in bronze."""
    open: Callable[[int, str], Arrival]
    part: str = ""
    """What of the source beside the hour; empty where the hour says it all."""
    cursor: str = ""
    """How far the source has come in this part once the piece has landed; only the source understands it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What could not land, and why; everything else goes on. `refused`: the source answered, and would answer the same again."""

    what: Literal["missing", "damaged", "failed", "refused", "over"]
    name: str
    reason: str


class Landings(Protocol):
    """What a source may know of its own past."""

    def hours(self) -> AbstractSet[datetime]:
        """The hours that have landed."""

    def files(self, hour: datetime) -> int:
        """How many files of this hour have landed."""

    def cursor(self, part: str) -> str:
        """The cursor of the part's newest piece; empty before the first one."""

    def note(self, key: str) -> str:
        """What was kept under this key; empty if nothing was, or if it was lost."""

    def keep_note(self, key: str, value: str) -> None:
        """Keep something that only saves work: losing it must cost nothing else."""


class Source(Protocol):
    """One way in for raw data. Hours are aware UTC and start at minute 0."""

    @property
    def name(self) -> str:
        """Its folder under bronze."""

    @property
    def by_hour(self) -> bool:
        """True: each piece is an hour's own file, and several may be read at once. False: each has landed before the next is asked for."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of this machine that it reads; none: it asks somebody else."""

    def offers(self, landed: Landings) -> Iterable[Piece | Trouble]:
        """Every piece that the source has now, oldest first; one that has landed may be among them if pieces are hours."""


Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """A kind of source that a workload reads: its word in the setting EVENTS and on the command line."""

    name: str
    summary: str
    make: Callable[[str, Span, Clock], tuple[Source, ...]]
    """Makes the sources from what follows the word. Touches nothing: what is not there is found when it is read."""
    takes: str = ""
    """What follows the word, as a shell shows it; empty: nothing does."""
    takes_help: str = ""
    takes_many: bool = False
    """Several may follow, separated by commas."""
    by_hour: bool = False
    environment: tuple[str, ...] = ()
    """Variables that it reads beside the settings, such as a token's."""


def open_sources(
    kinds: Sequence[SourceKind], location: str, *, span: Span, clock: Clock = utc_now
) -> tuple[Source, ...]:
    """Return the sources that a setting names: `kind:what` or, for the first kind, just what; several are separated by `;`.

    Those of a kind that takes many are one source: what it knows of its past is of all that it was asked for.
    """
    if not (asked := [word.strip() for word in location.split(SEPARATOR) if word.strip()]):
        raise DataError(f"events from nowhere: give {_known(kinds)}")
    joined: dict[object, tuple[SourceKind, str]] = {}
    for at, (kind, what) in enumerate(_read(kinds, word) for word in asked):
        key = kind.name if kind.takes_many else at
        joined[key] = (kind, f"{joined[key][1]},{what}" if key in joined else what)
    return tuple(source for kind, what in joined.values() for source in kind.make(what, span, clock))


def _read(kinds: Sequence[SourceKind], word: str) -> tuple[SourceKind, str]:
    name, _, rest = word.partition(":")
    named = next((kind for kind in kinds if kind.name == name.strip()), None)
    kind, what = (named, rest.strip()) if named else (kinds[0], word)
    if bool(what) != bool(kind.takes):
        raise DataError(
            f"events from `{word}`: {kind.name} takes {kind.takes or 'nothing more'}; known: {_known(kinds)}"
        )
    return kind, what


def _known(kinds: Sequence[SourceKind]) -> str:
    return ", ".join(f"`{kind.name}:{kind.takes}`" if kind.takes else f"`{kind.name}`" for kind in kinds)


def _parse_hour(text: str, *, last: bool) -> datetime | None:
    if not text:
        return None
    day, hour = text[:10], text[10:].removesuffix("Z").removesuffix(":00").lstrip("T- ")
    try:
        parsed = date.fromisoformat(day)
        number = int(hour) if hour else 23 if last else 0
        return datetime(parsed.year, parsed.month, parsed.day, number, tzinfo=UTC)
    except ValueError as error:
        raise DataError(f"`{text}` is no hour: write 2026-01-31 or 2026-01-31T05 (UTC)") from error


EVERYTHING: Final = Span()
__all__ = [
    "EVERYTHING",
    "SEPARATOR",
    "Arrival",
    "Clock",
    "Landings",
    "Piece",
    "Source",
    "SourceKind",
    "Span",
    "Trouble",
    "open_sources",
    "utc_now",
]
