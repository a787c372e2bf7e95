"""Bronze to gold with the real dbt and DuckDB, compared with counts that plain Python made on its own."""

import dataclasses
import gzip
import json
import shutil
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import duckdb
import pandas as pd
import pytest

from ratchet import ingest, workloads
from ratchet.contracts.errors import DataError
from ratchet.ingest.shared_gold import share
from ratchet.rehearsal import read_gold
from ratchet.settings import Settings
from ratchet.wiring import Wired

pytestmark = pytest.mark.usefixtures("warm_dbt")

WORKLOAD = workloads.find("github_activity")
TARGET_OF = {
    ("WatchEvent", "started"): "new_stars",
    ("IssuesEvent", "opened"): "issues_opened",
    ("PullRequestEvent", "opened"): "prs_opened",
}


def turn(home: Path, location: str, workload=WORKLOAD) -> ingest.GoldPartition:
    for source in workload.sources(location):
        ingest.land(source, bronze=home / "bronze")
    return ingest.build_gold(workload, home=home, location=location)


def count_plainly(lines: list[bytes]) -> tuple[Counter, Counter, int]:
    """Count by (repository, Sunday, target) and by outcome of a line, without any of the code under test.

    Of two repositories that had one name, as where one was deleted and made anew, only what the later one did counts.
    """
    counts, outcomes, seen = defaultdict(Counter), Counter(), set()
    has_name: dict[str, tuple[str, int]] = {}
    for line in lines:
        try:
            event = json.loads(line)
            key = (event["type"], event["id"], event["created_at"], event["repo"]["name"])
            day = datetime.strptime(event["created_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).date()
        except (ValueError, KeyError, TypeError):
            outcomes["rejected"] += 1
            continue
        if day.year == 2099:
            outcomes["rejected"] += 1
            continue
        if key in seen:
            outcomes["duplicate"] += 1
            continue
        seen.add(key)
        sunday = day + timedelta(days=6 - day.weekday())
        payload, name, repo_id = event["payload"], key[3].lower(), event["repo"]["id"]
        has_name[name] = max(has_name.get(name, ("", 0)), (key[2], repo_id))
        if event["type"] == "PushEvent":
            counts[name, repo_id][key[3], sunday, "commits"] += payload.get("distinct_size", 1)
        elif target := TARGET_OF.get((event["type"], payload.get("action"))):
            counts[name, repo_id][key[3], sunday, target] += 1
    standing = (count for (name, repo_id), count in counts.items() if has_name[name][1] == repo_id)
    return sum(standing, Counter()), outcomes, len(seen)


def lines_of(folder: Path) -> list[bytes]:
    return [
        line for path in sorted(folder.glob("*.json.gz")) for line in gzip.decompress(path.read_bytes()).splitlines()
    ]


def counted(frame: pd.DataFrame, ds: date) -> dict[tuple[str, date, str], int]:
    rows = frame[frame["ds"] == pd.Timestamp(ds)]
    return {(row.unique_id, ds, row.target): int(row.y) for row in rows.itertuples() if row.y}


def ask(home: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(home / "warehouse" / "github_activity" / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Land, build and publish the sample in a home."""
    place = tmp_path_factory.mktemp("home")
    turn(place, "sample")
    return place


def test_the_partition_says_what_it_is(home):
    partition = ingest.newest(home, "github_activity")
    assert partition.data_hour == datetime(2026, 11, 16, tzinfo=UTC)
    assert partition.data_hour.utcoffset() == timedelta(0)
    assert (partition.last_week, partition.series, partition.synthetic) == (date(2026, 11, 15), 96, True)
    assert partition.path == home / "gold" / "github_activity" / f"20261116T00-{partition.digest[:8]}"
    assert sorted(path.name for path in partition.path.iterdir()) == [
        "activity_pattern.parquet",
        "anomalies.parquet",
        "clusters.parquet",
        "contributors_by_repository.parquet",
        "manifest.json",
        "repository_features.parquet",
        "series.parquet",
        "trending_repositories.parquet",
        "vintages.parquet",
        "weekly_activity.parquet",
    ]


def test_the_last_week_of_gold_is_what_plain_python_counts_in_the_events(home):
    lines = lines_of(Path(WORKLOAD.sources("sample")[1].folder))
    counts, outcomes, events = count_plainly(lines)
    assert counted(ingest.read_series(ingest.newest(home, "github_activity")), date(2026, 11, 15)) == counts
    assert ask(home, "select count(*) from silver.events") == [(events,)]
    assert ask(home, "select count(*) from silver.rejected_events") == [(outcomes["rejected"],)]
    assert len(lines) == events + outcomes["duplicate"] + outcomes["rejected"]
    assert outcomes == {"rejected": 7, "duplicate": 12}


def test_features_are_means_per_week_that_people_can_read(home):
    """They were logarithms, under the names of counts."""
    partition = ingest.newest(home, "github_activity")
    weeks = pd.read_parquet(partition.path / "weekly_activity.parquet")
    recent = weeks[pd.to_datetime(weeks["ds"]) > pd.Timestamp(partition.last_week) - pd.Timedelta(weeks=26)]
    expected = recent.groupby("unique_id")["commits"].mean()
    for table in ("repository_features", "clusters"):
        told = pd.read_parquet(partition.path / f"{table}.parquet").set_index("unique_id")["commits"]
        pd.testing.assert_series_equal(told.sort_index(), expected[told.index].sort_index(), check_names=False)


def test_the_weeks_before_are_the_history_and_none_is_missing(home):
    frame = ingest.read_series(ingest.newest(home, "github_activity"))
    history = pd.read_csv(WORKLOAD.sources("sample")[0].folder / "2026-11-08-23.csv.gz", parse_dates=["week"])
    long = history.melt(id_vars=["repository", "week"], var_name="target", value_name="y")
    merged = frame.merge(
        long, left_on=["unique_id", "ds", "target"], right_on=["repository", "week", "target"], how="left"
    )
    before = merged[merged["ds"] < "2026-11-15"]
    assert (before["y_x"] == before["y_y"]).all()
    assert len(frame) == len(long) + 96


def test_rejected_lines_keep_their_reason_and_text(home):
    reasons = Counter(reason for (reason,) in ask(home, "select reason from silver.rejected_events"))
    assert reasons == {
        "not JSON": 2,
        "not an object": 1,
        "repository missing": 1,
        "created_at missing": 1,
        "created_at outside the archive": 1,
        "id missing": 1,
    }
    assert ("<html><body>502 Bad Gateway</body></html>",) in ask(home, "select raw from silver.rejected_events")


def test_building_the_same_again_changes_nothing(home):
    before = files_in(home / "gold")
    assert turn(home, "sample").digest == ingest.newest(home, "github_activity").digest
    assert files_in(home / "gold") == before


def test_a_failed_test_is_named_and_gold_stays(home, tmp_path):
    before = files_in(home / "gold")
    shutil.copytree(WORKLOAD.sql, tmp_path / "sql")
    (tmp_path / "sql" / "tests" / "stars_must_never_be_given.sql").write_text(
        "select 1 as given from {{ ref('weekly_activity') }} where new_stars > 0"
    )
    strict = dataclasses.replace(WORKLOAD, sql=tmp_path / "sql")
    with pytest.raises(DataError, match=r"github_activity: stars_must_never_be_given: Got \d+ results"):
        ingest.build_gold(strict, home=home, location="sample")
    assert files_in(home / "gold") == before


def test_a_model_that_does_not_compile_is_named_and_gold_stays(home, tmp_path):
    before = files_in(home / "gold")
    shutil.copytree(WORKLOAD.sql, tmp_path / "sql")
    (tmp_path / "sql" / "gold" / "series.sql").write_text("select * from {{ ref('no_such_model') }}")
    with pytest.raises(DataError, match="no_such_model"):
        ingest.build_gold(dataclasses.replace(WORKLOAD, sql=tmp_path / "sql"), home=home, location="sample")
    assert files_in(home / "gold") == before


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(lambda data: data[:-5], "12.json.gz: landed with .* restore it", id="shorter than it landed"),
        pytest.param(lambda data: bytes(len(data)), "12.json.gz: .* other bytes of that length", id="overwritten"),
    ],
)
def test_a_bronze_file_damaged_before_it_was_read_is_named_and_gold_stays(home, tmp_path, damage, words):
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "warehouse")
    home = tmp_path
    before = files_in(home / "gold")
    path = home / "bronze" / "sample_events" / "2026-11-12" / "12.json.gz"
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    with pytest.raises(DataError, match=words):
        ingest.build_gold(WORKLOAD, home=home, location="sample")
    assert files_in(home / "gold") == before


def test_a_changed_series_file_is_refused(home, tmp_path):
    shutil.copytree(home / "gold", tmp_path / "gold")
    partition = ingest.newest(tmp_path, "github_activity")
    (partition.path / "series.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"series\.parquet: missing or changed"):
        ingest.read_series(partition)


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_gold_and_silver_are_shared_and_an_empty_machine_goes_on_from_them(home, tmp_path, kind, request):
    place = str(tmp_path / "shared") if kind == "folder" else f"{request.getfixturevalue('bucket')}/{uuid4().hex}"
    settings = Settings(_env_file=None, data_home=home, gold=f"{place}/gold", silver=f"{place}/silver")
    ingest.build_gold(WORKLOAD, home=home, location="sample", elsewhere=Wired(settings).elsewhere)
    other = settings.model_copy(update={"data_home": tmp_path / "other"})
    partition, here = Wired(other).newest_gold("github_activity"), ingest.newest(home, "github_activity")
    assert (partition.path.parents[2], partition.digest) == (tmp_path / "other", here.digest)
    assert files_in(partition.path) == files_in(here.path)
    assert ingest.read_series(partition).equals(ingest.read_series(here))
    assert len(read_gold(other, "github_activity").names) == 96
    silver = ingest.open_place(f"{place}/silver/github_activity")
    files = json.loads(silver.read("manifest.json")[0])["files"]
    for table in ("events", "items", "rejected_events", "repositories"):
        rows = sum(said["rows"] for name, said in files.items() if name.startswith(f"{table}/"))
        assert ask(home, f"select count(*) from silver.{table}") == [(rows,)]
    assert set(silver.listing()) == {*files, "manifest.json"}


def test_a_machine_that_follows_keeps_as_much_gold_as_one_that_publishes(home, tmp_path):
    shutil.copytree(home / "gold", tmp_path / "one" / "gold")
    here = ingest.newest(tmp_path / "one", "github_activity").path
    there = ingest.open_place(str(tmp_path / "shared"))
    follower = Wired(Settings(_env_file=None, data_home=tmp_path / "other", gold=there.location, gold_keep=2))
    for name in ("20261109T00-a", "20261110T00-b", "20261111T00-c"):
        shutil.copytree(here, here.with_name(name))
        share(here.with_name(name), there.under("github_activity"))
        assert follower.newest_gold("github_activity").path.name == name
    kept = sorted(path.parent.name for path in (tmp_path / "other").glob("gold/*/*/manifest.json"))
    assert kept == ["20261110T00-b", "20261111T00-c"]


def test_nothing_published_is_none_and_nothing_landed_is_said(tmp_path):
    assert ingest.newest(tmp_path, "github_activity") is None
    with pytest.raises(DataError, match="github_activity: nothing has landed yet"):
        ingest.build_gold(WORKLOAD, home=tmp_path, location="sample")


def test_what_was_refused_is_refused_again_until_it_is_mended(tmp_path):
    """Airflow tries a failed build again, with nothing new to take in."""
    folder = tmp_path / "histories" / "a__b"
    folder.mkdir(parents=True)
    days = [f"2026-10-{day:02}T10:00:00Z" for day in range(1, 31)]

    def write(rejected: int) -> None:
        moments = days * 4 + ["no time"] * rejected
        (folder / "commits.csv").write_text(
            "\n".join(["sha,author_date", *(f"{n},{at}" for n, at in enumerate(moments))])
        )

    write(rejected=10)
    turn(tmp_path, location := f"csv:{folder.parent}")
    before = (tmp_path / "gold/github_activity/newest.json").read_text()
    write(rejected=100)
    for _ in range(2):
        with pytest.raises(DataError, match=r"gold stays as it was, rejected_share: found 45.45% of 220 new records"):
            turn(tmp_path, location)
    assert (tmp_path / "gold/github_activity/newest.json").read_text() == before
    write(rejected=20)
    turn(tmp_path, location)
    reports = tmp_path / "gold/github_activity/quality"
    newest = json.loads((reports / "newest.json").read_text())["report"]
    intake = json.loads((reports / f"{newest}.json").read_text())["intake"]
    assert (intake["new_records"], intake["new_rejected"]) == (140, 20)


def test_records_that_are_too_few_to_be_judged_are_judged_with_those_that_follow(tmp_path):
    """An hour of a few repositories never has enough: all of them could be rejected, and each hour gold moved."""
    folder = tmp_path / "events"
    folder.mkdir()
    star = (
        b'{"id":"%d","type":"WatchEvent","repo":{"name":"a/b"},'
        b'"created_at":"2015-01-04T23:00:00Z","payload":{"action":"started"}}'
    )
    write_hour(folder, "2015-01-04-23", [star % at for at in range(80)])
    turn(tmp_path, str(folder))
    write_hour(folder, "2015-01-05-0", [b"[]"] * 40)
    with pytest.raises(DataError, match=r"gold stays as it was, rejected_share: found 33.33% of 120 new records"):
        turn(tmp_path, str(folder))


def write_hour(folder: Path, name: str, lines: list[bytes]) -> None:
    (folder / f"{name}.json.gz").write_bytes(gzip.compress(b"\n".join(lines), mtime=0))


def test_the_real_hour_of_2015_counts_as_plain_python_does(shared_data, tmp_path):
    folder = tmp_path / "events"
    folder.mkdir()
    shutil.copyfile(shared_data / "gharchive" / "2015-01-01-0.json.gz", folder / "2015-01-01-0.json.gz")
    with pytest.raises(DataError, match="no complete week has landed yet"):
        turn(tmp_path, str(folder))
    write_hour(folder, "2015-01-04-23", [])  # the week is complete once its last hour has landed, even an empty one
    partition = turn(tmp_path, str(folder))
    counts, outcomes, events = count_plainly(lines_of(folder))
    assert counted(ingest.read_series(partition), date(2015, 1, 4)) == {
        key: count for key, count in counts.items() if count
    }
    assert (partition.data_hour, partition.synthetic) == (datetime(2015, 1, 5, tzinfo=UTC), False)
    assert ask(tmp_path, "select count(*) from silver.events") == [(events,)] == [(7702,)]
    assert not outcomes


def test_no_line_can_crash_the_build(tmp_path):
    folder = tmp_path / "events"
    folder.mkdir()
    star = (
        b'{"id":"%d","type":"WatchEvent","repo":{"name":"a/b"},'
        b'"created_at":"2015-01-04T23:00:00Z","payload":{"action":"started"}}'
    )
    bad = {
        "not UTF-8": b'{"id":"1","type":"\xff\xfe"}',
        "NUL byte": b'{"id":"\x00"}',
        "not JSON": b"}{",
        "line too long": b'{"id":"' + b"x" * 100_000_000,
        "nested too deeply": b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "created_at unreadable": (star % 1).replace(b"2015-01-04", b"2015-02-31"),
        "created_at outside the archive": (star % 2).replace(b"2015-01-04", b"1970-01-01"),
        "type missing": b'{"id":{"type":1},"nested":' + b"[" * 1020 + b"]" * 1020 + b"}",
        "created_at missing": (star % 3).replace(b"created_at", b"created"),
    }
    lines = [line for at, raw in enumerate(bad.values(), start=10) for line in (star % at, raw, b"")]
    write_hour(folder, "2015-01-04-23", [*lines, star % 99, star % 99])
    partition = turn(tmp_path, str(folder))
    assert dict(ask(tmp_path, "select reason, count(*) from silver.rejected_events group by reason")) == dict.fromkeys(
        bad, 1
    )
    assert counted(ingest.read_series(partition), date(2015, 1, 4)) == {
        ("a/b", date(2015, 1, 4), "new_stars"): len(bad) + 1
    }
