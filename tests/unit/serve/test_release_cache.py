import threading
import time
from dataclasses import replace

import pytest

from ratchet.contracts.errors import ReleaseError
from ratchet.contracts.ports import Track
from ratchet.serve.cache import ReleaseCache
from ratchet.serve.release import open_release
from releases import issue_again, make_release, registered


@pytest.fixture
def release(tmp_path):
    make_release(tmp_path / "artifacts" / "a release")
    return registered(tmp_path / "artifacts" / "a release")


@pytest.fixture
def cache(tmp_path):
    return ReleaseCache(tmp_path / "cache")


def test_a_fetched_release_is_a_copy_of_its_own(cache, release, tmp_path):
    folder = cache.fetch(release)
    source = tmp_path / "artifacts" / "a release" / "card.json"
    assert folder == tmp_path / "cache" / "releases" / "r1"
    assert not (folder / "card.json").samefile(source)
    open_release(folder, verify=True)


def test_what_is_here_is_not_fetched_again(cache, release, tmp_path):
    cache.fetch(release)
    (tmp_path / "artifacts").rename(tmp_path / "away")
    open_release(cache.fetch(release), verify=True)


def test_many_at_once_get_one_whole_release(cache, release, tmp_path):
    folders, start = [], threading.Barrier(8)

    def fetch():
        start.wait()
        folders.append(cache.fetch(release))
        open_release(folders[-1], verify=True)

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folders) == 8
    assert [path.name for path in (tmp_path / "cache" / "releases").iterdir()] == ["r1"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"location": "ftp://bucket/r1"}, "ftp://bucket/r1", id="scheme"),
        pytest.param({"location": "file:///nowhere/r1"}, "/nowhere/r1", id="missing"),
        pytest.param({"release_id": "../r1"}, r"\.\./r1", id="a way out"),
        pytest.param({"release_id": ""}, "cannot name", id="no name"),
    ],
)
def test_what_cannot_be_fetched_is_named_and_leaves_nothing(cache, release, tmp_path, change, said):
    values = {name: getattr(release, name) for name in release.__slots__} | change
    with pytest.raises(ReleaseError, match=said):
        cache.fetch(type(release)(**values))
    assert not list(tmp_path.glob("cache/releases/*"))


def test_the_note_of_the_last_good_release_survives_and_is_per_track(cache, release, tmp_path):
    cache.note_good("parcels", Track.PRODUCTION, release)
    again = ReleaseCache(tmp_path / "cache")
    assert again.last_good("parcels", Track.PRODUCTION) == release
    assert again.last_good("parcels", Track.CANDIDATE) is None
    again.note_good("parcels", Track.PRODUCTION, None)
    assert cache.last_good("parcels", Track.PRODUCTION) is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"workload": 1}', b"[]"])
def test_a_spoilt_note_is_no_note(cache, tmp_path, content):
    path = tmp_path / "cache" / "production" / "parcels.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert cache.last_good("parcels", Track.PRODUCTION) is None


def test_only_what_nobody_noted_is_pruned_and_not_at_once(cache, release, tmp_path):
    make_release(tmp_path / "r2", release_id="r2")
    cache.fetch(release)
    cache.fetch(registered(tmp_path / "r2", release_id="r2"))
    cache.note_good("parcels", Track.CANDIDATE, release)
    cache.prune(now=time.time())
    assert len(list((tmp_path / "cache" / "releases").iterdir())) == 2
    cache.prune(now=time.time() + 3700)
    assert [path.name for path in (tmp_path / "cache" / "releases").iterdir()] == ["r1"]


def test_what_was_fetched_within_the_last_hour_is_not_pruned_however_old_its_copy(cache, release):
    """A look reads, or an issue is made of, what nobody noted: a beaten release, say."""
    brought = cache.fetch(release).stat().st_ctime
    time.sleep(0.05)
    cache.fetch(release)
    cache.prune(now=brought + 3600.02)
    assert cache.folder_of(release).is_dir()
    cache.prune(now=time.time() + 3700)
    assert not cache.folder_of(release).is_dir()


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def lose(path):
    path.unlink()


def shorten(path):
    path.write_bytes(path.read_bytes()[:-7])


@pytest.fixture
def issued(release, tmp_path):
    """A release with a second issue."""
    issue_again(tmp_path / "artifacts" / "a release", 2, add=100)
    return replace(release, issue=2)


DAMAGED = [
    "card.json",
    "series/names.bin",
    "forecasts/0001/mean.npy",
    "forecasts/0002/mean.npy",
    "forecasts/0002/issue.json",
]


@pytest.mark.parametrize("spoil", [flip, lose, shorten])
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_copy_is_fetched_anew(cache, issued, name, spoil):
    folder = cache.fetch(issued)
    whole = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    spoil(folder / name)
    assert cache.fetch_whole(issued) == folder
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == whole
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("name", ["series/names.bin", "forecasts/0002/mean.npy"])
def test_a_damaged_copy_stays_where_the_store_has_no_better_one_and_says_so(cache, issued, tmp_path, name):
    folder = cache.fetch(issued)
    flip(folder / name)
    flip(tmp_path / "artifacts" / "a release" / name)
    with pytest.raises(ReleaseError, match=r"is damaged, and so is what file:"):
        cache.fetch_whole(issued)
    (tmp_path / "artifacts").rename(tmp_path / "away")
    with pytest.raises(ReleaseError, match="cannot be copied"):
        cache.fetch_whole(issued)
    assert (folder / name).exists()
    (tmp_path / "away").rename(tmp_path / "artifacts")
    flip(tmp_path / "artifacts" / "a release" / name)
    open_release(cache.fetch_whole(issued), verify=True)


def test_a_whole_copy_is_read_where_the_store_is_away(cache, issued, tmp_path):
    cache.fetch(issued)
    (tmp_path / "artifacts").rename(tmp_path / "away")
    open_release(cache.fetch_whole(issued), verify=True)


@pytest.mark.parametrize("content", [b"", b"{", b'{"workload": 1}', b"[]", b"3"])
def test_a_spoilt_note_keeps_nobody_from_pruning(cache, release, tmp_path, content):
    make_release(tmp_path / "r2", release_id="r2")
    cache.fetch(release)
    cache.fetch(registered(tmp_path / "r2", release_id="r2"))
    cache.note_good("parcels", Track.CANDIDATE, release)
    (tmp_path / "cache" / "production").mkdir()
    (tmp_path / "cache" / "production" / "parcels.json").write_bytes(content)
    cache.prune(now=time.time() + 3700)
    assert [path.name for path in (tmp_path / "cache" / "releases").iterdir()] == ["r1"]
