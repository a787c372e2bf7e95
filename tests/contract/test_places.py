"""A place for files: one suite for a folder and for a bucket of a real S3 endpoint."""

from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from ratchet.bucket import Bucket
from ratchet.contracts.errors import DataError
from ratchet.contracts.place import ChangedError
from ratchet.ingest import open_place


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path):
    if request.param == "folder":
        return open_place(str(tmp_path / "a place"))
    return open_place(f"{request.getfixturevalue('bucket')}/{uuid4().hex}")


def write(path, content):
    path.write_bytes(content)
    return path


def test_what_is_put_there_is_listed_and_comes_back(place, tmp_path):
    assert place.listing() == {}
    kept = place.put(write(tmp_path / "x", b"rows"), "a/day=1/x.parquet")
    assert place.listing() == {"a/day=1/x.parquet": kept}
    assert (kept.bytes, (tmp_path / "x").read_bytes()) == (4, b"rows")
    place.fetch("a/day=1/x.parquet", tmp_path / "new" / "y")
    assert (tmp_path / "new" / "y").read_bytes() == b"rows"


def test_a_place_within_a_place_has_only_its_own(place, tmp_path):
    place.put(write(tmp_path / "x", b"rows"), "a/x")
    place.put(tmp_path / "x", "ab")
    assert list(place.under("a").listing()) == ["x"]
    assert place.under("a").location == f"{place.location}/a"


def test_a_file_written_again_has_another_tag(place, tmp_path):
    first = place.put(write(tmp_path / "x", b"old"), "x")
    second = place.put(write(tmp_path / "x", b"new"), "x")
    assert first.tag != second.tag
    assert place.listing()["x"].tag == second.tag == place.read("x")[1]


def test_what_is_not_there_is_none_and_may_be_deleted(place, tmp_path):
    assert place.read("x") is None
    place.delete("x")
    with pytest.raises(OSError, match="x"):
        place.fetch("x", tmp_path / "x")


def test_what_is_deleted_is_gone(place, tmp_path):
    place.put(write(tmp_path / "x", b"rows"), "a/day=1/x")
    place.delete("a/day=1/x")
    assert place.listing() == {}


def test_a_file_is_replaced_only_by_who_knows_what_is_there(place):
    first = place.replace("m.json", b"1", known="")
    assert place.read("m.json") == (b"1", first)
    with pytest.raises(ChangedError, match=r"m\.json"):
        place.replace("m.json", b"2", known="")
    second = place.replace("m.json", b"22", known=first)
    with pytest.raises(ChangedError):
        place.replace("m.json", b"3", known=first)
    assert place.read("m.json") == (b"22", second)
    place.delete("m.json")
    with pytest.raises(ChangedError):
        place.replace("m.json", b"3", known=second)


def test_an_answer_that_was_lost_is_no_other_machine(bucket, monkeypatch):
    place = Bucket(f"{bucket}/{uuid4().hex}")
    whole = place._s3.put_object

    def lose_the_answer(**asked):
        whole(**asked)
        return whole(**asked)  # what a client does that heard nothing

    monkeypatch.setattr(place._s3, "put_object", lose_the_answer)
    tag = place.replace("m.json", b"1", known="")
    assert place.read("m.json") == (b"1", tag)


def test_every_object_is_encrypted_and_carries_a_checksum(bucket, tmp_path):
    name = uuid4().hex
    place = open_place(f"{bucket}/{name}", kms_key="alias/ours")
    place.put(write(tmp_path / "x", b"rows"), "x")
    place.replace("m.json", b"1", known="")
    for key in ("x", "m.json"):
        head = boto3.client("s3").head_object(
            Bucket="ratchet-test", Key=f"releases/{name}/{key}", ChecksumMode="ENABLED"
        )
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/ours")
        assert head["ChecksumCRC32"]


@pytest.mark.usefixtures("bucket")
def test_a_refusal_is_no_other_machine():
    with pytest.raises(OSError, match=r"s3://not-ours/x/m\.json") as refused:
        Bucket("s3://not-ours/x").replace("m.json", b"1", known="")
    assert not isinstance(refused.value, ChangedError)
    assert isinstance(refused.value.__cause__, ClientError)
    with pytest.raises(DataError, match="write s3://bucket/prefix"):
        open_place("s3://")


def test_an_empty_setting_is_nowhere():
    assert open_place("") is None
