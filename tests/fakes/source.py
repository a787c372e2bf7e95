"""`Source` in memory."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial

from ratchet.contracts.source import Arrival, Landings, Piece


class FakeSource:
    """`Source` in memory: `chunks` by hour; an exception among them is raised when the reader comes to it.

    With a version it can be resumed at any byte, and each exception is raised once.
    """

    def __init__(
        self,
        chunks: Mapping[datetime, Iterable[bytes | Exception]],
        *,
        name: str = "memory",
        suffix: str = "json.gz",
        version: str = "",
        by_hour: bool = True,
    ) -> None:
        self.name = name
        self.suffix = suffix
        self.version = version
        self.by_hour = by_hour
        self.folders = ()
        self.chunks = dict(chunks)
        self.reads: list[datetime] = []
        self.starts: list[int] = []
        self._raised: set[int] = set()

    def offers(self, landed: Landings) -> Iterator[Piece]:
        for hour in sorted(self.chunks):
            if self.by_hour or hour not in landed.hours():
                file = f"{hour:%Y-%m-%d}/{hour.hour}.{self.suffix}"
                yield Piece(hour=hour, file=file, open=partial(self._open, hour))

    def _open(self, hour: datetime, start: int, version: str) -> Arrival:
        self.reads.append(hour)
        start = start if version and version == self.version else 0
        self.starts.append(start)
        return Arrival(chunks=self._read(hour, start), start=start, version=self.version)

    def _read(self, hour: datetime, start: int) -> Iterator[bytes]:
        at = 0
        for chunk in self.chunks[hour]:
            if isinstance(chunk, Exception):
                if not self.version or id(chunk) not in self._raised:
                    self._raised.add(id(chunk))
                    raise chunk
                continue
            if at + len(chunk) > start:
                yield chunk[max(start - at, 0) :]
            at += len(chunk)
