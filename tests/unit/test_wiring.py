"""What the real adapters are told of gold."""

import json
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest

from ratchet import workloads
from ratchet.contracts.release import file_digest
from ratchet.loop import Loop
from ratchet.settings import Settings

NAME = "github_activity"
SERIES = (
    "SELECT 'a/b' AS unique_id, 'commits' AS target, DATE '2026-11-15' - CAST(7 * back AS INTEGER) AS ds,"
    " CAST(3 - back % 3 AS DOUBLE) AS y FROM range(40) AS weeks (back) ORDER BY ds"
)
VINTAGES = (
    "SELECT 'a/b' AS unique_id, 'commits' AS target, DATE '2026-08-02' AS ds, known_at, y"
    " FROM (VALUES (TIMESTAMP '2026-08-03', 900.0), (TIMESTAMP '2026-11-10', 3.0)) AS told (known_at, y)"
)
END = datetime(2026, 11, 16, tzinfo=UTC)
"""The last of forty weeks has just ended."""


@pytest.fixture
def wired(tmp_path):
    """An installation with the gold of some hour: `wired(hour)`."""

    def make(data_hour, *, vintages="", **changes):
        folder = tmp_path / "gold" / NAME / "p1"
        folder.mkdir(parents=True, exist_ok=True)
        duckdb.sql(SERIES).write_parquet(str(folder / "series.parquet"))
        if vintages:
            duckdb.sql(vintages).write_parquet(str(folder / "vintages.parquet"))
        manifest = {
            "workload": NAME,
            "data_hour": data_hour.isoformat(),
            "last_week": "2026-11-15",
            "truth_until": workloads.find(NAME).truth_until(data_hour).isoformat(),
            "digest": "d",
            "series": 1,
            "synthetic": True,
            "files": {path.name: file_digest(path) for path in folder.glob("*.parquet")},
        }
        kept = {name: value for name, value in (manifest | changes).items() if value is not None}
        (folder / "manifest.json").write_text(json.dumps(kept))
        (folder.parent / "newest.json").write_text('{"partition": "p1"}')
        return Loop(Settings(_env_file=None, data_home=tmp_path))

    return make


@pytest.mark.parametrize(
    ("after", "last"),
    [
        pytest.param(timedelta(0), 8, id="just ended"),
        pytest.param(timedelta(hours=23), 8, id="an hour before it matures"),
        pytest.param(timedelta(hours=24), 15, id="matured"),
    ],
)
def test_a_week_is_scored_by_when_nothing_of_it_is_to_come(wired, after, last):
    found = list(wired(END + after)._actuals(NAME, date(2026, 11, 8)))
    assert [week.day for _, _, week, _ in found] == [8, 15][: 1 + (last == 15)]
    assert found[-1] == ("a/b", "commits", date(2026, 11, last), 2.0 + (last == 15))
    assert list(wired(END + after)._actuals(NAME, date(2026, 11, 22))) == []


def test_gold_from_before_it_said_so_counts_as_it_did(wired):
    assert len(list(wired(END, truth_until=None)._actuals(NAME, date(2026, 11, 1)))) == 3


def test_training_and_issues_see_every_complete_week(wired):
    assert len(wired(END)._gold(NAME).frame()) == 40


def test_issues_are_kept_for_the_weeks_that_are_still_to_mature(wired):
    assert wired(END)._truth_hour(NAME) == END - timedelta(days=1)


def test_training_takes_what_was_known_when_from_the_same_gold(wired):
    """The week after which 900 was told is the 25th of forty, early enough for a fold."""
    plain, told = (wired(END, vintages=sql).train(NAME, recipe=("naive",), reason="a test") for sql in ("", VINTAGES))
    assert plain != told


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("20261102T00-00000001", b"", id="a power cut's"),
        pytest.param("20261102T00-00000001", b'{"workload": "github_activity"}', id="another version's"),
        pytest.param(".20261102T00-00000001.draft", b"", id="in the making"),
    ],
)
def test_a_release_whose_card_cannot_be_read_keeps_nobody_from_pruning_gold(wired, name, content):
    """It is trained anew before anybody registers it."""
    loop = wired(END)
    loop.train(NAME, recipe=("naive",), reason="a test")
    card = loop._bundles(NAME) / name / "card.json"
    card.parent.mkdir()
    card.write_bytes(content)
    assert loop._trained_on(NAME) == [END]
