"""How the setting EVENTS names sources, and hour files in a folder."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ratchet import workloads
from ratchet.contracts.errors import DataError, SourceError
from ratchet.contracts.source import Span
from ratchet.ingest import Pace, land
from ratchet.ingest.manifest import Manifest
from ratchet.workloads.github_activity.sources.address import HourAddress
from ratchet.workloads.github_activity.sources.api import RepositoryApi
from ratchet.workloads.github_activity.sources.bucket import HourBucket
from ratchet.workloads.github_activity.sources.csv_folder import CsvFolders
from ratchet.workloads.github_activity.sources.hours import HourFolder

WORKLOAD = workloads.find("github_activity")


def test_repositories_of_several_places_are_one_source_whose_troubles_are_all_of_theirs():
    api, hours, csv = WORKLOAD.sources("github:a/b; /hours; csv:/one; github: c/d,a/b")[:3]
    assert (api.repositories, hours.name, csv.name) == (("a/b", "c/d"), "github_archive", "github_csv")
    api, hours, csv = WORKLOAD.sources("github:a/b; /hours; csv:/one, /two; github: c/d; csv:/three")
    assert csv.folders == (Path("/one"), Path("/two"), Path("/three"))
    with pytest.raises(DataError, match="names no folder"):
        WORKLOAD.sources("csv:,")


def test_a_folder_offers_its_hour_files_in_order_of_time(tmp_path):
    for name in (
        "2015-01-01-10.json.gz",
        "2015-01-01-9.json.gz",
        "2015-01-01-09.json.gz",
        "notes.json.gz",
        "2015-01-01-24.json.gz",
    ):
        (tmp_path / name).write_bytes(name.encode())
    (source,) = WORKLOAD.sources(str(tmp_path))
    pieces = list(source.offers(Manifest(tmp_path)))
    assert (source.name, [piece.file for piece in pieces]) == (
        "github_archive",
        ["2015-01-01/9.json.gz", "2015-01-01/10.json.gz"],
    )
    assert b"".join(pieces[0].open(0, "").chunks) == b"2015-01-01-9.json.gz"


def test_of_a_folder_only_the_hours_of_the_span_are_offered(tmp_path):
    for hour in range(5):
        (tmp_path / f"2015-01-01-{hour}.json.gz").touch()
    (source,) = WORKLOAD.sources(str(tmp_path), span=Span.parse("2015-01-01T01", "2015-01-01T03"))
    assert [hour.hour for hour in source.hours()] == [1, 2, 3]


def test_the_hour_that_still_runs_is_not_offered_however_whole_its_file_looks(tmp_path):
    """A member of a gzip that is being written ends like a whole file; taken for one, the rest of the hour would never be read."""
    for hour in (9, 10, 11):
        (tmp_path / f"2026-01-31-{hour}.json.gz").write_bytes(gzip.compress(b""))
    found = {}
    for minute in (59, 64, 65):
        now = datetime(2026, 1, 31, 10, tzinfo=UTC) + timedelta(minutes=minute)
        (source,) = WORKLOAD.sources(str(tmp_path), clock=lambda now=now: now)
        found[minute] = [piece.hour.hour for piece in source.offers(Manifest(tmp_path))]
    assert found == {59: [9], 64: [9], 65: [9, 10]}


def test_the_sample_is_a_history_and_the_168_hours_after_it():
    history, events = WORKLOAD.sources("sample")
    assert [f"{hour:%Y-%m-%dT%H}" for hour in history.hours()] == ["2026-11-08T23"]
    assert len(events.hours()) == 168
    assert (events.hours()[-1] - history.hours()[-1]).total_seconds() == 168 * 3600


def test_several_sources_stand_in_one_setting():
    found = WORKLOAD.sources(
        " /hours ; archive:https://data.gharchive.org; s3://bucket/x;github:a/b,c/d.e;csv:/histories; "
    )
    assert [type(source) for source in found] == [HourFolder, HourAddress, HourBucket, RepositoryApi, CsvFolders]
    assert found[3].repositories == ("a/b", "c/d.e")


@pytest.mark.parametrize(
    ("location", "words"),
    [
        pytest.param("", "events from nowhere: give `archive:WHERE`, `github:REPOSITORY`", id="empty"),
        pytest.param("ftp://example.org/hours", "give a folder, http", id="unknown address"),
        pytest.param("csv:", "csv takes FOLDER", id="nothing after the word"),
        pytest.param("sample:x", "sample takes nothing more", id="too much after the word"),
        pytest.param("github:flask", "`flask` is no repository: write owner/name", id="no owner"),
        pytest.param("github:a/..", "`a/..` is no repository", id="a path in disguise"),
        pytest.param("github:a/b?x=1", "is no repository", id="a query in disguise"),
        pytest.param("github:@/no/such/list", "`@/no/such/list`: No such file", id="missing list"),
    ],
)
def test_a_setting_that_means_nothing_is_refused_by_name(location, words):
    with pytest.raises(DataError, match=words.replace("?", r"\?")):
        WORKLOAD.sources(location)


def test_repositories_may_stand_in_a_file(tmp_path):
    (tmp_path / "ours.txt").write_text("pallets/flask\n\n# the rest\npallets/click  # a comment\npallets/flask\n")
    (source,) = WORKLOAD.sources(f"github:@{tmp_path}/ours.txt,a/b")
    assert source.repositories == ("pallets/flask", "pallets/click", "a/b")


def test_such_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "ours.txt").write_text("pallets/flask\n", encoding="utf-8-sig")
    (source,) = WORKLOAD.sources(f"github:@{tmp_path}/ours.txt")
    assert source.repositories == ("pallets/flask",)


@pytest.mark.parametrize(("content", "words"), [(b"@{file}", "it names itself"), (b"fl\xe4sk/a", "no text in UTF-8")])
def test_such_a_file_that_cannot_be_read_is_named(tmp_path, content, words):
    file = tmp_path / "ours.txt"
    file.write_bytes(content.replace(b"{file}", bytes(file)))
    with pytest.raises(DataError, match=f"{file}`: {words}"):
        WORKLOAD.sources(f"github:@{file}")


def test_a_token_does_not_show_itself(monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    (source,) = WORKLOAD.sources("github:a/b")
    assert source.token == "hunter2"
    assert "hunter2" not in repr(source)


@pytest.mark.parametrize("location", ["/no/such/folder", "csv:/no/such/folder"])
def test_a_folder_that_is_not_there_is_named_when_it_is_read(location, tmp_path):
    (source,) = WORKLOAD.sources(location)
    with pytest.raises(SourceError, match="`/no/such/folder`"):
        land(source, bronze=tmp_path)


@pytest.mark.parametrize(
    ("first", "last", "hours"),
    [
        pytest.param("2026-01-31", "2026-01-31", 24, id="a day"),
        pytest.param("2026-01-31T05", "2026-01-31 6", 2, id="two spellings of hours"),
        pytest.param("2026-01-31-5", "2026-01-31T05:00Z", 1, id="two more"),
    ],
)
def test_spans_are_read_as_people_write_them(first, last, hours):
    assert len(list(Span.parse(first, last).hours())) == hours


@pytest.mark.parametrize(
    ("first", "last"), [("2026-02-31", ""), ("yesterday", ""), ("", "2026-01-01T24"), ("2026-01-02", "2026-01-01")]
)
def test_a_senseless_span_is_refused(first, last):
    with pytest.raises(DataError):
        Span.parse(first, last)


def test_the_real_samples_land_as_they_are(shared_data, tmp_path):
    """The whole hour of 2015, and the samples of every era under the name of an hour of theirs."""
    eras = {
        "2011-02-12-0": "events_2011-02", "2011-05-25-0": "events_2011-05", "2012-08-11-23": "events_2012-08",
        "2013-01-01-0": "events_2013-01", "2014-08-01-0": "events_2014-08_events_api", "2018-06-01-0": "events_2018-06",
        "2019-10-01-0": "events_2019-10", "2023-03-01-0": "events_2023-03", "2025-12-01-0": "events_2025-12",
        "2015-01-01-0": "2015-01-01-0",
    }  # fmt: skip
    folder = tmp_path / "hours"
    folder.mkdir()
    for hour, name in eras.items():
        (folder / f"{hour}.json.gz").symlink_to(shared_data / "gharchive" / f"{name}.json.gz")
    (source,) = WORKLOAD.sources(str(folder))
    report = land(source, bronze=tmp_path / "bronze", pace=Pace(now=lambda: datetime(2026, 1, 1, tzinfo=UTC)))
    assert (report.landed, report.troubles) == (len(eras), ())
    for hour, name in eras.items():
        day, _, number = hour.rpartition("-")
        landed = tmp_path / "bronze" / "github_archive" / day / f"{number}.json.gz"
        assert landed.read_bytes() == (shared_data / "gharchive" / f"{name}.json.gz").read_bytes()
