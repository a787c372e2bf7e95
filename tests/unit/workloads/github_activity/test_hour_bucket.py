"""Hour files in a bucket, against a real S3 endpoint."""

import gzip
import random
from datetime import UTC, datetime

import pytest

from ratchet import workloads
from ratchet.contracts.errors import SourceError
from ratchet.contracts.source import Span
from ratchet.ingest import Pace, land
from ratchet.ingest.manifest import Manifest

CONTENT = gzip.compress(random.Random(1).randbytes(40_000), mtime=0)


def source(address: str, first: str = "", last: str = ""):
    (found,) = workloads.find("github_activity").sources(address, span=Span.parse(first, last))
    return found


def pace() -> Pace:
    return Pace(at_once=1, sleep=lambda _: None, now=lambda: datetime(2026, 2, 2, tzinfo=UTC))


@pytest.fixture
def filled(object_store):
    for key in ("2026-01-31-10", "2026-01-31-9", "2026-01-31-09", "deep/2026-01-31-8"):
        object_store.put_object(Bucket="events", Key=f"copy/{key}.json.gz", Body=CONTENT)
    object_store.put_object(Bucket="events", Key="2026-01-31-7.json.gz", Body=CONTENT)
    return object_store


@pytest.mark.usefixtures("filled")
def test_the_hour_files_below_the_prefix_land_in_order(tmp_path):
    found = [piece.file for piece in source("s3://events/copy/").offers(Manifest(tmp_path))]
    assert found == ["2026-01-31/9.json.gz", "2026-01-31/10.json.gz"]
    assert land(source("s3://events/copy"), bronze=tmp_path, pace=pace()).landed == 2
    assert (tmp_path / "github_archive" / "2026-01-31" / "9.json.gz").read_bytes() == CONTENT


@pytest.mark.usefixtures("filled")
def test_without_a_prefix_the_bucket_itself_and_of_it_the_span(tmp_path):
    assert [piece.hour.hour for piece in source("s3://events").offers(Manifest(tmp_path))] == [7]
    assert list(source("s3://events", first="2026-02-01").offers(Manifest(tmp_path))) == []


@pytest.mark.usefixtures("filled")
def test_the_hour_that_still_runs_is_not_offered(tmp_path):
    now = datetime(2026, 1, 31, 11, 4, tzinfo=UTC)
    (found,) = workloads.find("github_activity").sources("s3://events/copy", clock=lambda: now)
    assert [piece.hour.hour for piece in found.offers(Manifest(tmp_path))] == [9]


def test_a_read_goes_on_where_it_broke_if_the_object_is_the_same(filled, tmp_path):
    (piece,) = source("s3://events").offers(Manifest(tmp_path))
    version = piece.open(0, "").version
    resumed = piece.open(1_000, version)
    assert (resumed.start, b"".join(resumed.chunks)) == (1_000, CONTENT[1_000:])
    filled.put_object(Bucket="events", Key="2026-01-31-7.json.gz", Body=CONTENT + CONTENT)
    anew = piece.open(1_000, version)
    assert (anew.start, b"".join(anew.chunks)) == (0, CONTENT + CONTENT)


def test_an_object_that_went_is_missing_and_a_bucket_that_is_not_there_is_said(filled, tmp_path):
    listed = source("s3://events")
    pieces = list(listed.offers(Manifest(tmp_path)))
    filled.delete_object(Bucket="events", Key="2026-01-31-7.json.gz")
    with pytest.raises(SourceError, match="is not there"):
        pieces[0].open(0, "")
    with pytest.raises(SourceError, match="s3://nowhere/x"):
        land(source("s3://nowhere/x"), bronze=tmp_path, pace=pace())
