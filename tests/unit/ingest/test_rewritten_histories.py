"""History that is rewritten at the API: gold counts what the branch holds now, and what was known before stays known as of then."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from code_host import START, CodeHost, Repo, moment
from ratchet import ingest, workloads
from ratchet.ingest.bronze import FolderBronze
from ratchet.ingest.partition import GoldPartition
from ratchet.ingest.warehouse.build import build
from ratchet.workloads.github_activity.sources.api import RepositoryApi
from web import Asked, serve

pytestmark = pytest.mark.usefixtures("warm_dbt")

WORKLOAD = workloads.find("github_activity")
FIRST, SECOND, THIRD = (START + timedelta(days=days) for days in (12, 13, 14))
NAMES = ("left/alone", "re/based", "re/rooted", "cut/off", "there/again", "made/anew")


def publish(home: Path, host: CodeHost, at: datetime) -> GoldPartition:
    with serve(host) as web:
        host.address = web.address
        source = RepositoryApi(
            name="github_api", repositories=NAMES, address=web.address, clock=lambda: at, sleep=lambda _: None
        )
        ingest.land(source, bronze=home / "bronze", pace=ingest.Pace(now=lambda: at))
    return ingest.build_gold(WORKLOAD, home=home, location=f"github:{','.join(NAMES)}", now=at)


def root_anew(repo: Repo) -> None:
    repo.head = ""
    for at in range(4):
        repo.commit(f"n{at}")


def cut_off_the_walk_of(name: str, host: CodeHost):
    """From the eleventh page on nothing of that repository is told: ten of its pages have landed."""

    def after(asked: Asked) -> None:
        if asked.query.get("page") == "10" and asked.path.startswith(f"/repos/{name}/commits"):
            host.repositories.pop(name)

    return after


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> tuple[Path, list[GoldPartition]]:
    home = tmp_path_factory.mktemp("rewritten")
    repos = {name: Repo(name, number) for number, name in enumerate(NAMES, 1)}
    for repo in repos.values():
        for at in range(10):
            repo.commit(f"c{at}")
    host = CodeHost(*repos.values(), page=1)
    golds = [publish(home, host, FIRST)]
    repos["re/based"].head = "c6"
    repos["re/based"].commit("r7")
    root_anew(repos["re/rooted"])
    repos["there/again"].head = "c2"
    host.repositories["made/anew"] = Repo("made/anew", 99, parents=repos["made/anew"].parents, head="c9")
    host.repositories["made/anew"].commit("c10")
    cut = repos["cut/off"]
    cut.head = ""
    for at in range(12):
        cut.commit(f"n{at}")
    host.after = cut_off_the_walk_of("cut/off", host)
    golds.append(publish(home, host, SECOND))
    host.after = lambda _: None
    host.repositories["cut/off"] = cut
    repos["there/again"].head = "c9"
    golds.append(publish(home, host, THIRD))
    return home, golds


def commits(gold: GoldPartition) -> dict[str, float]:
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT unique_id, sum(y) FROM read_parquet(?) WHERE target = 'commits' GROUP BY 1 ORDER BY 1",
            [str(gold.path / "series.parquet")],
        ).fetchall()
    return dict(rows)


def test_gold_counts_what_the_branch_holds(told):
    _, (first, second, third) = told
    assert commits(first) == dict.fromkeys(sorted(NAMES), 10)
    half = {"cut/off": 20}  # of the new history ten have landed; which old ones are gone is known at the walk's end
    assert (
        commits(second) == {"left/alone": 10, "re/based": 8, "re/rooted": 4, "there/again": 3, "made/anew": 11} | half
    )
    assert commits(third) == {
        "left/alone": 10,
        "re/based": 8,
        "re/rooted": 4,
        "there/again": 10,
        "made/anew": 11,
        "cut/off": 12,
    }


def test_what_was_known_then_stays_what_was_known_then(told):
    _, golds = told
    vintages = ingest.read_vintages(golds[-1])
    rows = vintages[(vintages.target == "commits") & (vintages.ds == "2026-01-04")]
    ours = {name: list(found.y) for name, found in rows.groupby("unique_id", observed=True)}
    assert ours == {
        "left/alone": [10], "re/based": [10, 8], "re/rooted": [10, 4], "there/again": [10, 3, 10], "made/anew": [10, 11],
        "cut/off": [10, 20, 12],
    }  # fmt: skip
    assert sorted(rows.known_at.unique()) == [FIRST, SECOND, THIRD]


def test_silver_tells_what_was_there_at_any_moment(told):
    home, _ = told
    as_of = """
        SELECT count(*) FROM (
            SELECT is_gone FROM silver.items WHERE repository = 'there/again' AND kind = 'commits' AND seen_at <= ?
            QUALIFY row_number() OVER (PARTITION BY item_key ORDER BY seen_at DESC) = 1
        ) WHERE NOT is_gone
    """
    with duckdb.connect(str(home / "warehouse/github_activity/warehouse.duckdb"), read_only=True) as connection:
        found = [
            connection.execute(as_of, [at.astimezone(UTC).replace(tzinfo=None)]).fetchone()
            for at in (FIRST, SECOND, THIRD)
        ]
    assert found == [(10,), (3,), (10,)]


def test_made_from_bronze_at_once_it_is_the_same(told, tmp_path):
    home, golds = told
    warehouse = build(WORKLOAD, home=tmp_path, bronze=FolderBronze(home / "bronze"), sources=["github_api"])
    with duckdb.connect(str(warehouse.database), read_only=True) as connection:
        fresh = connection.execute("FROM gold.series ORDER BY ALL").fetchall()
        kept = connection.execute(
            "FROM read_parquet(?) ORDER BY ALL", [str(golds[-1].path / "series.parquet")]
        ).fetchall()
    assert fresh == kept


def test_a_star_of_an_account_that_is_gone_is_a_star(tmp_path):
    repo = Repo(NAMES[0], 1)
    for who in range(3):
        repo.star(who, who)
    for minutes in (4, 5, 5):
        repo.stars.append({"starred_at": moment(minutes), "user": None})
    gold = publish(tmp_path, CodeHost(repo), FIRST)
    with duckdb.connect(str(tmp_path / "warehouse/github_activity/warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT sum(rejected) FROM silver.file_counts").fetchone() == (0,)
    assert ingest.read_table(gold, "weekly_activity").new_stars.max() == 5, "nothing tells two of one second apart"
