"""Bronze in a bucket: raw files as objects, each manifest here and as a copy there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from ratchet.contracts.errors import DataError, SourceError
from ratchet.contracts.release import file_digest
from ratchet.ingest.bronze import settle
from ratchet.ingest.durable import exclusive, make_folder, replace_text, sync
from ratchet.ingest.manifest import NAME, Landed

_PART_BYTES: Final = 16 << 20
_CHECKSUM: Final = "CRC32"  # S3 checks it for every part and for the whole object
_ETAG: Final = ".manifest.etag"
_ABSENT: Final = {"404", "NoSuchKey", "NotFound"}
_CHANGED: Final = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


class BucketBronze:
    """Bronze at `s3://bucket/prefix`, found with boto3's usual chain of credentials and addresses.

    An object appears there whole or not at all, and counts only once the manifest names it. A copy of each file stays
    in `folder` until `forget_copy`, because the warehouse reads it next. One machine lands at a time.
    """

    def __init__(self, location: str, *, folder: Path, part_bytes: int = _PART_BYTES) -> None:
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        if not bucket:
            raise DataError(f"bronze at `{location}`: write s3://bucket/prefix")
        self.folder = folder
        self._bucket, self._prefix = bucket, prefix.strip("/")
        self._transfer = TransferConfig(
            multipart_threshold=part_bytes, multipart_chunksize=part_bytes, max_concurrency=2
        )
        self._s3 = boto3.client("s3")

    def begin(self, source: str) -> None:
        """Take over rows that were written elsewhere; a `DataError` if both sides have rows that the other lacks."""
        place = self.folder / source
        make_folder(place)
        with exclusive(place / ".lock"):
            self._reconcile(source)

    def keep(self, arriving: Path, source: str, file: str) -> None:
        """Upload the file, several parts of it at a time, check what S3 says it has, and keep a copy here."""
        key, size = self._key(source, file), arriving.stat().st_size
        with _errors(f"s3://{self._bucket}/{key}"):
            self._s3.upload_file(
                str(arriving), self._bucket, key, Config=self._transfer, ExtraArgs={"ChecksumAlgorithm": _CHECKSUM}
            )
            kept = self._s3.head_object(Bucket=self._bucket, Key=key)["ContentLength"]
        if kept != size:
            raise DataError(f"s3://{self._bucket}/{key}: {size} bytes went up, {kept} are there")
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
        with _errors(f"s3://{self._bucket}/{self._key(entry.source, entry.file)}"):
            self._s3.download_file(self._bucket, self._key(entry.source, entry.file), str(arriving))
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
        with _errors(f"s3://{self._bucket}/{self._key(source, NAME)}"):
            found = self._get_manifest(source, unless=known.read_text() if known.exists() else "")
        if found is None:
            return
        there, etag = found
        here = _whole_lines(self.folder / source / NAME)
        if not here.startswith(there):
            if not there.startswith(here):
                raise DataError(
                    f"bronze s3://{self._bucket}/{self._key(source, NAME)}: another machine lands there too and knows other files; "
                    f"let one of them land, and give the others an empty {self.folder / source}"
                )
            replace_text(self.folder / source / NAME, there.decode())
        replace_text(known, etag)

    def _get_manifest(self, source: str, *, unless: str) -> tuple[bytes, str] | None:
        """The manifest in the bucket and its ETag; None if there is none, or if it is the one that is known."""
        asked: dict[str, Any] = {"Bucket": self._bucket, "Key": self._key(source, NAME)}
        try:
            answer = self._s3.get_object(**asked, **({"IfNoneMatch": unless} if unless else {}))
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT | {"304", "NotModified"}:
                return None
            raise
        return answer["Body"].read(), str(answer["ETag"])

    def _upload_manifest(self, source: str, text: bytes) -> None:
        known = self.folder / source / _ETAG
        condition = {"IfMatch": known.read_text()} if known.exists() else {"IfNoneMatch": "*"}
        try:
            with _errors(f"s3://{self._bucket}/{self._key(source, NAME)}"):
                answer = self._s3.put_object(
                    Bucket=self._bucket,
                    Key=self._key(source, NAME),
                    Body=text,
                    ChecksumAlgorithm=_CHECKSUM,
                    **condition,
                )
        except SourceError as error:
            if isinstance(error.__cause__, ClientError) and error.__cause__.response["Error"]["Code"] in _CHANGED:
                raise DataError(f"{error}: another machine lands there at this moment; run it again") from error
            raise
        replace_text(known, str(answer["ETag"]))

    def _key(self, source: str, file: str) -> str:
        return "/".join(word for word in (self._prefix, source, file) if word)


def _whole_lines(path: Path) -> bytes:
    if not path.exists():
        return b""
    text = path.read_bytes()
    return text[: text.rfind(b"\n") + 1]


@contextmanager
def _errors(name: str) -> Iterator[None]:
    """What boto3 raises, as ours, with the object's name."""
    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise SourceError(f"{name}: {error}") from error
