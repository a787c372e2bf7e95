"""One piece onto this machine: resumed where it broke off, hashed, known to be whole, on disk."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from isal import isal_zlib

from ratchet.contracts.errors import DamagedError, SourceError
from ratchet.contracts.source import Piece

_MAGIC: Final = b"\x1f\x8b"
_SHOWN: Final = 60
_GZIP: Final = 31  # zlib's window bits for a stream with gzip's header and checksum
_CHUNK_BYTES: Final = 1 << 20
_TRIES: Final = 5
_FIRST_WAIT_SECONDS: Final = 1.0
_LONGEST_WAIT_SECONDS: Final = 120.0


def arriving_path(folder: Path, piece: Piece) -> Path:
    """Where the piece arrives: a hidden name beside its own."""
    path = folder / piece.file
    return path.with_name(f".{path.name}.arriving")


def receive(
    piece: Piece, arriving: Path, *, heard: Callable[[int], None], sleep: Callable[[float], None]
) -> tuple[int, str]:
    """Bring the whole piece to `arriving`, on disk when this returns; its size and SHA-256.

    A transfer that breaks goes on where it broke, after a wait that doubles, up to five times without a step forward.
    What arrived stays for a later run. A `DamagedError` says that the source gave no whole file; it stays as it came.
    """
    tries = 0
    while True:
        before = _reached(arriving)[0]
        try:
            return _attempt(piece, arriving, heard)
        except DamagedError:
            if not before:
                raise
            _begin(
                arriving, ""
            )  # a part of another content, or one that a power cut spoilt: once more, from the beginning
        except SourceError as error:
            tries = 1 if _reached(arriving)[0] > before else tries + 1
            if error.lasting or tries >= _TRIES:
                raise
            sleep(max(_FIRST_WAIT_SECONDS * 2 ** (tries - 1), min(error.wait_seconds, _LONGEST_WAIT_SECONDS)))


def forget(arriving: Path) -> None:
    """Remove what has arrived and what is known of it."""
    arriving.unlink(missing_ok=True)
    _version_path(arriving).unlink(missing_ok=True)


def _attempt(piece: Piece, arriving: Path, heard: Callable[[int], None]) -> tuple[int, str]:
    have, version = _reached(arriving)
    arrival = piece.open(have, version)
    if arrival.start != have or not have:
        have = 0
        _begin(arriving, arrival.version)
    whole = _Whole(piece)
    for chunk in _chunks(arriving):
        whole.add(chunk)
    with arriving.open("ab") as stream:
        for chunk in arrival.chunks:
            stream.write(chunk)
            whole.add(chunk)
            heard(len(chunk))
        stream.flush()
        os.fsync(stream.fileno())
    whole.finish()
    return whole.size, whole.digest.hexdigest()


def _reached(arriving: Path) -> tuple[int, str]:
    """How many bytes have arrived, and of which version; 0 if they are of none, because nobody could go on there."""
    try:
        version = _version_path(arriving).read_text(encoding="utf-8")
        return (arriving.stat().st_size, version) if version else (0, "")
    except FileNotFoundError:
        return 0, ""


def _begin(arriving: Path, version: str) -> None:
    # In this order: bytes are never beside the version of another content.
    arriving.write_bytes(b"")
    if version or _version_path(arriving).exists():
        _version_path(arriving).write_text(version, encoding="utf-8")


def _version_path(arriving: Path) -> Path:
    return arriving.with_name(f"{arriving.name}.version")


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk


class _Whole:
    """Size and hash of what was added, and whether it ends where a gzip member ends."""

    def __init__(self, piece: Piece) -> None:
        self.size = 0
        self.digest = hashlib.sha256()
        self._unpack = isal_zlib.decompressobj(_GZIP) if piece.file.endswith(".gz") else None

    def add(self, chunk: bytes) -> None:
        if self._unpack and not self.size and not _MAGIC.startswith(chunk[:2]):
            shown = " ".join(chunk[:_SHOWN].decode("ascii", "replace").split())
            raise DamagedError(f"damaged gzip: it begins with `{shown}`")
        self.size += len(chunk)
        self.digest.update(chunk)
        if self._unpack:
            try:
                self._unpack = _unpacked(self._unpack, chunk)
            except isal_zlib.error as error:  # type: ignore[misc]  # its stubs take the class for an instance
                raise DamagedError(f"damaged gzip ({error})") from error

    def finish(self) -> None:
        if self._unpack and not self._unpack.eof:
            self._unpack.flush()  # what was held back to keep each piece bounded
        if self._unpack and not self._unpack.eof:
            raise DamagedError("truncated gzip")


def _unpacked(unpack: isal_zlib.Decompress, chunk: bytes) -> isal_zlib.Decompress:
    """Return the state after `chunk`: a file may hold several members, and bounded pieces keep a bomb out of memory."""
    while chunk:
        if unpack.eof:
            unpack = isal_zlib.decompressobj(_GZIP)
        unpack.decompress(chunk, _CHUNK_BYTES)
        chunk = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
    return unpack
