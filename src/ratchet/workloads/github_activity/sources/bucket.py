"""Hour files in an S3 bucket, found with boto3's usual chain of credentials and addresses."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ratchet.contracts.errors import NotThereError, SourceError
from ratchet.contracts.source import EVERYTHING, Arrival, Clock, Landings, Piece, Span, utc_now
from ratchet.workloads.github_activity.sources.hours import bronze_file, file_name, newest_whole_hour, parse_hour

_CHUNK_BYTES: Final = 1 << 20
_ABSENT: Final = {"404", "NoSuchKey", "NoSuchBucket"}
_OTHER: Final = {"412", "PreconditionFailed", "416", "InvalidRange"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HourBucket:
    """A bucket and prefix with hour files; other objects are left alone."""

    name: str
    address: str
    """`s3://bucket/prefix`"""
    span: Span = EVERYTHING
    clock: Clock = utc_now
    by_hour: bool = field(default=True, init=False)
    folders: tuple[()] = field(default=(), init=False)

    def offers(self, landed: Landings) -> Iterator[Piece]:  # noqa: ARG002  # the bucket says it all
        """Offer a piece for each hour of the span that is over and has an object, oldest first."""
        with _errors(self.address):
            s3 = boto3.client("s3")
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            keys = [content["Key"] for page in pages for content in page.get("Contents", ())]
        found = (parse_hour(key.removeprefix(self._prefix)) for key in keys)
        last = newest_whole_hour(self.clock())
        for hour in sorted(hour for hour in found if hour and hour <= last and self.span.holds(hour)):
            yield Piece(hour=hour, file=bronze_file(hour), open=partial(self._open, s3, hour))

    @property
    def _bucket(self) -> str:
        return self.address.removeprefix("s3://").partition("/")[0]

    @property
    def _prefix(self) -> str:
        prefix = self.address.removeprefix("s3://").partition("/")[2].strip("/")
        return f"{prefix}/" if prefix else ""

    def _open(self, s3: Any, hour: datetime, start: int, version: str) -> Arrival:  # noqa: ANN401  # boto3 makes its clients' types as it runs
        place = {"Bucket": self._bucket, "Key": self._prefix + file_name(hour)}
        resumed = {"Range": f"bytes={start}-", "IfMatch": version} if start and version else {}
        try:
            answer = s3.get_object(**place, **resumed)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if resumed and code in _OTHER:  # it has changed, or it was all there already and nobody noted it
                return self._open(s3, hour, 0, "")
            if code in _ABSENT:
                raise NotThereError(f"s3://{place['Bucket']}/{place['Key']} is not there") from error
            raise SourceError(f"s3://{place['Bucket']}/{place['Key']}: {error}") from error
        except BotoCoreError as error:
            raise SourceError(f"s3://{place['Bucket']}/{place['Key']}: {error}") from error
        return Arrival(
            chunks=_chunks(answer["Body"], place["Key"]), start=start if resumed else 0, version=answer["ETag"]
        )


def _chunks(body: Any, key: str) -> Iterator[bytes]:  # noqa: ANN401  # boto3 makes its types as it runs
    with _errors(key):
        yield from body.iter_chunks(_CHUNK_BYTES)


@contextmanager
def _errors(name: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise SourceError(f"{name}: {error}") from error
