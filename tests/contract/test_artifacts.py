"""Where releases are kept: one suite for a folder and for a bucket of a real S3 endpoint."""

import shutil
import threading
from dataclasses import replace
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from ratchet.bucket import Bucket
from ratchet.contracts.errors import ReleaseError
from ratchet.contracts.release import CARD, ISSUE, NAMES, file_digest, issues_in
from ratchet.register.store import store_issue
from ratchet.serve.cache import ReleaseCache
from ratchet.serve.release import open_release
from releases import issue_again, make_release, registered


class Folder:
    """Releases in a folder."""

    def __init__(self, root):
        self.location = root.as_uri()
        self._root = root

    def put(self, folder):
        shutil.copytree(folder, self._root)

    def spoil(self, name):
        (self._root / name).write_bytes(b"else")

    def lose(self, name):
        (self._root / name).unlink()


class Objects:
    """Releases in a bucket."""

    def __init__(self, location):
        self.location = location
        self._bucket, self._prefix = urlsplit(location).netloc, urlsplit(location).path.strip("/")

    def put(self, folder):
        Bucket(self.location).upload(folder, last=CARD)

    def spoil(self, name):
        boto3.client("s3").put_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}", Body=b"else")

    def lose(self, name):
        boto3.client("s3").delete_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}")

    def objects(self):
        found = boto3.client("s3").list_objects_v2(Bucket=self._bucket, Prefix=f"{self._prefix}/")
        return [one["Key"].removeprefix(f"{self._prefix}/") for one in found.get("Contents", [])]

    def head(self, name):
        return boto3.client("s3").head_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}", ChecksumMode="ENABLED")


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path):
    if request.param == "folder":
        return Folder(tmp_path / "artifacts" / "a release")
    return Objects(f"{request.getfixturevalue('bucket')}/{uuid4().hex}/a release")


@pytest.fixture
def objects(bucket):
    return Objects(f"{bucket}/{uuid4().hex}")


@pytest.fixture
def folder(tmp_path):
    make_release(tmp_path / "trained")
    return tmp_path / "trained"


@pytest.fixture
def cache(tmp_path):
    return ReleaseCache(tmp_path / "cache")


def release_at(place, folder):
    release = registered(folder)
    return type(release)(**{**{name: getattr(release, name) for name in release.__slots__}, "location": place.location})


def test_what_is_put_there_is_fetched_byte_by_byte(place, folder, cache):
    place.put(folder)
    fetched = cache.fetch(release_at(place, folder))
    open_release(fetched, verify=True)
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert sorted(path.relative_to(fetched) for path in fetched.rglob("*") if path.is_file()) == names
    assert [file_digest(fetched / name) for name in names] == [file_digest(folder / name) for name in names]


def test_a_later_issue_is_fetched_beside_what_is_here(place, folder, cache, tmp_path):
    place.put(folder)
    release = release_at(place, folder)
    cache.fetch(release)
    for number in (2, 3):
        store_issue(place.location, issue_again(folder, number, add=number, to=tmp_path / str(number)), number)
    assert open_release(cache.fetch(release), verify=True).issue == 1, "nobody was told of a later one"
    opened = open_release(cache.fetch(replace(release, issue=3)), verify=True)
    assert (opened.issue, issues_in(opened.folder)) == (3, [1, 2, 3])
    assert opened.forecast("north/a", "sent", 1)[0]["median"] == 15


def test_half_an_issue_is_not_fetched(place, folder, cache, tmp_path):
    place.put(folder)
    half = issue_again(folder, 2, to=tmp_path / "half")
    (half / ISSUE).unlink()
    store_issue(place.location, half, 2)
    release = release_at(place, folder)
    assert open_release(cache.fetch(release), verify=True).issue == 1
    with pytest.raises(ReleaseError):
        open_release(cache.fetch(replace(release, issue=2)), verify=True)


def test_putting_it_there_twice_changes_nothing(place, folder, cache):
    place.put(folder)
    if isinstance(place, Objects):
        place.put(folder)
    open_release(cache.fetch(release_at(place, folder)), verify=True)


def test_many_at_once_get_one_whole_release(place, folder, cache, tmp_path):
    place.put(folder)
    release, fetched = release_at(place, folder), []
    threads = [threading.Thread(target=lambda: fetched.append(cache.fetch(release))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 4
    assert [path.name for path in (tmp_path / "cache" / "releases").iterdir()] == [release.release_id]


def test_what_is_not_there_is_named_and_leaves_nothing(place, folder, cache, tmp_path):
    with pytest.raises(ReleaseError, match=urlsplit(place.location).path.rsplit("/", 1)[-1].replace("%20", ".*")):
        cache.fetch(release_at(place, folder))
    assert not list(tmp_path.glob("cache/releases/*"))


@pytest.mark.parametrize("harm", ["spoil", "lose"])
def test_what_was_changed_there_is_fetched_and_refused(place, folder, cache, harm):
    place.put(folder)
    getattr(place, harm)(NAMES)
    with pytest.raises(ReleaseError):
        open_release(cache.fetch(release_at(place, folder)), verify=True)


def test_an_upload_that_was_cut_off_is_no_release(objects, folder, cache, monkeypatch, tmp_path):
    bucket = Bucket(objects.location)
    client, uploaded = bucket._s3, []

    def cut(path, *arguments, **options):
        if len(uploaded) == 3:
            raise KeyboardInterrupt
        uploaded.append(path)
        return type(client).upload_file(client, path, *arguments, **options)

    monkeypatch.setattr(client, "upload_file", cut)
    with pytest.raises(KeyboardInterrupt):
        bucket.upload(folder, last=CARD)
    assert 0 < len(objects.objects()) < sum(path.is_file() for path in folder.rglob("*"))
    with pytest.raises(ReleaseError, match="never uploaded to its end"):
        cache.fetch(release_at(objects, folder))
    assert not list(tmp_path.glob("cache/releases/*"))
    objects.put(folder)
    open_release(cache.fetch(release_at(objects, folder)), verify=True)


def test_a_large_file_goes_up_in_parts_and_comes_back_whole(objects, tmp_path):
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "array.bin").write_bytes(bytes(range(256)) * (45 << 10))
    (tmp_path / "large" / CARD).write_text("{}")
    Bucket(objects.location, part_bytes=5 << 20).upload(tmp_path / "large", last=CARD)
    assert objects.head("array.bin")["ETag"].strip('"').endswith("-3")
    Bucket(objects.location, part_bytes=5 << 20).download(tmp_path / "back", last=CARD)
    assert file_digest(tmp_path / "back" / "array.bin") == file_digest(tmp_path / "large" / "array.bin")


def test_every_object_is_encrypted_and_carries_a_checksum(objects, folder):
    objects.put(folder)
    for name in objects.objects():
        head = objects.head(name)
        assert head["ServerSideEncryption"] == "AES256"
        assert head["ChecksumCRC32"]


def test_a_key_of_ones_own_encrypts(objects, folder):
    Bucket(objects.location, kms_key="alias/releases").upload(folder, last=CARD)
    head = objects.head(CARD)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/releases")


def test_a_name_that_leads_out_of_the_folder_is_refused(objects, folder, tmp_path):
    objects.put(folder)
    objects.spoil("../../outside")
    boto3.client("s3").put_object(Bucket=objects._bucket, Key=f"{objects._prefix}/x/../../outside", Body=b"")
    with pytest.raises(OSError, match="cannot name a file"):
        Bucket(objects.location).download(tmp_path / "back", last=CARD)
    assert not (tmp_path / "outside").exists()


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_said_to_be(folder):
    with pytest.raises(OSError, match="s3://not-ours/x"):
        Bucket("s3://not-ours/x").upload(folder, last=CARD)
    with pytest.raises(OSError, match="s3://not-ours/x"):
        Bucket("s3://not-ours/x").probe()
    with pytest.raises(OSError, match="write s3://bucket/prefix"):
        Bucket("s3:/bucket")


def test_a_probe_leaves_nothing(objects):
    Bucket(objects.location).probe()
    assert objects.objects() == []


def test_errors_of_the_endpoint_are_tried_again(objects, folder, monkeypatch):
    bucket, answers = Bucket(objects.location), iter([503, 503])

    class Empty:
        def stream(self, *_, **__):
            return iter(())

    def answer_instead(request, **_):
        status = next(answers, None)
        return AWSResponse(request.url, status, {}, Empty()) if status else None

    monkeypatch.setattr("time.sleep", lambda _: None)
    bucket._s3.meta.events.register("before-send.s3", answer_instead)
    bucket.upload(folder, last=CARD)
    assert next(answers, None) is None
    assert CARD in objects.objects()
