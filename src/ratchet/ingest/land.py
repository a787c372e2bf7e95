"""Source to bronze: each hour once, exactly as received."""

import hashlib
import os
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ratchet.contracts.errors import DataError
from ratchet.contracts.workload import Source
from ratchet.ingest import manifest
from ratchet.ingest.durable import exclusive, sync

_GZIP = 31  # zlib's window bits for a stream with gzip's header and checksum
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LandReport:
    """What one call of `land` found and did."""

    source: str
    already: int
    landed: int
    bytes: int
    seconds: float


def land(
    source: Source,
    *,
    bronze: Path,
    progress: Callable[[int, int], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> LandReport:
    """Bring every hour that the source offers into bronze; killed at any step and run again, it goes on where it was.

    `progress` hears (hours done, hours to do) after each one. An hour that is no whole gzip file is refused by name
    with a `DataError`; the hours before it stay landed.
    """
    folder, started, received = bronze / source.name, clock(), 0
    with exclusive(folder / ".lock"):
        manifest.mend(folder)
        known = {landed.hour for landed in manifest.read(folder)}
        missing = [hour for hour in source.hours() if hour not in known]
        for done, hour in enumerate(missing, start=1):
            landed = _land_hour(source, hour, folder, clock)
            manifest.append(folder, landed)
            received += landed.bytes
            if progress:
                progress(done, len(missing))
    return LandReport(
        source=source.name, already=len(known), landed=len(missing), bytes=received, seconds=clock() - started
    )


def _land_hour(source: Source, hour: datetime, folder: Path, clock: Callable[[], float]) -> manifest.Landed:
    started = clock()
    path = folder / f"{hour:%Y-%m-%d}" / f"{hour.hour}.{source.suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    arriving = path.with_name(f".{path.name}.arriving")
    try:
        size, digest = _receive(_checked(source, hour), arriving)
        arriving.replace(path)
        sync(path.parent)
    finally:
        arriving.unlink(missing_ok=True)
    file = path.relative_to(folder).as_posix()
    return manifest.Landed(
        source=source.name, hour=hour, file=file, bytes=size, sha256=digest, seconds=round(clock() - started, 6)
    )


def _receive(chunks: Iterator[bytes], path: Path) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with path.open("wb") as stream:
        for chunk in chunks:
            stream.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        stream.flush()
        os.fsync(stream.fileno())
    return size, digest.hexdigest()


def _checked(source: Source, hour: datetime) -> Iterator[bytes]:
    chunks = source.read(hour)
    if not source.suffix.endswith(".gz"):
        return chunks
    return _whole_gzip(chunks, f"{source.name} {hour:%Y-%m-%d} hour {hour.hour}")


def _whole_gzip(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Pass the chunks through; a `DataError` if they do not end where a gzip member ends."""
    unpack = zlib.decompressobj(_GZIP)
    for chunk in chunks:
        try:
            unpack = _unpacked(unpack, chunk)
        except zlib.error as error:
            raise DataError(f"{name}: damaged gzip ({error}); replace or remove the file, then land again") from error
        yield chunk
    if not unpack.eof:
        raise DataError(f"{name}: truncated gzip; replace or remove the file, then land again")


def _unpacked(unpack: "zlib._Decompress", chunk: bytes) -> "zlib._Decompress":
    """Return the state after `chunk`: a file may hold several members, and bounded pieces keep a bomb out of memory."""
    while chunk:
        if unpack.eof:
            unpack = zlib.decompressobj(_GZIP)
        unpack.decompress(chunk, _PIECE_BYTES)
        chunk = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
    return unpack
