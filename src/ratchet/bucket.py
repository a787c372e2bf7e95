"""Releases in S3: folders go up and come down whole. Credentials, region and endpoint are found as boto3 always finds them.

Failures leave as `OSError`, like those of a disk, so that who stores a release need not know where it lies.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

PART_BYTES: Final = 16 << 20
CHECKSUM: Final = "CRC32"  # S3 compares it for every part and for the whole object
_PATIENCE: Final = Config(
    retries={"mode": "standard", "max_attempts": 5},
    connect_timeout=5,
    read_timeout=30,
    max_pool_connections=8,
)


class Bucket:
    """One bucket and a prefix in it, named as `s3://bucket/prefix`."""

    def __init__(self, location: str, *, part_bytes: int = PART_BYTES, kms_key: str = "") -> None:
        address = urlsplit(location)
        if address.scheme != "s3" or not address.netloc:
            raise OSError(f"{location}: write s3://bucket/prefix")
        self.location = location
        self._bucket, self._prefix = address.netloc, address.path.strip("/")
        self._transfer = TransferConfig(multipart_threshold=part_bytes, multipart_chunksize=part_bytes)
        self._encryption = _encryption(kms_key)
        with _as_os_error(location):
            self._s3 = boto3.client("s3", config=_PATIENCE)

    def upload(self, folder: Path, *, last: str) -> None:
        """Put every file of the folder there, the one named `last` after all others: where it is, nothing is missing."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in sorted(paths, key=lambda path: path == folder / last):
            key = self._key(path.relative_to(folder).as_posix())
            with _as_os_error(f"s3://{self._bucket}/{key}"):
                arguments = {"ChecksumAlgorithm": CHECKSUM, **self._encryption}
                self._s3.upload_file(str(path), self._bucket, key, ExtraArgs=arguments, Config=self._transfer)
                kept = self._s3.head_object(Bucket=self._bucket, Key=key)["ContentLength"]
            if kept != path.stat().st_size:
                raise OSError(f"s3://{self._bucket}/{key}: {path.stat().st_size} bytes went up, {kept} are there")

    def download(self, target: Path, *, last: str, wanted: Callable[[str], bool] = lambda _: True) -> None:
        """Bring what is wanted of it into a new folder; `OSError` if the file that is uploaded last is not there yet."""
        names = [name for name in self.names() if wanted(name)]
        if last not in names:
            raise OSError(f"{self.location}: {last} is not there: this was never uploaded to its end")
        for name in names:
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with _as_os_error(f"{self.location}/{name}"):
                self._s3.download_file(self._bucket, self._key(name), str(path), Config=self._transfer)

    def read(self, name: str) -> bytes | None:
        """One small object; None if it is not there."""
        with _as_os_error(f"{self.location}/{name}"):
            try:
                body: bytes = self._s3.get_object(Bucket=self._bucket, Key=self._key(name))["Body"].read()
            except self._s3.exceptions.NoSuchKey:
                return None
        return body

    def clear(self, *, first: str) -> None:
        """Delete every object under the prefix, the one named `first` before all others: what lacks it counts as never uploaded."""
        names = sorted(self.names(), key=lambda name: name != first)
        for name in names:
            with _as_os_error(f"{self.location}/{name}"):
                self._s3.delete_object(Bucket=self._bucket, Key=self._key(name))

    def probe(self) -> None:
        """Write, read and delete a small object: `OSError` with S3's own words if one of them is refused."""
        key = self._key(f".doctor-{os.getpid()}")
        with _as_os_error(f"s3://{self._bucket}/{key}"):
            self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=b"ratchet", ChecksumAlgorithm=CHECKSUM, **self._encryption
            )
            self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def names(self) -> Iterator[str]:
        """Every object under the prefix, relative to it; a name that would leave the folder is refused."""
        root = f"{self._prefix}/" if self._prefix else ""
        with _as_os_error(self.location):
            pages = list(self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=root))
        for found in (found for page in pages for found in page.get("Contents", [])):
            name = found["Key"].removeprefix(root)
            if name.endswith("/"):
                continue  # a console makes such empty objects as folders
            if ".." in PurePosixPath(name).parts or name.startswith("/"):
                raise OSError(f"s3://{self._bucket}/{found['Key']} cannot name a file of a release")
            yield name

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name


def _encryption(kms_key: str) -> dict[str, Any]:
    """Said with every upload, so that no bucket's default decides."""
    if kms_key:
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key}
    return {"ServerSideEncryption": "AES256"}


@contextmanager
def _as_os_error(name: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise OSError(f"{name}: {error}") from error
