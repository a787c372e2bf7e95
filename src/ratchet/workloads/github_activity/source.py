"""Where events come from: a folder of GH Archive hour files, or the synthetic sample that ships with the workload."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import DataError
from ratchet.contracts.workload import Source

SAMPLE: Final = "sample"
SAMPLE_FOLDER: Final = Path(__file__).parent / "sample"

_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HourFolder:
    """A folder of files named `YYYY-MM-DD-H.<suffix>`; other files in it are left alone."""

    name: str
    folder: Path
    suffix: str = "json.gz"

    def hours(self) -> Sequence[datetime]:
        """List the hours that have a file, oldest first."""
        found = (
            _parse_hour(path.name.removesuffix(f".{self.suffix}")) for path in self.folder.glob(f"*.{self.suffix}")
        )
        return sorted(hour for hour in found if hour is not None)

    def read(self, hour: datetime) -> Iterator[bytes]:
        """Yield the file's bytes, at most 1 MiB at a time."""
        with (self.folder / f"{hour:%Y-%m-%d}-{hour.hour}.{self.suffix}").open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk


def sources(location: str) -> tuple[Source, ...]:
    """Return the sources behind the setting `EVENTS`: `sample`, or a folder of GH Archive hour files."""
    if location == SAMPLE:
        return (
            HourFolder(name="sample_history", folder=SAMPLE_FOLDER / "history", suffix="csv.gz"),
            HourFolder(name="sample_events", folder=SAMPLE_FOLDER / "events"),
        )
    if "://" in location:
        raise DataError(
            f"events from `{location}`: addresses are not supported yet; give `{SAMPLE}` or a folder of hour files"
        )
    folder = Path(location).expanduser()
    if not location or not folder.is_dir():
        raise DataError(
            f"events from `{location}`: no such folder; give `{SAMPLE}` or a folder of files YYYY-MM-DD-H.json.gz"
        )
    return (HourFolder(name="gharchive", folder=folder),)


def _parse_hour(stem: str) -> datetime | None:
    day, _, hour = stem.rpartition("-")
    try:
        parsed = datetime.strptime(f"{day} {int(hour):02d}", "%Y-%m-%d %H").replace(tzinfo=UTC)
    except ValueError:
        return None
    # Names written otherwise (`2015-1-1-00`) are not GH Archive's: reading them back by hour would miss the file.
    return parsed if stem == f"{parsed:%Y-%m-%d}-{parsed.hour}" else None
