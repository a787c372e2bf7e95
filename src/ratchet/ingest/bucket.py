"""Bronze in a bucket: raw files as objects, each manifest here and as a copy there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ratchet.bucket import PART_BYTES, Bucket
from ratchet.contracts.errors import DataError, SourceError
from ratchet.contracts.place import ChangedError
from ratchet.contracts.release import file_digest
from ratchet.ingest.bronze import settle
from ratchet.ingest.durable import exclusive, make_folder, replace_text, sync
from ratchet.ingest.manifest import NAME, Landed

_PARTS_AT_ONCE: Final = 2  # hours land side by side
_ETAG: Final = ".manifest.etag"


class BucketBronze:
    """Bronze at `s3://bucket/prefix`.

    An object counts only once the manifest names it. A copy of each file stays in `folder` until `forget_copy`, because
    the warehouse reads it next. One machine lands at a time.
    """

    def __init__(self, location: str, *, folder: Path, part_bytes: int = PART_BYTES, kms_key: str = "") -> None:
        self.folder = folder
        try:
            self._bucket = Bucket(location, part_bytes=part_bytes, parts_at_once=_PARTS_AT_ONCE, kms_key=kms_key)
        except OSError as error:
            raise DataError(f"bronze at {error}") from error

    def begin(self, source: str) -> None:
        """Take over rows that were written elsewhere; a `DataError` if both sides have rows that the other lacks."""
        place = self.folder / source
        make_folder(place)
        with exclusive(place / ".lock"):
            self._reconcile(source)

    def keep(self, arriving: Path, source: str, file: str) -> None:
        """Upload the file, several parts of it at a time, and keep a copy here."""
        with _errors():
            self._bucket.put(arriving, f"{source}/{file}")
        settle(arriving, self.folder / source / file)

    def finish(self, source: str) -> None:
        """Put a copy of the manifest into the bucket, unless another machine has put one there meanwhile."""
        with exclusive(self.folder / source / ".lock"):
            self._reconcile(source)
            text = _whole_lines(self.folder / source / NAME)
            if text:
                self._upload_manifest(source, text)

    def path_for_reading(self, entry: Landed) -> Path:
        """The copy on this machine, downloaded whole and checked against its SHA-256 if it is not there."""
        path = self.folder / entry.source / entry.file
        if path.is_file() and path.stat().st_size == entry.bytes:
            return path
        arriving = path.with_name(f".{path.name}.fetched-{os.getpid()}")
        make_folder(path.parent)
        with _errors():
            self._bucket.fetch(f"{entry.source}/{entry.file}", arriving)
        if (digest := file_digest(arriving)) != entry.sha256:
            arriving.unlink()
            raise DataError(
                f"bronze {entry.source} {entry.file}: landed with SHA-256 {entry.sha256[:12]}…, the bucket has {digest[:12]}…"
            )
        sync(arriving)
        settle(arriving, path)
        return path

    def forget_copy(self, entry: Landed) -> None:
        """Remove the copy; `path_for_reading` fetches it again."""
        (self.folder / entry.source / entry.file).unlink(missing_ok=True)

    def _reconcile(self, source: str) -> None:
        known = self.folder / source / _ETAG
        with _errors():
            found = self._bucket.read(f"{source}/{NAME}", unless=known.read_text() if known.exists() else "")
        if found is None:
            return
        there, etag = found
        here = _whole_lines(self.folder / source / NAME)
        if not here.startswith(there):
            if not there.startswith(here):
                raise DataError(
                    f"bronze {self._bucket.location}/{source}/{NAME}: another machine lands there too and knows other files; "
                    f"let one of them land, and give the others an empty {self.folder / source}"
                )
            replace_text(self.folder / source / NAME, there.decode())
        replace_text(known, etag)

    def _upload_manifest(self, source: str, text: bytes) -> None:
        known = self.folder / source / _ETAG
        with _errors():
            tag = self._bucket.replace(f"{source}/{NAME}", text, known=known.read_text() if known.exists() else "")
        replace_text(known, tag)


def _whole_lines(path: Path) -> bytes:
    if not path.exists():
        return b""
    text = path.read_bytes()
    return text[: text.rfind(b"\n") + 1]


@contextmanager
def _errors() -> Iterator[None]:
    """What a bucket raises, as ours."""
    try:
        yield
    except ChangedError as error:
        raise DataError(f"{error}: another machine lands there at this moment; run it again") from error
    except OSError as error:
        raise SourceError(str(error)) from error
