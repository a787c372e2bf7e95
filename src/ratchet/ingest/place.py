"""Places beside this machine's own disk: a folder that others mount, or a bucket."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from ratchet.contracts.errors import DataError
from ratchet.contracts.folders import on_this_machine
from ratchet.contracts.place import ChangedError, Kept, Place
from ratchet.ingest.durable import exclusive, make_folder, sync

_LOCK: Final = ".lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Where gold and silver are kept besides this machine's own home; None: nowhere else."""

    gold: Place | None = None
    silver: Place | None = None


class Folder:
    """A folder. What begins with a dot is not there yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def location(self) -> str:
        """The folder's path."""
        return str(self._folder)

    def under(self, name: str) -> Self:
        """A folder within."""
        place = copy(self)
        place._folder = self._folder / name  # noqa: SLF001  # it is one of us
        return place

    def listing(self) -> dict[str, Kept]:
        """Every file, by its path relative to here."""
        paths = [path.relative_to(self._folder) for path in self._folder.rglob("*") if path.is_file()]
        names = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
        return {path.as_posix(): self._kept(self._folder / path) for path in names}

    def put(self, path: Path, name: str) -> Kept:
        """Copy a file, sync it and rename it into its place."""
        target = self._folder / name
        make_folder(target.parent)
        arriving = target.with_name(f".{target.name}.arriving")
        shutil.copyfile(path, arriving)
        self._settle(arriving, target)
        return self._kept(target)

    def fetch(self, name: str, path: Path) -> None:
        """Copy a file to here."""
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._folder / name, path)

    def read(self, name: str) -> tuple[bytes, str] | None:
        """A small file and its tag; None if there is none."""
        try:
            return (self._folder / name).read_bytes(), self._kept(self._folder / name).tag
        except FileNotFoundError:
            return None

    def replace(self, name: str, content: bytes, *, known: str) -> str:
        """Write a small file unless it is no longer the one of this tag."""
        target = self._folder / name
        make_folder(target.parent)
        with exclusive(target.parent / _LOCK):
            found = self.read(name)
            if (found[1] if found else "") != known:
                raise ChangedError(f"{target}: it has changed")
            arriving = target.with_name(f".{target.name}.arriving")
            arriving.write_bytes(content)
            self._settle(arriving, target)
            return self._kept(target).tag

    def delete(self, name: str) -> None:
        """Have a file gone, and folders that held nothing else."""
        path = self._folder / name
        path.unlink(missing_ok=True)
        for folder in path.relative_to(self._folder).parents[:-1]:
            try:
                (self._folder / folder).rmdir()
            except OSError:
                return

    @staticmethod
    def _kept(path: Path) -> Kept:
        found = path.stat()
        at = datetime.fromtimestamp(found.st_mtime, UTC)
        return Kept(bytes=found.st_size, tag=f"{found.st_mtime_ns}-{found.st_size}", at=at)

    @staticmethod
    def _settle(arriving: Path, target: Path) -> None:
        sync(arriving)
        arriving.replace(target)
        sync(target.parent)


def open_place(location: str, *, kms_key: str = "") -> Place | None:
    """The place that a setting names: a folder, `s3://bucket/prefix` (encrypted by `kms_key`), or None if it is empty."""
    if not location:
        return None
    if location.startswith("s3://"):
        from ratchet.bucket import Bucket  # noqa: PLC0415  # a folder needs no S3 client

        with errors(""):
            return Bucket(location, kms_key=kms_key)
    return Folder(on_this_machine(location).resolve())


@contextmanager
def errors(what: str) -> Iterator[None]:
    """What a place raises, as a `DataError` that begins with `what` could not be done."""
    try:
        yield
    except ChangedError as error:
        raise DataError(f"{what}{error}: another machine writes there at this moment; run it again") from error
    except OSError as error:
        raise DataError(f"{what}{error}") from error
