"""Hour files, `YYYY-MM-DD-H.<suffix>`, in a folder of this machine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import NotThereError, SourceError
from ratchet.contracts.source import EVERYTHING, Arrival, Clock, Landings, Piece, Span

SUFFIX: Final = "json.gz"
HOUR: Final = timedelta(hours=1)
PUBLISHED_AFTER: Final = timedelta(minutes=5)
"""How long after its end an hour's file may still be written."""
_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HourFolder:
    """A folder of hour files; other files in it are left alone."""

    name: str
    folder: Path
    suffix: str = SUFFIX
    span: Span = EVERYTHING
    clock: Clock | None = None
    """Says which hours are over; None: all are, as in what ships with the workload."""
    by_hour: bool = field(default=True, init=False)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The one that it reads."""
        return (self.folder,)

    def hours(self) -> Sequence[datetime]:
        """List the hours of the span that are over and have a file, oldest first; a `SourceError` if the folder is not there."""
        if not self.folder.is_dir():
            raise SourceError(
                f"{self.name}: no such folder: `{self.folder}`; give a folder of files YYYY-MM-DD-H.{self.suffix}"
            )
        found = (parse_hour(path.name, suffix=self.suffix) for path in self.folder.glob(f"*.{self.suffix}"))
        last = newest_whole_hour(self.clock()) if self.clock else None
        return sorted(hour for hour in found if hour and self.span.holds(hour) and (last is None or hour <= last))

    def offers(self, landed: Landings) -> Iterator[Piece]:  # noqa: ARG002  # the folder says it all
        """Offer a piece for each hour that has a file."""
        for hour in self.hours():
            yield Piece(hour=hour, file=bronze_file(hour, suffix=self.suffix), open=partial(self._open, hour))

    def _open(self, hour: datetime, _start: int, _version: str) -> Arrival:
        return Arrival(chunks=_read(self.folder / file_name(hour, suffix=self.suffix)))


def newest_whole_hour(now: datetime) -> datetime:
    """Return the last hour that is over for good: what there is of a later one may look whole and is not."""
    return (now - PUBLISHED_AFTER).replace(minute=0, second=0, microsecond=0) - HOUR


def file_name(hour: datetime, *, suffix: str = SUFFIX) -> str:
    """Return GH Archive's name of an hour's file."""
    return f"{hour:%Y-%m-%d}-{hour.hour}.{suffix}"


def bronze_file(hour: datetime, *, suffix: str = SUFFIX) -> str:
    """Return where an hour's file lies in its source's bronze."""
    return f"{hour:%Y-%m-%d}/{hour.hour}.{suffix}"


def parse_hour(name: str, *, suffix: str = SUFFIX) -> datetime | None:
    """Return the hour that a file is named after; None for any other name."""
    day, _, hour = name.removesuffix(f".{suffix}").rpartition("-")
    try:
        parsed = datetime.strptime(f"{day} {int(hour):02d}", "%Y-%m-%d %H").replace(tzinfo=UTC)
    except ValueError:
        return None
    # Names written otherwise (`2015-1-1-00`) are not GH Archive's: reading them back by hour would miss the file.
    return parsed if name == file_name(parsed, suffix=suffix) else None


def _read(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk
    except FileNotFoundError as error:
        raise NotThereError(f"{path} is not there any more") from error
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}", lasting=True) from error
