"""CSV histories of repositories: folders `owner__name` with a file per kind, as `git log` or an export leaves them."""

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import DamagedError, SourceError
from ratchet.contracts.source import Arrival, Clock, Landings, Piece, Trouble, utc_now

COLUMNS: Final = {
    "commits": "author_date",
    "issues": "created_at",
    "pull_requests": "created_at",
    "stargazers": "starred_at",
}
"""The files of a folder, and the one column that each must have."""
_CHUNK_BYTES: Final = 1 << 20
_GZIP: Final = 31
_HEADER_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvFolders:
    """Folders of folders. Each file is a whole snapshot: it lands when its content is not that of the newest landed one."""

    name: str
    folders: tuple[Path, ...]
    clock: Clock = utc_now
    by_hour: bool = field(default=False, init=False)

    def offers(self, landed: Landings) -> Iterator[Piece | Trouble]:
        """Offer each file that is new or has changed; at last a `SourceError` if there is no such file in one of the folders."""
        first, empty = _First(), []
        for folder in self.folders:
            files = [*_files(folder)]
            if not files:
                empty.append(f"`{folder}`")
            for repository, kind, path in files:
                if obstacle := first.obstacle(repository, kind, path):
                    yield Trouble(what="refused", name=f"{repository}/{kind}", reason=f"{path}: {obstacle}")
                elif offer := self._offer(repository, kind, path, landed):
                    yield offer
        if empty:
            names = "|".join(COLUMNS)
            raise SourceError(f"{self.name}: no file owner__name/({names}).csv, or .csv.gz, below {', '.join(empty)}")

    def _offer(self, repository: str, kind: str, path: Path, landed: Landings) -> Piece | Trouble | None:
        """The file, if its content is not that of the newest landed one, or why it is none."""
        part = f"{repository}/{kind}"
        try:
            if reason := _refusal(path, COLUMNS[kind]):
                return Trouble(what="damaged", name=part, reason=reason)
            digest = _digest(path)
        except DamagedError as error:
            return Trouble(what="damaged", name=part, reason=str(error))
        except OSError as error:
            return Trouble(what="failed", name=part, reason=f"{path}: {error.strerror}")
        return None if landed.cursor(part) == digest else self._piece(repository, kind, path, digest, landed)

    def _piece(self, repository: str, kind: str, path: Path, digest: str, landed: Landings) -> Piece:
        hour = self.clock().replace(minute=0, second=0, microsecond=0)
        at = landed.files(hour)  # the same content may come again within the hour, after another one
        return Piece(
            hour=hour,
            file=f"{hour:%Y-%m-%d}/{hour.hour}/{path.parent.name}/{kind}-{digest[:8]}{f'-{at}' if at else ''}.csv.gz",
            open=partial(_open, path, digest),
            part=f"{repository}/{kind}",
            cursor=digest,
        )


class _First:
    """Which files came first: of a history that is there twice each would supersede the other at every run."""

    def __init__(self) -> None:
        self._places: dict[str, Path] = {}
        self._files: dict[str, Path] = {}

    def obstacle(self, repository: str, kind: str, path: Path) -> str:
        """Why this file cannot count beside those that came before it; empty if it can."""
        place = self._places.setdefault(repository.lower(), path.parent)
        file = self._files.setdefault(f"{repository}/{kind}".lower(), path)
        if place.name != path.parent.name:
            return f"`{place}` is the same repository, for case makes no difference: put its files there"
        return "" if file == path else f"`{file}` is the same history, and only one of the two can count: remove one"


def _files(folder: Path) -> Iterator[tuple[str, str, Path]]:
    for place in sorted(folder.glob("?*__?*")):
        owner, _, name = place.name.partition("__")
        for kind in COLUMNS:
            either = place / f"{kind}.csv", place / f"{kind}.csv.gz"
            if path := next((path for path in either if path.is_file()), None):
                yield f"{owner}/{name}", kind, path


def _open(path: Path, digest: str, _start: int, _version: str) -> Arrival:
    return Arrival(chunks=_packed(path, digest))


def _packed(path: Path, digest: str) -> Iterator[bytes]:
    """Yield the file as gzip, the same bytes for the same content; a `SourceError` if it is not the content that was offered."""
    pack, read = zlib.compressobj(6, zlib.DEFLATED, _GZIP), hashlib.sha256()
    for chunk in _chunks(path):
        read.update(chunk)
        if packed := pack.compress(chunk):
            yield packed
    if read.hexdigest() != digest:
        raise SourceError(f"{path} changed while it was read", lasting=True)
    yield pack.flush()


def _refusal(path: Path, column: str) -> str:
    """Why this is no such table; empty if it is one. Rows are judged later, where each can be kept with its reason."""
    head = next(_chunks(path), b"")[:_HEADER_BYTES].removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    try:
        names = next(csv.reader(io.StringIO(head)), [])
    except csv.Error:  # such as lines that end as they did on old Macs, or what a spreadsheet program keeps
        return f"{path}: its first line is no CSV: save it as text, with commas and line feeds"
    found = ", ".join(names)[:200] or "nothing"
    return (
        ""
        if column in [name.strip() for name in names]
        else f"{path}: no column `{column}`; its first line has: {found}"
    )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    """The file's text, unpacked if it is packed; a `DamagedError` if it cannot be."""
    try:
        with _opened(path) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DamagedError(f"{path}: {error}") from error


def _opened(path: Path) -> io.BufferedIOBase:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")
