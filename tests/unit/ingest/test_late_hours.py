"""What comes late, again, by another name or from a better source: only its weeks are made again, to what a fresh build makes."""

import gzip
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from ratchet import workloads
from ratchet.ingest.bronze import FolderBronze
from ratchet.ingest.manifest import Landed, Manifest
from ratchet.ingest.warehouse.build import build

pytestmark = pytest.mark.usefixtures("warm_dbt")

WORKLOAD = workloads.find("github_activity")
SOURCES = ("github_archive", "github_api", "github_csv")


def put(home: Path, source: str, file: str, lines: list[str], at: datetime, part: str = "") -> None:
    content = gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
    path = home / "bronze" / source / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    Manifest(home / "bronze" / source).append(
        Landed(source=source, hour=at, file=file, bytes=len(content), sha256=digest, seconds=0.1, part=part)
    )


def event(number: int, kind: str, at: datetime, repo: tuple[int, str] = (1, "old/name"), **payload: object) -> str:
    return json.dumps(
        {
            "id": str(number),
            "type": f"{kind}Event",
            "actor": {"login": f"user-{number % 3}"},
            "repo": {"id": repo[0], "name": repo[1]},
            "payload": payload,
            "created_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        }
    )


def hour(home: Path, at: datetime, *lines: str) -> None:
    put(home, "github_archive", f"{at:%Y-%m-%d}/{at.hour}.json.gz", list(lines), at)


def api(home: Path, at: datetime, part: str, kind: str, *items: dict) -> None:
    rows = [
        json.dumps({"repository": "api/first", "repo_id": 9, "kind": kind, "fetched_at": at.isoformat(), "item": item})
        for item in items
    ]
    put(home, "github_api", f"{at:%Y-%m-%d}/{at.hour}-{part}.json.gz", rows, at, "api/first/" + kind)


def walk(home: Path, until: datetime, kind: str) -> None:
    row = {"repository": "api/first", "repo_id": 9, "kind": "walk", "fetched_at": until.isoformat()}
    item = {"kind": kind, "until": until.isoformat()}
    put(home, "github_api", f"{until:%Y-%m-%d}/0.json.gz", [json.dumps({**row, "item": item})], until, "walks")


WEEK_1 = datetime(2026, 10, 5, 10, tzinfo=UTC)
WEEK_2, WEEK_3 = WEEK_1 + timedelta(weeks=1), WEEK_1 + timedelta(weeks=2)
END = datetime(2026, 10, 25, 23, tzinfo=UTC)


def first_hours(home: Path) -> None:
    hour(home, WEEK_1, event(1, "Push", WEEK_1, distinct_size=2), event(2, "Watch", WEEK_1, action="started"))
    hour(
        home,
        WEEK_2,
        event(3, "Push", WEEK_2, distinct_size=5),
        event(30, "Push", WEEK_2, (9, "api/first"), distinct_size=50),
    )
    hour(home, WEEK_2 + timedelta(hours=1), "<html>Please log in</html>")  # as a proxy answers, well packed
    hour(home, END, event(4, "Watch", END, (1, "new/name"), action="started"))
    commits = [{"sha": f"{n}", "commit": {"author": {"date": WEEK_2.isoformat(), "email": "a@b.c"}}} for n in range(3)]
    api(home, END, "1", "commits", *commits, commits[0])
    walk(home, END + timedelta(hours=1), "commits")
    csv = ["sha,author_date", f"x,{WEEK_1.isoformat()}", f"y,{WEEK_2.isoformat()}"]
    put(home, "github_csv", "2026-10-25/22/csv__one/commits-1.csv.gz", csv, END, "csv/one/commits")


def late_hours(home: Path) -> None:
    late = WEEK_1 + timedelta(hours=1)
    hour(
        home,
        late,
        event(2, "Watch", WEEK_1, action="started"),
        event(5, "Push", late),
        event(6, "Issues", late, action="opened"),
    )
    late_api = END - timedelta(hours=1)
    api(
        home,
        late_api,
        "2",
        "commits",
        {"sha": "9", "commit": {"author": {"date": WEEK_3.isoformat(), "email": "a@b.c"}}},
    )
    csv = ["sha,author_date", f"x,{WEEK_1.isoformat()}", f"z,{WEEK_1.isoformat()}", f"y,{WEEK_3.isoformat()}"]
    csv.append(f"w,{(END + timedelta(hours=2)).isoformat()}")
    put(home, "github_csv", "2026-10-26/2/csv__one/commits-2.csv.gz", csv, END + timedelta(hours=3), "csv/one/commits")


def rows(home: Path, sql: str) -> list[tuple]:
    database = home / "warehouse" / "github_activity" / "warehouse.duckdb"
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def gold(home: Path) -> dict[str, list[tuple]]:
    tables = ("weekly_activity", "series", "contributors_by_repository", "activity_pattern", "trending_repositories")
    return {table: rows(home, f"from gold.{table} order by all") for table in tables}


def built(home: Path) -> Path:
    build(WORKLOAD, home=home, bronze=FolderBronze(home / "bronze"), sources=SOURCES)
    return home


@pytest.fixture(scope="module")
def in_two_steps(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("steps")
    first_hours(home)
    built(home)
    late_hours(home)
    return built(home)


def test_only_the_weeks_that_late_hours_touch_are_made_again(in_two_steps):
    assert rows(in_two_steps, "from silver.touched_weeks") == [(datetime(2026, 10, 11).date(),)]  # noqa: DTZ001


def test_late_hours_end_in_what_a_build_of_everything_makes(in_two_steps, tmp_path):
    first_hours(tmp_path)
    late_hours(tmp_path)
    assert gold(in_two_steps) == gold(built(tmp_path))


def test_a_repository_is_one_through_its_renaming_and_counts_each_event_once(in_two_steps):
    found = rows(
        in_two_steps,
        "select commits, new_stars, issues_opened, commits_estimated from gold.weekly_activity where unique_id = 'new/name' order by ds",
    )
    assert found == [(3, 1, 1, True), (5, 0, 0, False), (0, 1, 0, False)]
    assert rows(in_two_steps, "select count(*) from gold.weekly_activity where unique_id = 'old/name'") == [(0,)]


def test_the_api_wins_over_pushes_and_a_newer_file_over_the_older(in_two_steps):
    api_commits = rows(
        in_two_steps, "select commits from gold.weekly_activity where unique_id = 'api/first' order by ds"
    )
    csv_commits = rows(in_two_steps, "select commits from gold.weekly_activity where unique_id = 'csv/one' order by ds")
    assert (api_commits, csv_commits) == ([(3,), (1,)], [(2,), (0,), (1,)])


def test_weeks_that_were_hardly_seen_are_no_trend_and_group_nothing(in_two_steps):
    """Of each week one hour has landed."""
    assert rows(in_two_steps, "select distinct y from silver.whole_weeks where unique_id = 'new/name'") == [(None,)]
    for table in ("trending_repositories", "repository_features", "anomalies"):
        assert rows(in_two_steps, f"select count(*) from gold.{table} where unique_id = 'new/name'") == [(0,)]


def test_what_is_known_of_a_week_is_said(in_two_steps):
    found = rows(
        in_two_steps, "select target, coverage from gold.series where unique_id = 'api/first' and ds = '2026-10-18'"
    )
    assert dict(found) == {"commits": 1.0} | dict.fromkeys(("new_stars", "issues_opened", "prs_opened"), 1 / 168)
