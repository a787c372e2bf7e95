"""CSV histories: real ones, changed ones, and what is none."""

import gzip
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from ratchet.contracts.errors import SourceError
from ratchet.ingest import land, manifest
from ratchet.ingest.warehouse.state import State
from ratchet.workloads.github_activity.sources.csv_folder import CsvFolders

NOW = datetime(2026, 2, 1, 10, 30, tzinfo=UTC)
ROWS = "sha,author_date\n1,2026-01-08T16:20:06+01:00\n2,2026-01-09T16:20:06-08:00\n"


def folder(*places, now: datetime = NOW) -> CsvFolders:
    return CsvFolders(name="github_csv", folders=places, clock=lambda: now)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "csv" / "pallets__flask").mkdir(parents=True)
    (tmp_path / "csv" / "pallets__flask" / "commits.csv").write_text(ROWS)
    return tmp_path / "csv"


def landed(tmp_path) -> list[tuple[str, str, bytes]]:
    root = tmp_path / "bronze" / "github_csv"
    return [
        (entry.part, entry.file, gzip.decompress((root / entry.file).read_bytes())) for entry in manifest.read(root)
    ]


def test_the_real_histories_land_as_they_are(shared_data, tmp_path):
    report = land(folder(shared_data / "repo_history"), bronze=tmp_path / "bronze")
    originals = {
        f"{path.parent.name.replace('__', '/')}/{path.stem}": path.read_bytes()
        for path in (shared_data / "repo_history").glob("*/*.csv")
    }
    assert {part: content for part, _, content in landed(tmp_path)} == originals
    assert (report.landed, report.troubles) == (8, ())
    assert land(folder(shared_data / "repo_history"), bronze=tmp_path / "bronze").landed == 0


def test_a_file_says_what_hour_it_landed_in_and_what_it_holds(place, tmp_path):
    land(folder(place), bronze=tmp_path / "bronze")
    ((part, file, content),) = landed(tmp_path)
    assert (part, content) == ("pallets/flask/commits", ROWS.encode())
    assert file.startswith("2026-02-01/10/pallets__flask/commits-")
    assert file.endswith(".csv.gz")


def test_the_same_content_lands_once_and_a_change_lands_as_a_whole_new_snapshot(place, tmp_path):
    path = place / "pallets__flask" / "commits.csv"
    assert land(folder(place), bronze=tmp_path / "bronze").landed == 1
    path.touch()
    assert land(folder(place, now=NOW + timedelta(hours=3)), bronze=tmp_path / "bronze").landed == 0
    path.write_text(ROWS + "3,2026-01-10T00:00:00Z\n")
    assert land(folder(place, now=NOW + timedelta(hours=3)), bronze=tmp_path / "bronze").landed == 1
    path.write_text(ROWS)
    assert land(folder(place, now=NOW + timedelta(hours=5)), bronze=tmp_path / "bronze").landed == 1
    assert [content.count(b"\n") for _, _, content in landed(tmp_path)] == [3, 4, 3]
    assert [file[:13] for _, file, _ in landed(tmp_path)] == ["2026-02-01/10", "2026-02-01/13", "2026-02-01/15"]


def test_what_landed_last_is_read_last_though_the_clock_was_set_back(place, tmp_path):
    """Silver is made again from bronze by the hour: the older file would count from then on."""
    land(folder(place), bronze=tmp_path / "bronze")
    (place / "pallets__flask" / "commits.csv").write_text(ROWS + "3,2026-01-10T00:00:00Z\n")
    land(folder(place, now=NOW - timedelta(hours=5)), bronze=tmp_path / "bronze")
    (tmp_path / "warehouse").mkdir()
    entries = manifest.read(tmp_path / "bronze" / "github_csv")
    assert len(entries) == 2
    assert State(place=tmp_path / "warehouse").pending(entries) == list(entries)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "no column `author_date`; its first line has: nothing", id="empty"),
        pytest.param(b"sha,date\n1,2\n", "its first line has: sha, date", id="another column"),
        pytest.param(
            b"sha,author_date\r1,2026-01-01\r", "its first line is no CSV: save it as text", id="lines of an old Mac"
        ),
        pytest.param(b"\x00\xff\xfe", "no column `author_date`", id="no text"),
    ],
)
def test_a_file_without_its_column_is_named_and_the_others_land(place, tmp_path, content, words):
    shutil.copytree(place / "pallets__flask", place / "other__one")
    (place / "other__one" / "commits.csv").write_bytes(content)
    report = land(folder(place), bronze=tmp_path / "bronze")
    assert [(trouble.what, trouble.name) for trouble in report.troubles] == [("damaged", "other/one/commits")]
    assert words in report.troubles[0].reason
    assert [part for part, _, _ in landed(tmp_path)] == ["pallets/flask/commits"]


def test_marks_and_quotes_in_the_first_line_are_understood(place, tmp_path):
    (place / "pallets__flask" / "commits.csv").write_bytes(
        b'\xef\xbb\xbf"sha", "x" ,author_date\r\n1,2,2026-01-01T00:00:00Z\r\n'
    )
    assert land(folder(place), bronze=tmp_path / "bronze").troubles == ()


@pytest.mark.parametrize("packed", ["commits.csv.gz", "commits.csv"])
def test_a_packed_file_is_the_same_as_an_unpacked_one(place, tmp_path, packed):
    path = place / "pallets__flask" / "commits.csv"
    path.unlink()
    path.with_name("commits.csv.gz").write_bytes(gzip.compress(ROWS.encode()))
    assert land(folder(place), bronze=tmp_path / "bronze").landed == 1
    path.with_name("commits.csv.gz").unlink()
    path.with_name(packed).write_bytes(gzip.compress(ROWS.encode(), 1) if packed.endswith(".gz") else ROWS.encode())
    assert land(folder(place), bronze=tmp_path / "bronze").landed == 0
    assert [(part, content) for part, _, content in landed(tmp_path)] == [("pallets/flask/commits", ROWS.encode())]


def test_what_is_packed_no_more_is_read(place, tmp_path):
    (place / "pallets__flask" / "commits.csv.gz").write_bytes(gzip.compress(b"older"))
    assert land(folder(place), bronze=tmp_path / "bronze").troubles == ()
    assert [content for *_, content in landed(tmp_path)] == [ROWS.encode()]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(lambda whole: whole[:-9], "end-of-stream marker", id="cut off"),
        pytest.param(lambda whole: whole[:-8] + bytes(8), "CRC check failed", id="spoilt"),
        pytest.param(lambda _: ROWS.encode(), "Not a gzipped file", id="not packed at all"),
        pytest.param(lambda whole: whole[:10] + b"\xff" * 9 + whole[19:], "while decompressing", id="spoilt within"),
    ],
)
def test_a_packed_file_that_is_damaged_is_named_and_the_others_land(place, tmp_path, spoil, words):
    (place / "other__one").mkdir()
    (place / "other__one" / "commits.csv.gz").write_bytes(spoil(gzip.compress(ROWS.encode())))
    report = land(folder(place), bronze=tmp_path / "bronze")
    assert [(trouble.what, trouble.name) for trouble in report.troubles] == [("damaged", "other/one/commits")]
    assert "commits.csv.gz: " in report.troubles[0].reason
    assert words in report.troubles[0].reason
    assert [part for part, _, _ in landed(tmp_path)] == ["pallets/flask/commits"]


def test_of_two_folders_that_differ_in_case_alone_the_second_is_named(place, tmp_path):
    for name, kind in (("Pallets__Flask", "commits"), ("Pallets__Flask", "issues"), ("PALLETS__flask", "stargazers")):
        (place / name).mkdir(exist_ok=True)
        column = {"commits": "author_date", "issues": "created_at", "stargazers": "starred_at"}[kind]
        (place / name / f"{kind}.csv").write_text(f"{column}\n2026-01-09T16:20:06Z\n")
    report = land(folder(place), bronze=tmp_path / "bronze")
    assert [part for part, _, _ in landed(tmp_path)] == ["PALLETS/flask/stargazers"]
    assert [(trouble.what, trouble.name) for trouble in report.troubles] == [
        ("refused", "Pallets/Flask/commits"),
        ("refused", "Pallets/Flask/issues"),
        ("refused", "pallets/flask/commits"),
    ]
    assert "PALLETS__flask` is the same repository" in report.troubles[0].reason


def test_a_history_that_is_in_two_folders_is_that_of_the_first_and_the_other_is_named(place, tmp_path):
    """Each superseded the other at every run: what counted was whichever had landed last."""
    other = tmp_path / "other"
    for name, text in (
        ("commits", ROWS + "3,2026-01-10T00:00:00Z\n"),
        ("issues", "created_at\n2026-01-09T16:20:06Z\n"),
    ):
        (other / "pallets__flask").mkdir(parents=True, exist_ok=True)
        (other / "pallets__flask" / f"{name}.csv").write_text(text)
    (other / "Pallets__Click").mkdir()
    (other / "Pallets__Click" / "commits.csv").write_text(ROWS)
    shutil.copytree(other / "Pallets__Click", place / "pallets__click")
    for hour in range(3):
        report = land(folder(place, other, now=NOW + timedelta(hours=hour)), bronze=tmp_path / "bronze")
    assert [part for part, _, _ in landed(tmp_path)] == [
        "pallets/click/commits",
        "pallets/flask/commits",
        "pallets/flask/issues",
    ]
    click, flask = report.troubles
    assert (click.what, click.name) == ("refused", "Pallets/Click/commits")
    assert (flask.what, flask.name) == ("refused", "pallets/flask/commits")
    assert str(place / "pallets__flask" / "commits.csv") in flask.reason
    assert str(other / "pallets__flask" / "commits.csv") in flask.reason


def test_of_several_folders_one_without_a_history_is_told_and_the_others_land(place, tmp_path):
    with pytest.raises(SourceError, match=r"below `.*/away`"):
        land(folder(tmp_path / "away", place), bronze=tmp_path / "bronze")
    assert [part for part, _, _ in landed(tmp_path)] == ["pallets/flask/commits"]


def test_other_files_and_folders_are_left_alone_and_none_at_all_is_said(place, tmp_path):
    (place / "pallets__flask" / "notes.csv").write_text("x")
    (place / "noowner").mkdir()
    assert land(folder(place), bronze=tmp_path / "bronze").landed == 1
    with pytest.raises(SourceError, match=r"no file owner__name/\(commits\|issues"):
        land(folder(place / "noowner"), bronze=tmp_path / "bronze")


def test_a_file_that_changes_while_it_is_read_does_not_land(place, tmp_path):
    class Changing(CsvFolders):
        def offers(self, known):
            for piece in super().offers(known):
                (place / "pallets__flask" / "commits.csv").write_text("sha,author_date\n")
                yield piece

    with pytest.raises(SourceError, match="changed while it was read"):
        land(Changing(name="github_csv", folders=(place,)), bronze=tmp_path / "bronze")
    assert landed(tmp_path) == []
