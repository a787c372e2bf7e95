"""Every era of the archive against a plain reader of its own logic; histories of repositories against theirs; hostile hours."""

import csv
import gzip
import hashlib
import json
import re
import shutil
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from ratchet import workloads
from ratchet.ingest.bronze import FolderBronze
from ratchet.ingest.manifest import Landed, Manifest
from ratchet.ingest.warehouse.build import build, project_of
from ratchet.ingest.warehouse.read import read
from ratchet.ingest.warehouse.state import ARRIVING, State

pytestmark = pytest.mark.usefixtures("warm_dbt")

WORKLOAD = workloads.find("github_activity")
ERAS = {
    "events_2011-02": "2011-04-30",
    "events_2011-05": "2011-12-31",
    "events_2012-08": "2012-08-31",
    "events_2013-01": "2013-01-10",
    "events_2014-08_events_api": "2014-08-30",
    "events_2018-06": "2018-07-01",
    "events_2019-10": "2019-11-01",
    "events_2023-03": "2023-05-01",
    "events_2025-12": "2025-12-31",
}
TARGETS = ("commits", "new_stars", "issues_opened", "prs_opened", "prs_merged")


def put(home: Path, source: str, file: str, content: bytes, hour: datetime, part: str = "") -> None:
    """Land a file as the sources would."""
    path = home / "bronze" / source / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    Manifest(home / "bronze" / source).append(
        Landed(source=source, hour=hour, file=file, bytes=len(content), sha256=digest, seconds=0.1, part=part)
    )


def ask(home: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(home / "warehouse" / "github_activity" / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def moment(text: str) -> datetime:
    """Read the three spellings of created_at, by hand."""
    found = re.fullmatch(r"(\d+)[-/](\d+)[-/](\d+)[T ](\d+):(\d+):(\d+)(?: ?([+-])(\d\d):?(\d\d)|Z)", text)
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    offset = timedelta(hours=int(found[8] or 0), minutes=int(found[9] or 0)) * (-1 if found[7] == "-" else 1)
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC) - offset


def count_era(path: Path) -> tuple[Counter, int]:
    """Count (repository, Sunday, target), and different events, with none of the code under test."""
    counts, seen = Counter(), set()
    for event in map(json.loads, gzip.decompress(path.read_bytes()).splitlines()):
        body = json.dumps({name: event.get(name) for name in ("id", "type", "actor", "created_at", "payload", "url")})
        if body in seen:
            continue
        seen.add(body)
        where = event.get("repo") or event.get("repository") or {}
        name = where.get("name", "")
        name = name if "/" in name else f"{where.get('owner')}/{name}"
        day = moment(event["created_at"]).date()
        key, payload = (name, day + timedelta(days=6 - day.weekday())), event["payload"]
        if event["type"] == "PushEvent":
            shas = [sha for sha in payload.get("shas", []) if len(sha) < 5 or sha[4]]
            counts[(*key, "commits")] += payload.get("distinct_size", len(shas) if "shas" in payload else 1)
        elif event["type"] == "WatchEvent":
            counts[(*key, "new_stars")] += 1
        elif event["type"] == "IssuesEvent" and payload["action"] == "opened":
            counts[(*key, "issues_opened")] += 1
        elif event["type"] == "PullRequestEvent":
            counts[(*key, "prs_opened")] += payload["action"] == "opened"
            merged = payload["action"] == "merged" or payload.get("pull_request", {}).get("merged", False)
            counts[(*key, "prs_merged")] += bool(merged)
    return +counts, len(seen)


@pytest.fixture(scope="module")
def eras(shared_data, tmp_path_factory) -> Path:
    """All eras but that of the whole hour (test_gold has it), and six repositories' histories, in one warehouse."""
    home = tmp_path_factory.mktemp("eras")
    for name, day in ERAS.items():
        at = datetime.fromisoformat(day).replace(tzinfo=UTC)
        content = (shared_data / "gharchive" / f"{name}.json.gz").read_bytes()
        if name == "events_2012-08":  # as the archive itself wrote until 2012-08-11
            content = gzip.compress(b"".join(gzip.decompress(content).split(b"\n")), mtime=0)
        put(home, "github_archive", f"{day}/0.json.gz", content, at)
    for path in sorted((shared_data / "repo_history").glob("*/*.csv")):
        part = f"{path.parent.name.replace('__', '/')}/{path.stem}"
        file = f"2026-09-01/0/{path.parent.name}/{path.stem}-00000000.csv.gz"
        content = gzip.compress(path.read_bytes(), mtime=0)
        put(home, "github_csv", file, content, datetime(2026, 9, 1, tzinfo=UTC), part)
    build(WORKLOAD, home=home, bronze=FolderBronze(home / "bronze"), sources=["github_archive", "github_csv"])
    return home


@pytest.mark.parametrize("name", ERAS)
def test_an_era_counts_as_a_plain_reader_counts_it(eras, shared_data, name):
    counts, events = count_era(shared_data / "gharchive" / f"{name}.json.gz")
    file = f"{ERAS[name]}/0.json.gz"
    measures = ", ".join(f"sum({target})" for target in TARGETS)
    rows = ask(
        eras,
        f"select repository, week, {measures} from silver.events join bronze.landed using (file_id) "
        f"where file = '{file}' group by all",
    )
    found = {(row[0], row[1], target): int(row[2 + at]) for row in rows for at, target in enumerate(TARGETS)}
    assert {key: count for key, count in found.items() if count} == counts
    assert ask(
        eras, f"select count(*) from silver.events join bronze.landed using (file_id) where file = '{file}'"
    ) == [(events,)]


def test_every_record_is_accounted_for_in_every_hour(eras):
    with (eras / "warehouse" / "github_activity" / "hours.csv").open() as stream:
        hours = list(csv.DictReader(stream))
    for row in hours:
        assert int(row["records"]) == int(row["events"]) + int(row["duplicates"]) + int(row["rejected"]), row
    by_hour = {row["hour"][:10]: row for row in hours if row["source"] == "github_archive"}
    assert (by_hour["2019-11-01"]["events"], by_hour["2019-11-01"]["duplicates"]) == ("112", "98")
    assert {row["rejected"] for row in hours} == {"0"}


def test_only_guessed_commits_are_marked(eras):
    rows = ask(eras, "select distinct year(created_at), commits_estimated from silver.events where type = 'PushEvent'")
    assert sorted(rows) == [
        (2011, True),
        *((year, False) for year in (2012, 2013, 2014, 2018, 2019, 2023)),
        (2025, True),
    ]


def test_no_address_is_kept_as_it_was(eras):
    kept = ask(eras, "select distinct actor_email from silver.events where actor_email is not null")
    assert kept
    assert all(re.fullmatch(r"[0-9a-f]{40}(@\S+)?", email) for (email,) in kept)


@pytest.mark.parametrize(
    ("repository", "kind", "target", "column"),
    [
        ("labsai/EDDI", "commits", "commits", "author_date"),
        ("labsai/EDDI", "stargazers", "new_stars", "starred_at"),
        ("microsoft/onnxruntime", "issues", "issues_opened", "created_at"),
        ("microsoft/onnxruntime", "pull_requests", "prs_opened", "created_at"),
        ("microsoft/onnxruntime", "pull_requests", "prs_merged", "merged_at"),
        ("SeldonIO/seldon-core", "commits", "commits", "author_date"),
        ("kserve/website", "commits", "commits", "author_date"),
        ("spotify/confidence", "commits", "commits", "author_date"),
    ],
)
def test_a_history_counts_as_its_file_says_week_by_week(eras, shared_data, repository, kind, target, column):
    counts, newest = Counter(), datetime.min.replace(tzinfo=UTC)
    with (shared_data / "repo_history" / repository.replace("/", "__") / f"{kind}.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            newest = max(newest, moment(row["created_at" if column == "merged_at" else column]))
            if row[column]:
                day = moment(row[column]).date()
                counts[day + timedelta(days=6 - day.weekday())] += 1
    last = min(newest.date() - timedelta(days=1), ask(eras, "select max(ds) from gold.weekly_activity")[0][0])
    rows = ask(
        eras,
        f"select ds, {target}, coverage from gold.weekly_activity where unique_id = '{repository}' and {target} > 0",
    )
    assert {ds: count for ds, count, _ in rows} == {day: count for day, count in counts.items() if day <= last}
    assert min(share for *_, share in rows) >= 0.25


def test_weeks_that_nothing_tells_of_have_no_coverage(eras):
    known = ask(
        eras,
        "select ds, commits, coverage from gold.weekly_activity where unique_id = 'spotify/confidence' order by ds",
    )
    assert (known[0][0], known[-1][0] >= date(2026, 8, 16)) == (date(2021, 4, 11), True)
    assert {coverage for ds, _, coverage in known if ds > date(2024, 9, 22) and ds != date(2025, 12, 21)} <= {
        0.0,
        1 / 168,
    }
    assert ask(
        eras,
        "select distinct coverage from gold.weekly_activity where ds = '2026-08-16' and unique_id = 'spotify/confidence'",
    ) == [(0.0,)]


def test_the_models_pass_their_unit_tests(eras, tmp_path):
    shutil.copytree(eras / "warehouse" / "github_activity", tmp_path / "place")
    state = State(place=tmp_path / "place")
    read(WORKLOAD.name, [], out=state.place / ARRIVING)
    project = project_of(WORKLOAD, state, unit_tests=True)
    project.run("test", "--select", "test_type:unit")
