"""Gold that other machines reach: one suite for a folder and for a bucket of a real S3 endpoint."""

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from places import bytes_at, killed, spoil
from ratchet import ingest
from ratchet.contracts.errors import DataError
from ratchet.contracts.release import file_digest
from ratchet.ingest import shared_gold
from ratchet.ingest.partition import dump, gold_root

HOURS = [datetime(2026, 11, day, tzinfo=UTC) for day in range(1, 6)]


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def make_partition(home, hour=HOURS[0], *, content=b"rows"):
    """A partition as `publish` settles it, before the pointer moves."""
    folder = gold_root(home, "w") / f"{hour:%Y%m%dT%H}-{content.hex()[:8]}"
    folder.mkdir(parents=True)
    for name in ("clusters.parquet", "series.parquet"):
        (folder / name).write_bytes(content + name.encode())
    said = {"workload": "w", "data_hour": hour.isoformat(), "last_week": "2026-11-01", "digest": content.hex()}
    files = {path.name: file_digest(path) for path in folder.iterdir()}
    (folder / "manifest.json").write_text(dump({**said, "series": 1, "synthetic": True, "files": files}))
    return folder


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_empty_machine_takes_over_what_was_published_byte_by_byte(place, home, tmp_path):
    folder = make_partition(home)
    shared_gold.share(folder, place)
    assert ingest.newest(home, "w").path == folder
    other = tmp_path / "other"
    assert ingest.newest(other, "w") is None
    assert ingest.follow(other, "w", place)
    taken = ingest.newest(other, "w")
    assert (taken.path.name, taken.digest) == (folder.name, b"rows".hex())
    assert files_in(taken.path) == files_in(folder)
    assert not ingest.follow(other, "w", place)


def test_the_same_again_writes_nothing(place, home):
    folder = make_partition(home)
    shared_gold.share(folder, place)
    before = place.listing()
    shared_gold.share(folder, place)
    assert place.listing() == before


def test_what_was_lost_there_is_put_there_again(place, home):
    folder = make_partition(home)
    shared_gold.share(folder, place)
    before = bytes_at(place)
    place.delete(f"{folder.name}/series.parquet")
    shared_gold.share(folder, place)
    assert bytes_at(place) == before


def test_others_follow_to_the_next_one_and_back(place, home, tmp_path):
    first, second = make_partition(home), make_partition(home, HOURS[1], content=b"more")
    for folder in (first, second, first):
        shared_gold.share(folder, place)
        assert ingest.follow(tmp_path / "other", "w", place)
        assert ingest.newest(tmp_path / "other", "w").path.name == folder.name


def test_nothing_published_there_leaves_what_is_here(place, home):
    assert not ingest.follow(home, "w", place)
    assert ingest.newest(home, "w") is None
    shared_gold.share(make_partition(home), None)
    assert not ingest.follow(home, "w", place)
    assert ingest.newest(home, "w").data_hour == HOURS[0]


def test_what_was_changed_there_is_refused_and_leaves_nothing(place, home, tmp_path):
    folder = make_partition(home)
    shared_gold.share(folder, place)
    spoil(place, f"{folder.name}/series.parquet", b"x" * (folder / "series.parquet").stat().st_size)
    with pytest.raises(DataError, match=r"series\.parquet: published with SHA-256 .* delete it and build gold again"):
        ingest.follow(tmp_path / "other", "w", place)
    assert ingest.newest(tmp_path / "other", "w") is None
    assert not [path for path in gold_root(tmp_path / "other", "w").iterdir() if path.is_dir()]


@pytest.mark.parametrize("pointer", [b'{"partition": "../../outside"}', b'{"partition": ".taken"}', b"{", b"[]"])
def test_a_pointer_that_makes_no_sense_is_refused(place, home, pointer):
    place.replace("newest.json", pointer, known="")
    with pytest.raises(DataError, match=r"leads elsewhere|is damaged"):
        ingest.follow(home, "w", place)


def test_where_the_place_is_away_what_is_here_is_still_good(place, home, tmp_path, monkeypatch, caplog):
    shared_gold.share(make_partition(home), place)

    def refuse(*_):
        raise OSError("nobody answers")

    monkeypatch.setattr(type(place), "read", refuse)
    with caplog.at_level(logging.WARNING):
        assert not ingest.follow(home, "w", place)
    assert "going on with 20261101T00" in caplog.text
    with pytest.raises(DataError, match="gold cannot be taken over: nobody answers"):
        ingest.follow(tmp_path / "other", "w", place)


def test_a_failed_upload_is_one_line_and_the_next_run_completes_it(place, home, tmp_path, monkeypatch):
    first, second = make_partition(home), make_partition(home, HOURS[1], content=b"more")
    shared_gold.share(first, place)
    whole = type(place).put

    def refuse(self, path, name):
        if name == "series.parquet":
            raise OSError(f"{name}: no space left")
        return whole(self, path, name)

    monkeypatch.setattr(type(place), "put", refuse)
    with pytest.raises(DataError, match=r"was built and is not published: series\.parquet: no space left") as failed:
        shared_gold.share(second, place)
    assert "\n" not in str(failed.value)
    monkeypatch.undo()
    assert ingest.newest(home, "w").path == first
    ingest.follow(tmp_path / "other", "w", place)
    assert ingest.newest(tmp_path / "other", "w").path.name == first.name
    shared_gold.share(second, place)
    assert ingest.newest(home, "w").path == second


def test_of_two_machines_at_once_one_is_told(place, home, tmp_path, monkeypatch):
    ours, theirs = make_partition(home), make_partition(tmp_path / "other", HOURS[1], content=b"more")
    whole = shared_gold._put

    def meanwhile(folder, there):
        whole(folder, there)
        if folder == ours:
            shared_gold.share(theirs, place)

    monkeypatch.setattr(shared_gold, "_put", meanwhile)
    with pytest.raises(DataError, match="another machine writes there at this moment; run it again"):
        shared_gold.share(ours, place)
    assert ingest.newest(home, "w") is None
    assert json.loads(place.read("newest.json")[0])["partition"] == theirs.name


KILLED = """
from pathlib import Path
from ratchet.ingest import shared_gold

def act():
    location, folder = json.loads(sys.argv[1])
    shared_gold.share(Path(folder), opened(location))
"""


def test_killed_before_any_write_nobody_sees_half_and_the_next_run_ends_the_same(place, home, tmp_path):
    first, second = make_partition(home), make_partition(home, HOURS[1], content=b"more")
    shared_gold.share(first, place.under("undisturbed"))
    shared_gold.share(second, place.under("undisturbed"))
    undisturbed, seen = bytes_at(place.under("undisturbed")), []
    for number, died in killed(KILLED, f"{place.location}/tried", str(second)):
        tried = place.under("tried")
        assert_whole(tried.listing())
        if died:
            ingest.follow(tmp_path / "other", "w", tried)
            found = ingest.newest(tmp_path / "other", "w")
            seen.append(found.path.name if found else "")
        shared_gold.share(second, tried)
        shared_gold.share(first, tried)
        shared_gold.share(second, tried)
        assert bytes_at(tried) == undisturbed, number
        assert ingest.newest(home, "w").path == second
        for name in tried.listing():
            tried.delete(name)
        shared_gold.share(first, tried)
    assert seen == ["", *[first.name] * 3, *[second.name]]


def assert_whole(names):
    """Where a manifest is, so are all the files that it names."""
    for name in names:
        folder, _, file = name.rpartition("/")
        assert file != "manifest.json" or {f"{folder}/series.parquet", f"{folder}/clusters.parquet"} <= set(names)


def put_all(place, home):
    """Five partitions, published an hour apart; the one in use is the fourth."""
    folders = [make_partition(home, hour, content=bytes([65 + at] * 4)) for at, hour in enumerate(HOURS)]
    for folder in [*folders, folders[3]]:
        shared_gold.share(folder, place)
    return folders


def days(place):
    return sorted({name[6:8] for name in place.listing() if name != "newest.json"})


def an_hour_apart(place, monkeypatch):
    whole = type(place).listing

    def dated(self):
        return {
            name: replace(kept, at=HOURS[0] + timedelta(hours=int(name[6:8])) if "T" in name else kept.at)
            for name, kept in whole(self).items()
        }

    monkeypatch.setattr(type(place), "listing", dated)


def test_pruning_keeps_the_newest_the_one_in_use_and_the_needed(place, home, monkeypatch):
    put_all(place, home)
    an_hour_apart(place, monkeypatch)
    gone = shared_gold.prune(place, keep=1, needed=[HOURS[1]])
    assert sorted(name[6:8] for name in gone) == ["01", "03"]
    assert days(place) == ["02", "04", "05"]
    assert shared_gold.prune(place, keep=1, needed=[HOURS[1]]) == []


def test_pruning_that_was_cut_off_leaves_no_partition_that_lacks_a_file(place, home, monkeypatch):
    put_all(place, home)
    an_hour_apart(place, monkeypatch)
    whole = type(place).delete
    deleted = []

    def cut(self, name):
        if len(deleted) == 1:
            raise KeyboardInterrupt
        deleted.append(name)
        whole(self, name)

    with monkeypatch.context() as broken:
        broken.setattr(type(place), "delete", cut)
        with pytest.raises(KeyboardInterrupt):
            shared_gold.prune(place, keep=1, needed=())
    assert deleted[0].endswith("/manifest.json")
    names = place.listing()
    assert_whole(names)
    assert len({name.split("/")[0] for name in names if "/" in name}) == 5
    assert len([name for name in names if name.endswith("/manifest.json")]) == 4


def test_what_was_never_finished_goes_after_a_day(place, home, monkeypatch):
    folders = put_all(place, home)
    place.delete(f"{folders[0].name}/manifest.json")
    an_hour_apart(place, monkeypatch)
    shared_gold.prune(place, keep=9, needed=())
    assert days(place) == ["02", "03", "04", "05"]
    place.delete(f"{folders[4].name}/manifest.json")
    place.delete("newest.json")
    shared_gold.prune(place, keep=9, needed=())
    assert days(place) == ["02", "03", "04", "05"], "it may still be on its way"


def test_both_sides_are_pruned(place, home, monkeypatch):
    put_all(place, home)
    an_hour_apart(place, monkeypatch)
    ingest.prune(home, "w", keep=1, there=place)
    assert days(place) == ["04", "05"]
    assert len(list(gold_root(home, "w").glob("*/manifest.json"))) == 2
