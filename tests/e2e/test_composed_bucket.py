"""What the composed stack left in its bucket: `make compose-test-bucket` gives it one instead of the folder volume."""

import hashlib
import json
from urllib.parse import urlsplit

import boto3
import pytest

from composed import FOLDER as COMPOSED
from composed import docker
from ratchet.contracts.ports import Track
from ratchet.contracts.release import CARD, ISSUE, Card, issue_folder
from ratchet.ingest.manifest import NAME
from ratchet.ingest.partition import MANIFEST, POINTER
from ratchet.register.live import MlflowLive
from ratchet.register.package import FOLDER
from ratchet.stack.health import answers, wait_for

pytestmark = pytest.mark.skipif(not COMPOSED, reason="containers: `make compose-test` starts them")


class Kept:
    """Every object below one `s3://bucket/prefix`, by its name below it."""

    def __init__(self, house, location):
        given, address = house.given, urlsplit(location)
        self._s3 = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{given['BUCKET_PORT']}",
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
            region_name=given["AWS_DEFAULT_REGION"],
        )
        self._bucket, self.prefix = address.netloc, address.path.strip("/")
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"{self.prefix}/")
        self.names = {
            found["Key"].removeprefix(f"{self.prefix}/") for page in pages for found in page.get("Contents", [])
        }

    def read(self, name):
        return self._s3.get_object(Bucket=self._bucket, Key=f"{self.prefix}/{name}")["Body"].read()

    def digest(self, name):
        return hashlib.sha256(self.read(name)).hexdigest()

    def head(self, name):
        return self._s3.head_object(Bucket=self._bucket, Key=f"{self.prefix}/{name}", ChecksumMode="ENABLED")


@pytest.fixture
def in_bucket(house):
    """The settings that say where; whoever keeps releases in a folder has nothing to look at here."""
    if not house.given.get("ARTIFACTS", "").startswith("s3://"):
        pytest.skip("releases are in the folder volume: `make compose-test-bucket` keeps them in S3")
    return house.given


@pytest.fixture
def releases(house, in_bucket):
    """Each release whose card is in the bucket, by its id."""
    every = Kept(house, in_bucket["ARTIFACTS"])
    places = [name.removesuffix(f"/{CARD}") for name in every.names if name.endswith(f"/{FOLDER}/{CARD}")]
    kept = [Kept(house, f"{in_bucket['ARTIFACTS']}/{place}") for place in places]
    return {Card.from_json(one.read(CARD)).release_id: one for one in kept}


@pytest.fixture
def live(house):
    """What MLflow says is in production."""
    return MlflowLive(f"http://127.0.0.1:{house.stack.settings.mlflow_port}").live("github_activity", Track.PRODUCTION)


def test_every_release_is_in_the_bucket_whole(releases, live):
    assert len(releases) == 3, "the first one, the candidate that beat it, and what the test of Dask had trained"
    assert live.location.endswith(releases[live.release_id].prefix)
    for kept in releases.values():
        checksums = Card.from_json(kept.read(CARD)).checksums
        assert {name: kept.digest(name) for name in checksums} == checksums


def test_an_issue_made_later_is_beside_its_release_whole(releases, live):
    assert live.issue == 2
    kept, folder = releases[live.release_id], issue_folder(2)
    checksums = json.loads(kept.read(f"{folder}/{ISSUE}"))["checksums"]
    assert checksums
    assert {name: kept.digest(f"{folder}/{name}") for name in checksums} == checksums


def test_every_object_of_a_release_is_encrypted_with_our_key_and_carries_a_checksum(releases, in_bucket):
    for kept in releases.values():
        for name in kept.names:
            head = kept.head(name)
            said = head.get("ServerSideEncryption"), head.get("SSEKMSKeyId"), bool(head.get("ChecksumCRC32"))
            assert said == ("aws:kms", in_bucket["ARTIFACTS_KMS_KEY"], True), name


@pytest.mark.usefixtures("in_bucket")
def test_the_folder_volume_holds_no_release(house):
    assert house.compose("exec", "-T", "airflow-scheduler", "find", "/artifacts", "-type", "f") == ""


def test_every_file_that_landed_is_in_the_bucket(house, in_bucket):
    kept = Kept(house, in_bucket["BRONZE"])
    manifests = [name for name in kept.names if name.endswith(f"/{NAME}")]
    landed = [
        (manifest.removesuffix(NAME), json.loads(line))
        for manifest in manifests
        for line in kept.read(manifest).splitlines()
    ]
    assert landed
    assert {row["sha256"] for _, row in landed} == {kept.digest(folder + row["file"]) for folder, row in landed}


def test_gold_that_the_pointer_names_is_in_the_bucket_whole(house, in_bucket):
    kept = Kept(house, f"{in_bucket['GOLD']}/github_activity")
    newest = json.loads(kept.read(POINTER))["partition"]
    files = json.loads(kept.read(f"{newest}/{MANIFEST}"))["files"]
    assert "series.parquet" in files
    assert {name: kept.digest(f"{newest}/{name}") for name in files} == files


def test_silver_in_the_bucket_is_what_its_manifest_says(house, in_bucket):
    kept = Kept(house, f"{in_bucket['SILVER']}/github_activity")
    files = json.loads(kept.read(MANIFEST))["files"]
    assert sum(entry["rows"] for name, entry in files.items() if name.startswith("events/")) > 0
    assert {name: kept.head(name)["ETag"] for name in files} == {name: entry["tag"] for name, entry in files.items()}
    assert kept.names == {MANIFEST, *files}


@pytest.mark.usefixtures("in_bucket")
def test_a_track_starts_again_and_answers_while_the_bucket_hangs(house):
    """Paused, it takes connections and says nothing: the worst way to be away."""
    bucket, track = house.container("bucket"), house.container("inference-production")
    docker("pause", bucket)
    try:
        docker("restart", track)
        ready = f"http://127.0.0.1:{house.stack.settings.production_port}/api/ready"
        wait_for("the production track", lambda: answers(ready), timeout=20, look="docker")
    finally:
        docker("unpause", bucket)
