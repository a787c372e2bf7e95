"""Histories as they come: renamed, exported badly and again, cut off; landed by their sources, taken in by one build."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from code_host import START, CodeHost, Repo
from ratchet import ingest, workloads
from ratchet.contracts.errors import DataError
from ratchet.ingest.bronze import FolderBronze
from ratchet.ingest.warehouse.build import build
from ratchet.ingest.warehouse.state import State
from ratchet.workloads.github_activity.sources.api import RepositoryApi
from ratchet.workloads.github_activity.sources.csv_folder import CsvFolders
from web import Asked, Reply, serve

pytestmark = pytest.mark.usefixtures("warm_dbt")

WORKLOAD = workloads.find("github_activity")
DAY = 24 * 60
ASKED = datetime(2026, 2, 18, 10, 35, tzinfo=UTC)
EXPORTED = datetime(2026, 2, 16, 9, tzinfo=UTC)  # a Monday
MONDAY = datetime(2026, 2, 9, tzinfo=UTC)  # from which on the archive is there
BEGUN_ANEW = {
    MONDAY: {"id": 20, "name": "code/base"},
    MONDAY + timedelta(hours=1): {"id": 20, "name": "code/legacy"},
    MONDAY + timedelta(hours=2): {"id": 21, "name": "code/base"},
}
TAKEN_OVER = MONDAY + timedelta(days=1)
ROWS = 28  # one a day, from 15 January on


def commits(rows: int, *more: str) -> str:
    days = (f"{datetime(2026, 1, 15, tzinfo=UTC) + timedelta(days=at % ROWS):%Y-%m-%d}" for at in range(rows))
    return "\n".join(["sha,author_date", *(f"{at:04x},{day}T12:00:00Z" for at, day in enumerate(days)), *more, ""])


class Exports:
    """A folder of CSV histories that somebody writes to, landed minute by minute."""

    def __init__(self, home: Path) -> None:
        self.home, self.folder, self.now = home, home / "csv", EXPORTED

    def write(self, repository: str, kind: str, text: str) -> None:
        place = self.folder / repository.replace("/", "__")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{kind}.csv").write_text(text)

    def land(self) -> None:
        self.now += timedelta(minutes=1)
        source = CsvFolders(name="github_csv", folders=(self.folder,), clock=lambda: self.now)
        assert ingest.land(source, bronze=self.home / "bronze").troubles == ()


def poll(home: Path, host: CodeHost, at: datetime, *names: str) -> None:
    with serve(host) as web:
        host.address = web.address
        source = RepositoryApi(
            name="github_api", repositories=names, address=web.address, clock=lambda: at, sleep=lambda _: None
        )
        ingest.land(source, bronze=home / "bronze", pace=ingest.Pace(now=lambda: at))


def export_histories(home: Path) -> None:
    exports = Exports(home)
    exports.write("ancient/zero", "commits", commits(ROWS, "ffff,0001-01-01T00:00:00Z"))
    exports.write("ancient/epoch", "commits", commits(ROWS, "ffff,1970-01-01T00:00:00Z"))
    exports.write("ancient/cvs", "commits", commits(ROWS, "ffff,1990-11-19T00:00:00Z"))
    exports.land()
    exports.write("ancient/zero", "commits", commits(ROWS))
    exports.write("ancient/cvs", "commits", commits(ROWS))
    exports.land()
    for rows in (2 * ROWS, ROWS, 2 * ROWS):
        exports.write("put/back", "commits", commits(rows))
        exports.land()
    for rows in (ROWS, 2 * ROWS, 3 * ROWS, 4 * ROWS):
        exports.write("often/edited", "commits", commits(rows))
        exports.land()
    for kind, column in (("issues", "created_at"), ("pull_requests", "created_at"), ("commits", "author_date")):
        lines = [line.partition(",")[2] + ",alice" for line in commits(ROWS).splitlines()[1:]]
        exports.write("no/ids", kind, "\n".join([f"{column},user", *lines, ""]))
    rows = [f"{hour},{MONDAY + timedelta(hours=hour - 504):%Y-%m-%dT%H:%M:%SZ},ada" for hour in range(504 + 58)]
    exports.write("was/exported", "commits", "\n".join(["sha,author_date,author", *rows, ""]))
    exports.land()
    exports.write("with/blanks", "commits", commits(ROWS).replace(",", " , "))
    exports.write("code/base", "commits", commits(ROWS))
    exports.land()
    exports.now = EXPORTED - timedelta(hours=18)  # on the Sunday
    rows = [f"{at:x},{MONDAY + timedelta(hours=at - 168 + 9):%Y-%m-%dT%H:%M:%S}" for at in range(168 + 160)]
    exports.write("without/offsets", "commits", "\n".join(["sha,author_date", *rows, ""]))
    exports.land()


def rename(home: Path) -> None:
    repo = Repo("old/name", 2)
    repo.open(1, 60)
    repo.open(2, 61, pull=True)
    host = CodeHost(repo)
    poll(home, host, START + timedelta(days=3), "old/name")
    host.repositories, host.renamed, repo.full_name = {"new/name": repo}, {"old/name": repo}, "new/name"
    repo.touch(1, 20 * DAY)
    repo.touch(2, 20 * DAY, merged=True)
    poll(home, host, EXPORTED, "old/name")


def ask_the_api(home: Path) -> None:
    """Stars beyond the API's limit; a repository that falls silent; one whose first walk does not come to its end."""
    starred, silent, begun = (
        Repo(name, at) for at, name in enumerate(("many/stars", "fell/silent", "half/walked"), 10)
    )
    for at in range(1050):
        starred.star(at, at * 20)  # of which the API lists those until 14 January
    silent.commit("silent")
    for at in range(1001):
        begun.commit(f"{at}")

    def fail_behind_the_tenth_page(asked: Asked) -> None:
        if asked.query.get("page") == "10" and asked.path.endswith("/commits"):
            host.script += [("/commits", Reply(status=502))] * 5

    host = CodeHost(starred, silent, begun)
    host.star_pages, host.after = 10, fail_behind_the_tenth_page
    poll(home, host, START + timedelta(days=3), "fell/silent")
    poll(home, host, START + timedelta(days=40), "many/stars", "half/walked")
    poll(home, host, ASKED, "many/stars", "fell/silent")


def archive(home: Path) -> None:
    """Land a whole week: each hour a star, a commit of a repository whose history was exported on its Wednesday, whose `code/base` is.

    And a star of one that was deleted on Monday evening and made anew.
    """
    hours = home / "hours"
    hours.mkdir()
    for at in (MONDAY + timedelta(hours=hour) for hour in range(168)):
        about = {"created_at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "actor": {"login": "ada"}}
        push = {"type": "PushEvent", "repo": {"id": 1, "name": "Was/Exported"}, "payload": {"distinct_size": 1}}
        star = {"type": "WatchEvent", "repo": {"id": 10, "name": "many/stars"}, "payload": {"action": "started"}}
        told = {"type": "WatchEvent", "repo": BEGUN_ANEW.get(at, {"id": 21, "name": "Code/Base"}), "payload": {}}
        anew = {"id": 31, "name": "Taken/Over"} if at >= TAKEN_OVER else {"id": 30, "name": "taken/over"}
        events = (push, star, told, {**star, "repo": anew})
        lines = [json.dumps({"id": f"{at:%d%H}", **about, **event}) for event in events]
        (hours / f"{at:%Y-%m-%d}-{at.hour}.json.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    for source in WORKLOAD.sources(str(hours)):
        ingest.land(source, bronze=home / "bronze")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("histories")
    export_histories(place)
    rename(place)
    ask_the_api(place)
    archive(place)
    sources = [path.name for path in (place / "bronze").iterdir()]
    build(WORKLOAD, home=place, bronze=FolderBronze(place / "bronze"), sources=sources)
    return place


@pytest.fixture
def ask(home) -> Iterator:
    with duckdb.connect(str(home / "warehouse" / "github_activity" / "warehouse.duckdb"), read_only=True) as connection:
        yield lambda sql: connection.execute(sql).fetchall()


def test_a_date_of_a_clock_that_was_never_set_is_rejected_and_named(ask):
    found = ask("select part, reason from silver.rejected_events join bronze.landed using (file_id) order by part")
    reason = "author_date outside the archive"
    assert found == [("ancient/epoch/commits", reason), ("ancient/zero/commits", reason)]
    assert ask("select min(ds) from gold.series where unique_id = 'ancient/epoch'") == [(date(2026, 1, 18),)]


def test_weeks_begin_with_what_counts_not_with_what_was_superseded(ask):
    assert ask("select count(*) from silver.items where year(created_at) = 1990") == [(1,)]
    assert ask("select min(ds), max(ds) from silver.weeks") == [(date(2026, 1, 4), date(2026, 2, 15))]


@pytest.mark.parametrize(("repository", "rows"), [("put/back", 2 * ROWS), ("often/edited", 4 * ROWS)])
def test_of_several_files_within_an_hour_the_last_that_landed_counts(ask, repository, rows):
    assert ask(f"select count(*) from silver.known_items where unique_id = '{repository}'") == [(rows,)]


def test_blanks_around_commas_are_no_part_of_a_date(ask):
    assert ask("select count(*) from silver.known_items where unique_id = 'with/blanks'") == [(ROWS,)]


def test_rows_without_an_id_are_all_different_whoever_wrote_them(ask):
    found = ask("select kind, count(*) from silver.known_items where unique_id = 'no/ids' group by 1 order by 1")
    assert found == [("commits", ROWS), ("issues", ROWS), ("pull_requests", ROWS)]


def test_what_changes_after_a_renaming_is_counted_once(ask):
    found = ask(
        "select unique_id, sum(issues_opened), sum(prs_opened) from gold.weekly_activity where unique_id like '%/name' group by 1"
    )
    assert found == [("new/name", 1, 1)]


def weeks_of(ask, repository: str, target: str) -> list[tuple]:
    rows = f"from gold.series where unique_id = '{repository}' and target = '{target}' order by ds"
    return ask(f"select ds, y::int, coverage {rows}")


def test_stars_that_the_api_does_not_list_are_not_taken_for_none(ask):
    told = [(date(2026, 1, 4), 288, 1.0), (date(2026, 1, 11), 504, 1.0)]
    unknown = [(date(2026, 1, 18) + timedelta(weeks=at), 0, 0.0) for at in range(4)]
    assert weeks_of(ask, "many/stars", "new_stars") == [*told, *unknown, (date(2026, 2, 15), 168, 1.0)]


def test_the_week_in_which_a_file_was_exported_is_left_to_the_archive(ask):
    sundays = [date(2026, 1, 25) + timedelta(weeks=at) for at in range(4)]
    assert weeks_of(ask, "Was/Exported", "commits") == [(sunday, 168, 1.0) for sunday in sundays]
    found = ask("select actor, commits from gold.contributors_by_repository where unique_id = 'Was/Exported'")
    assert found == [("ada", 4 * 168)]


def test_a_file_is_of_who_had_the_name_when_it_landed_in_any_case(ask):
    found = ask(
        "select unique_id, sum(commits)::int from gold.weekly_activity where lower(unique_id) like 'code/%' group by 1"
    )
    assert found == [("Code/Base", 25)]  # its last three days are in a week that it has not seen whole


def test_of_two_repositories_that_had_a_name_one_after_the_other_the_archive_counts_the_one_that_has_it(ask):
    assert weeks_of(ask, "Taken/Over", "new_stars") == [(date(2026, 2, 15), 168 - 24, 1.0)]
    assert ask("select distinct unique_id from gold.series where lower(unique_id) = 'taken/over'") == [("Taken/Over",)]


def test_of_whom_the_archive_counts_no_more_a_notice_tells(ask):
    told = "taken/over was repository 30, and is another one now: what the archive has of the former counts no more"
    in_all = "24 in all of commits, stars, issues and pull requests"
    assert ask("select notice, size from silver.notices") == [(f"{told}, {in_all}", 24)]


def test_a_week_is_not_over_because_a_file_that_landed_within_it_is_dated_later(ask):
    """Written in Tokyo on Sunday afternoon, without offsets: its newest rows are dated Monday."""
    assert ask("select known_until from bronze.landed where part = 'without/offsets/commits'") == [
        (datetime(2026, 2, 15, 15),)  # noqa: DTZ001
    ]
    assert weeks_of(ask, "without/offsets", "commits")[-1] == (date(2026, 2, 15), 0, 1.0)


def test_a_repository_that_was_asked_and_had_nothing_new_is_known_to_be_quiet(ask):
    quiet = [(date(2026, 1, 11) + timedelta(weeks=at), 0, 1.0) for at in range(6)]
    assert weeks_of(ask, "fell/silent", "commits") == [(date(2026, 1, 4), 1, 1.0), *quiet]


def test_the_data_hour_is_that_of_the_last_answer_even_if_nothing_was_new(ask):
    assert ask("select max(known_until) from bronze.landed") == [(ASKED.replace(minute=0, tzinfo=None),)]


def test_where_nothing_can_be_read_there_is_no_data_hour_and_that_is_said(tmp_path):
    with pytest.raises(DataError, match="nothing that has landed can be read"):
        State(place=tmp_path).data_hour()


def test_half_of_a_first_walk_tells_of_no_week(ask):
    assert ask("select count(*) from silver.items where repository = 'half/walked'") == [(1000,)]
    assert weeks_of(ask, "half/walked", "commits") == []


def test_every_record_of_a_history_is_accounted_for(ask):
    sums = "sum(records), sum(events) + sum(duplicates) + sum(rejected)"
    ((read, found),) = ask(f"select {sums} from silver.file_counts")
    assert read == found
    assert ask("select count(*) from silver.walks")[0][0] > 10
