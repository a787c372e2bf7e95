"""A place in S3. Credentials, region and endpoint are found as boto3 always finds them.

Failures leave as `OSError`, like those of a disk, so that who stores something need not know where it lies.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from pathlib import Path, PurePosixPath
from typing import Any, Final, Self
from urllib.parse import urlsplit

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ratchet.contracts.place import ChangedError, Kept

PART_BYTES: Final = 16 << 20
CHECKSUM: Final = "CRC32"  # S3 compares it for every part and for the whole object
_PATIENCE: Final = Config(
    retries={"mode": "standard", "max_attempts": 5},
    connect_timeout=5,
    read_timeout=30,
    max_pool_connections=8,
)
_ABSENT: Final = {"404", "NoSuchKey", "NotFound"}
_KNOWN: Final = {"304", "NotModified"}
_CHANGED: Final = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


class Bucket:
    """One bucket and a prefix in it, named as `s3://bucket/prefix`. An object appears there whole or not at all."""

    def __init__(
        self, location: str, *, part_bytes: int = PART_BYTES, parts_at_once: int = 8, kms_key: str = ""
    ) -> None:
        address = urlsplit(location)
        if address.scheme != "s3" or not address.netloc:
            raise OSError(f"{location}: write s3://bucket/prefix")
        self._bucket, self._prefix = address.netloc, address.path.strip("/")
        self._transfer = TransferConfig(
            multipart_threshold=part_bytes, multipart_chunksize=part_bytes, max_concurrency=parts_at_once
        )
        self._written = {"ChecksumAlgorithm": CHECKSUM, **_encryption(kms_key)}
        with _as_os_error(location):
            self._s3 = boto3.client("s3", config=_PATIENCE)

    @property
    def location(self) -> str:
        """`s3://bucket/prefix`."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def under(self, name: str) -> Self:
        """A longer prefix in the same bucket."""
        place = copy(self)
        place._prefix = self._key(name)  # noqa: SLF001  # it is one of us
        return place

    def upload(self, folder: Path, *, last: str) -> None:
        """Put every file of the folder there, the one named `last` after all others: where it is, nothing is missing."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in sorted(paths, key=lambda path: path == folder / last):
            self.put(path, path.relative_to(folder).as_posix())

    def download(self, target: Path, *, last: str, wanted: Callable[[str], bool] = lambda _: True) -> None:
        """Bring what is wanted of it into a new folder; `OSError` if the file that is uploaded last is not there yet."""
        names = [name for name in self.listing() if wanted(name)]
        if last not in names:
            raise OSError(f"{self.location}: {last} is not there: this was never uploaded to its end")
        for name in names:
            self.fetch(name, target / name)

    def listing(self) -> dict[str, Kept]:
        """Every object under the prefix, relative to it; a name that would leave a folder is refused."""
        return dict(self._listing())

    def put(self, path: Path, name: str) -> Kept:
        """Upload a file in parts and compare what S3 says it has."""
        key = self._key(name)
        with self._errors(name):
            self._s3.upload_file(str(path), self._bucket, key, ExtraArgs=self._written, Config=self._transfer)
            head = self._s3.head_object(Bucket=self._bucket, Key=key)
        kept = Kept(bytes=head["ContentLength"], tag=head["ETag"], at=head["LastModified"])
        if kept.bytes != path.stat().st_size:
            raise OSError(f"{self._address(name)}: {path.stat().st_size} bytes went up, {kept.bytes} are there")
        return kept

    def fetch(self, name: str, path: Path) -> None:
        """Download an object in parts."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._errors(name):
            self._s3.download_file(self._bucket, self._key(name), str(path), Config=self._transfer)

    def read(self, name: str, *, unless: str = "") -> tuple[bytes, str] | None:
        """A small object and its ETag; None if there is none, or none but the one of the ETag `unless`."""
        asked: dict[str, Any] = {"IfNoneMatch": unless} if unless else {}
        with self._errors(name):
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=self._key(name), **asked)
                return answer["Body"].read(), str(answer["ETag"])
            except ClientError as error:
                if _code(error) in _ABSENT | _KNOWN:
                    return None
                raise

    def replace(self, name: str, content: bytes, *, known: str) -> str:
        """Write a small object if the one that is there has the ETag `known` (empty: if there is none). Its own ETag."""
        asked = {"IfMatch": known} if known else {"IfNoneMatch": "*"}
        with self._errors(name):
            try:
                answer = self._s3.put_object(
                    Bucket=self._bucket, Key=self._key(name), Body=content, **asked, **self._written
                )
                return str(answer["ETag"])
            except ClientError as error:
                if _code(error) not in _CHANGED | _ABSENT:
                    raise
                refused = error
        # An answer that was lost on its way is asked for again, and then it is our own object that stands in the way.
        found = self.read(name)
        if found and found[0] == content:
            return found[1]
        raise ChangedError(f"{self._address(name)}: {refused}") from refused

    def delete(self, name: str) -> None:
        """Delete an object, whether it is there or not."""
        with self._errors(name):
            self._s3.delete_object(Bucket=self._bucket, Key=self._key(name))

    def clear(self, *, first: str) -> None:
        """Delete every object under the prefix, the one named `first` before all others: what lacks it counts as never uploaded."""
        for name in sorted(self.listing(), key=lambda name: name != first):
            self.delete(name)

    def probe(self) -> None:
        """Write, read and delete a small object: `OSError` with S3's own words if one of them is refused."""
        name = f".doctor-{os.getpid()}"
        with self._errors(name):
            self._s3.put_object(Bucket=self._bucket, Key=self._key(name), Body=b"ratchet", **self._written)
            self._s3.get_object(Bucket=self._bucket, Key=self._key(name))["Body"].read()
            self._s3.delete_object(Bucket=self._bucket, Key=self._key(name))

    def _listing(self) -> Iterator[tuple[str, Kept]]:
        root = f"{self._prefix}/" if self._prefix else ""
        with _as_os_error(self.location):
            pages = list(self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=root))
        for found in (found for page in pages for found in page.get("Contents", [])):
            name = found["Key"].removeprefix(root)
            if name.endswith("/") or not name:
                continue  # a console makes such empty objects as folders
            if ".." in PurePosixPath(name).parts or name.startswith("/"):
                raise OSError(f"s3://{self._bucket}/{found['Key']} cannot name a file")
            yield name, Kept(bytes=found["Size"], tag=found["ETag"], at=found["LastModified"])

    def _errors(self, name: str) -> AbstractContextManager[None]:
        return _as_os_error(self._address(name))

    def _address(self, name: str) -> str:
        return f"s3://{self._bucket}/{self._key(name)}"

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name


def _encryption(kms_key: str) -> dict[str, Any]:
    """Said with every upload, so that no bucket's default decides."""
    if kms_key:
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key}
    return {"ServerSideEncryption": "AES256"}


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


@contextmanager
def _as_os_error(name: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise OSError(f"{name}: {error}") from error
