"""Bronze in a bucket, against a real S3 endpoint."""

import hashlib
import os
import random
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from test_land import FILES, HOURS, content, halves, in_turn, whole_source

from fakes import FakeSource
from ratchet.contracts.errors import DataError, SourceError
from ratchet.ingest import Pace, land, manifest, open_bronze
from ratchet.ingest.bucket import BucketBronze

ROOT = "s3://events/raw"


def objects(store) -> dict[str, bytes]:
    found = store.list_objects_v2(Bucket="events").get("Contents", ())
    return {item["Key"]: store.get_object(Bucket="events", Key=item["Key"])["Body"].read() for item in found}


@pytest.fixture
def bronze(object_store, tmp_path):  # noqa: ARG001  # it is where the bucket is
    return open_bronze(ROOT, home=tmp_path)


def test_hours_and_their_manifest_are_in_the_bucket(bronze, object_store, tmp_path):
    report = land(whole_source(), bronze=bronze, pace=in_turn())
    kept = objects(object_store)
    there = kept.pop("raw/memory/manifest.jsonl")
    assert kept == {f"raw/memory/{file}": content(hour) for file, hour in zip(FILES, HOURS, strict=True)}
    assert there == (tmp_path / "bronze" / "memory" / "manifest.jsonl").read_bytes()
    assert report.landed == 4


def test_a_large_file_goes_up_in_parts_with_a_checksum(object_store, tmp_path):
    data = random.Random(1).randbytes(12 << 20)
    bronze = BucketBronze(ROOT, folder=tmp_path, part_bytes=5 << 20)
    land(FakeSource({HOURS[0]: [data]}, suffix="bin"), bronze=bronze, pace=in_turn())
    head = object_store.head_object(Bucket="events", Key="raw/memory/2026-11-09/22.bin", ChecksumMode="ENABLED")
    assert head["ETag"].endswith('-3"')
    assert head["ContentLength"] == len(data)
    (entry,) = manifest.read(tmp_path / "memory")
    assert entry.sha256 == hashlib.sha256(objects(object_store)["raw/memory/2026-11-09/22.bin"]).hexdigest()


def test_an_empty_machine_knows_what_has_landed_and_reads_it_checked(bronze, object_store, tmp_path):
    land(whole_source(), bronze=bronze, pace=in_turn())
    other = open_bronze(ROOT, home=tmp_path / "other")
    source = whole_source()
    assert (land(source, bronze=other, pace=in_turn()).already, source.reads) == (4, [])
    entry = manifest.read(other.folder / "memory")[1]
    path = other.path_for_reading(entry)
    assert path.read_bytes() == content(HOURS[1])
    other.forget_copy(entry)
    assert not path.exists()
    object_store.put_object(Bucket="events", Key=f"raw/memory/{entry.file}", Body=b"x" * entry.bytes)
    with pytest.raises(DataError, match=r"23\.json\.gz: landed with SHA-256"):
        other.path_for_reading(entry)
    assert not path.exists()


def test_two_machines_that_land_at_once_are_told_apart(bronze, tmp_path):
    other = open_bronze(ROOT, home=tmp_path / "other")
    land(FakeSource({HOURS[0]: halves(HOURS[0])}), bronze=bronze, pace=in_turn())
    other.begin("memory")
    land(FakeSource({HOURS[1]: halves(HOURS[1])}), bronze=bronze, pace=in_turn())
    theirs = FakeSource({HOURS[2]: halves(HOURS[2])})
    other.begin = lambda _: None  # it looked a moment too early
    with pytest.raises(DataError, match="another machine lands there too"):
        land(theirs, bronze=other, pace=in_turn())
    assert [entry.hour for entry in manifest.read(bronze.folder / "memory")] == HOURS[:2]


@pytest.mark.usefixtures("object_store")
def test_a_bucket_that_is_not_there_is_said_and_nothing_counts_as_landed(tmp_path):
    nowhere = open_bronze("s3://no-such-bucket/raw", home=tmp_path)
    with pytest.raises(SourceError, match="no-such-bucket"):
        land(whole_source(), bronze=nowhere, pace=in_turn())
    assert manifest.read(nowhere.folder / "memory") == ()


def test_an_upload_that_fails_is_not_landed_and_is_tried_again_later(bronze, object_store, monkeypatch):
    def refuse(*_, **__):
        raise SourceError("s3://events/raw/…: no space left")

    monkeypatch.setattr(bronze, "keep", refuse)
    with pytest.raises(SourceError, match="no space left"):
        land(whole_source(), bronze=bronze, pace=in_turn())
    monkeypatch.undo()
    assert objects(object_store) == {}


KILLED = """
import os, signal, sys
from pathlib import Path
from ratchet.ingest import land
from ratchet.ingest.bucket import BucketBronze
from test_bucket_bronze import ROOT
from fakes import FakeSource
from test_land import HOURS

import boto3.s3.transfer, botocore.client
whole = botocore.client.BaseClient._make_api_call
parts = []

def killing(self, operation, given):
    if operation == "UploadPart":
        parts.append(1)
        if len(parts) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, operation, given)

botocore.client.BaseClient._make_api_call = killing
bronze = BucketBronze(ROOT, folder=Path(sys.argv[1]), part_bytes=5 << 20)
land(FakeSource({HOURS[0]: [bytes(12 << 20)]}, suffix="bin"), bronze=bronze)
"""


def test_an_upload_that_was_killed_half_way_is_never_seen(object_store, tmp_path):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert killed.returncode == -signal.SIGKILL
    assert objects(object_store) == {}
    bronze = BucketBronze(ROOT, folder=tmp_path, part_bytes=5 << 20)
    assert manifest.read(tmp_path / "memory") == ()
    land(
        FakeSource({HOURS[0]: [bytes(12 << 20)]}, suffix="bin"),
        bronze=bronze,
        pace=Pace(now=lambda: datetime(2026, 11, 12, tzinfo=UTC)),
    )
    assert objects(object_store)["raw/memory/2026-11-09/22.bin"] == bytes(12 << 20)


def test_a_folder_may_stand_elsewhere_than_in_the_home(tmp_path):
    bronze = open_bronze(str(tmp_path / "elsewhere"), home=tmp_path)
    land(whole_source(), bronze=bronze, pace=in_turn())
    entry = manifest.read(tmp_path / "elsewhere" / "memory")[0]
    assert bronze.path_for_reading(entry) == Path(tmp_path / "elsewhere" / "memory" / entry.file)
    assert bronze.path_for_reading(entry).stat().st_size == entry.bytes
