"""What was told of a week when: by hand on a few weeks, and through `publish` on a warehouse of two series."""

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest

from ratchet import ingest, workloads
from ratchet.contracts.errors import DataError
from ratchet.ingest import gold as publishing
from ratchet.ingest import shared_gold, vintages
from ratchet.ingest.partition import gold_root, read_manifest
from ratchet.ingest.quality_page import Intake
from ratchet.ingest.warehouse import Warehouse

HOUR = datetime(2026, 11, 16, tzinfo=UTC)
LATER = HOUR + timedelta(hours=6)
NEWEST, OLD = "2026-11-15", "2026-01-04"
NONE = pd.DataFrame({"unique_id": [], "target": [], "ds": pd.to_datetime([]), "y": []})
NOTHING = NONE.assign(known_at=pd.to_datetime([]))


MILLION = """
    CREATE TABLE million AS
    SELECT 'owner-' || series || '/name' AS unique_id, DATE '2023-01-15' + CAST(7 * week AS INTEGER) AS ds
    FROM range(5000) AS a (series), range(200) AS b (week)
"""


def tell(before, series_before, series_now, **hours):
    with duckdb.connect() as connection:
        tables = [
            connection.from_df(frame.astype({"unique_id": "string", "target": "string"}))
            for frame in (before, series_before, series_now)
        ]
        return vintages.tell(connection, *tables, **hours).df()


def series(*rows):
    names, ds, y = zip(*rows, strict=True)
    return pd.DataFrame({"unique_id": names, "target": "sent", "ds": pd.to_datetime(list(ds)), "y": y})


def rows(told):
    return [
        (row.unique_id, f"{row.ds:%Y-%m-%d}", f"{row.known_at:%dT%H}", row.y) for row in told.itertuples(index=False)
    ]


def told_first(*now):
    return tell(NOTHING, NONE, series(*now), data_hour=HOUR, hour_before=None)


def told_next(before, earlier, now, *, data_hour=LATER, hour_before=HOUR):
    return tell(before, series(*earlier), series(*now), data_hour=data_hour, hour_before=hour_before)


def test_the_first_gold_tells_its_young_weeks_only():
    edge, beyond = "2026-09-21", "2026-09-20"
    assert rows(told_first(("b", NEWEST, 3.0), ("a", OLD, 9.0), ("a", beyond, 1.0), ("a", edge, 2.0))) == [
        ("a", edge, "16T00", 2.0),
        ("b", NEWEST, "16T00", 3.0),
    ]


def test_a_young_week_that_grows_has_a_row_for_each_telling():
    before = told_first(("a", NEWEST, 3.0))
    told = told_next(before, [("a", NEWEST, 3.0)], [("a", NEWEST, 5.0)])
    assert rows(told) == [("a", NEWEST, "16T00", 3.0), ("a", NEWEST, "16T06", 5.0)]
    same = told_next(told, [("a", NEWEST, 5.0)], [("a", NEWEST, 5.0)], data_hour=LATER + timedelta(hours=1))
    assert rows(same) == rows(told)
    back = told_next(told, [("a", NEWEST, 5.0)], [("a", NEWEST, 3.0)], data_hour=LATER + timedelta(hours=1))
    assert rows(back)[-1] == ("a", NEWEST, "16T07", 3.0)


def test_an_old_week_that_changes_is_first_told_as_it_was():
    assert rows(told_next(NOTHING, [("a", OLD, 3.0)], [("a", OLD, 4.0)])) == [
        ("a", OLD, "16T00", 3.0),
        ("a", OLD, "16T06", 4.0),
    ]


def test_an_old_week_that_was_not_there_is_a_backfill_and_a_young_one_is_news():
    now = [("a", OLD, 3.0), ("a", NEWEST, 1.0), ("new", OLD, 8.0), ("new", NEWEST, 2.0)]
    assert rows(told_next(told_first(("a", NEWEST, 1.0)), [("a", NEWEST, 1.0)], now)) == [
        ("a", NEWEST, "16T00", 1.0),
        ("new", NEWEST, "16T06", 2.0),
    ]


def test_what_is_gone_keeps_its_rows_and_what_comes_back_goes_on_from_them():
    before = told_first(("a", NEWEST, 1.0), ("b", NEWEST, 2.0))
    gone = told_next(before, [("a", NEWEST, 1.0), ("b", NEWEST, 2.0)], [("b", NEWEST, 2.0)])
    assert rows(gone) == rows(before)
    after = {"data_hour": LATER + timedelta(hours=1), "hour_before": LATER}
    assert rows(told_next(gone, [("b", NEWEST, 2.0)], [("a", NEWEST, 1.0)], **after)) == rows(before)
    assert ("a", NEWEST, "16T07", 4.0) in rows(told_next(gone, [("b", NEWEST, 2.0)], [("a", NEWEST, 4.0)], **after))


@pytest.mark.parametrize("hours", [0, -100], ids=["of the same hour", "of an hour long ago"])
def test_gold_of_no_newer_hour_is_told_after_what_was_told_before(hours):
    before = told_first(("a", NEWEST, 3.0))
    data_hour = HOUR + timedelta(hours=hours)
    told = told_next(
        before, [("a", NEWEST, 3.0), ("a", OLD, 1.0)], [("a", NEWEST, 9.0), ("a", OLD, 0.0)], data_hour=data_hour
    )
    assert rows(told) == [
        ("a", OLD, "16T00", 1.0),
        ("a", OLD, "16T00", 0.0),
        ("a", NEWEST, "16T00", 3.0),
        ("a", NEWEST, "16T00", 9.0),
    ]
    assert rows(told_next(told, [("a", NEWEST, 9.0), ("a", OLD, 0.0)], [("a", NEWEST, 9.0), ("a", OLD, 0.0)])) == rows(
        told
    )


def test_gold_from_before_vintages_were_kept_begins_them_at_its_first_change():
    assert rows(
        told_next(NOTHING, [("a", NEWEST, 3.0), ("b", NEWEST, 1.0)], [("a", NEWEST, 4.0), ("b", NEWEST, 1.0)])
    ) == [
        ("a", NEWEST, "16T00", 3.0),
        ("a", NEWEST, "16T06", 4.0),
    ]


def test_the_order_of_rows_changes_nothing():
    rng = np.random.default_rng(1)
    weeks = pd.date_range(end=NEWEST, periods=30, freq="7D")
    earlier = series(*((name, week, float(rng.poisson(3))) for name in "abc" for week in weeks))
    now = earlier.assign(y=earlier["y"] + rng.poisson(0.3, len(earlier)))
    before = tell(NOTHING, NONE, earlier, data_hour=HOUR, hour_before=None)
    told = tell(before, earlier, now, data_hour=LATER, hour_before=HOUR)
    mixed = [frame.sample(frac=1, random_state=0) for frame in (earlier, now)]
    pd.testing.assert_frame_equal(told, tell(before, *mixed, data_hour=LATER, hour_before=HOUR))
    assert told.equals(told.sort_values(["unique_id", "target", "ds", "known_at"], kind="stable", ignore_index=True))


def test_a_million_rows_take_seconds():
    with duckdb.connect() as connection:
        connection.execute(MILLION)
        now = connection.sql("SELECT unique_id, 'sent' AS target, ds, 2.0::DOUBLE AS y FROM million")
        earlier = connection.sql("SELECT unique_id, 'sent' AS target, ds, 1.0::DOUBLE AS y FROM million")
        nothing = connection.sql(
            "SELECT *, 0.0::DOUBLE AS y, 'x' AS target, ds::TIMESTAMP AS known_at FROM million WHERE false"
        )
        began = time.process_time()
        told = vintages.tell(connection, nothing, earlier, now, data_hour=LATER, hour_before=HOUR)
        assert told.count("*").fetchall() == [(2_000_000,)]
        assert time.process_time() - began < 10  # two on an idle machine


# ------------------------------------------------------------------ published


@pytest.fixture
def workload(tmp_path):
    sql = tmp_path / "sql" / "gold"
    sql.mkdir(parents=True)
    (sql / "schema.yml").write_text("models:\n  - name: series\n    description: Parcels.\n")
    return replace(
        workloads.find("github_activity"),
        name="parcels",
        targets=("sent",),
        sql=sql.parent,
        truth_after=timedelta(days=1),
    )


@pytest.fixture
def publish(tmp_path, workload):
    """Publish a warehouse that holds these series: `publish(*rows, at=…)`."""

    def call(*now, at=HOUR, home=tmp_path / "home", there=None, beside=()):
        database = tmp_path / "warehouse.duckdb"
        database.unlink(missing_ok=True)
        with duckdb.connect(str(database)) as connection:
            connection.register("arriving", series(*now))
            connection.execute("CREATE SCHEMA gold")
            connection.execute(
                "CREATE TABLE gold.series AS SELECT unique_id, target, CAST(ds AS DATE) AS ds, y FROM arriving"
            )
            for table in beside:
                connection.execute(f"CREATE TABLE gold.{table} AS SELECT 1 AS one")
        intake = Intake(records=0, events=0, duplicates=0, rejected=0, new_records=0, new_rejected=0, reasons={})
        warehouse = Warehouse(database=database, data_hour=at, intake=intake)
        return publishing.publish(workload, warehouse, home=home, synthetic=True, now=HOUR, there=there)

    return call


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_each_gold_carries_what_all_before_it_told(publish):
    publish(("a", OLD, 1.0), ("a", NEWEST, 3.0))
    second = publish(("a", OLD, 1.0), ("a", NEWEST, 4.0), at=LATER)
    third = publish(("a", OLD, 2.0), ("a", NEWEST, 4.0), at=LATER + timedelta(hours=1))
    told = ingest.read_vintages(third)
    assert rows(told) == [
        ("a", OLD, "16T06", 1.0),
        ("a", OLD, "16T07", 2.0),
        ("a", NEWEST, "16T00", 3.0),
        ("a", NEWEST, "16T06", 4.0),
    ]
    assert told["known_at"].dt.tz is UTC
    assert rows(ingest.read_vintages(second)) == rows(told)[2:]
    assert read_manifest(third.path)["tables"]["vintages"]["place"] == 1


def test_a_gold_model_may_not_take_the_name_of_the_file_that_is_made_here(publish):
    with pytest.raises(DataError, match="may not be called `vintages`"):
        publish(("a", NEWEST, 3.0), beside=("vintages",))
    assert publish(("a", NEWEST, 3.0), beside=("vintage_cars",)).series == 1


def test_a_week_counts_as_what_happened_when_it_has_matured(publish):
    assert publish(("a", NEWEST, 3.0)).truth_until == date(2026, 11, 14)
    assert publish(("a", NEWEST, 3.0), at=HOUR + timedelta(hours=23)).truth_until == date(2026, 11, 14)
    assert publish(("a", NEWEST, 3.0), at=HOUR + timedelta(hours=24)).truth_until == date(2026, 11, 15)


def test_the_name_is_that_of_the_tables_and_the_same_tables_keep_their_vintages(publish, tmp_path):
    publish(("a", NEWEST, 2.0), at=HOUR - timedelta(hours=1))
    first = publish(("a", NEWEST, 3.0))
    before = files_in(first.path)
    alone = publish(("a", NEWEST, 3.0), home=tmp_path / "another")
    assert (alone.path.name, alone.digest) == (first.path.name, first.digest)
    assert files_in(alone.path) != before
    publish(("a", NEWEST, 4.0))
    assert publish(("a", NEWEST, 3.0)) == first
    assert files_in(first.path) == before
    assert len(ingest.read_vintages(first)) == 2


def test_vintages_that_were_changed_are_refused_and_older_gold_has_none(publish):
    partition = publish(("a", NEWEST, 3.0))
    (partition.path / "vintages.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"vintages\.parquet: missing or changed"):
        ingest.read_vintages(partition)
    make_older(partition.path)
    assert ingest.read_vintages(partition).empty
    assert list(ingest.read_vintages(partition)) == ["unique_id", "target", "ds", "known_at", "y", "coverage"]
    assert rows(ingest.read_vintages(publish(("a", NEWEST, 4.0), at=LATER))) == [
        ("a", NEWEST, "16T00", 3.0),
        ("a", NEWEST, "16T06", 4.0),
    ]


def make_older(folder):
    """As a version published it that kept no vintages."""
    (folder / "vintages.parquet").unlink()
    manifest = read_manifest(folder)
    del manifest["files"]["vintages.parquet"], manifest["truth_until"]
    (folder / "manifest.json").write_text(publishing.dump(manifest))


def test_damaged_gold_is_made_again_as_it_was(publish):
    publish(("a", NEWEST, 3.0))
    second = publish(("a", NEWEST, 4.0), at=LATER)
    before = files_in(second.path)
    for name in ("vintages.parquet", "series.parquet"):
        (second.path / name).write_bytes(b"PAR1")
        publish(("a", NEWEST, 4.0), at=LATER)
        assert files_in(second.path) == before


@pytest.mark.parametrize("step", ["_export", "write_vintages", "replace_text", "settle", "share"])
def test_killed_at_a_step_and_run_again_it_ends_the_same(publish, tmp_path, monkeypatch, step):
    for home in ("undisturbed", "home"):
        publish(("a", NEWEST, 3.0), home=tmp_path / home)
    undisturbed = files_in(publish(("a", NEWEST, 4.0), at=LATER, home=tmp_path / "undisturbed").path)
    whole = getattr(publishing, step)

    def then_die(*arguments, **named):
        whole(*arguments, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(publishing, step, then_die)
        with pytest.raises(KeyboardInterrupt):
            publish(("a", NEWEST, 4.0), at=LATER)
    assert files_in(publish(("a", NEWEST, 4.0), at=LATER).path) == undisturbed
    assert len(list(gold_root(tmp_path / "home", "parcels").glob("2*"))) == 2


def test_a_machine_without_gold_goes_on_from_what_is_shared(publish, tmp_path):
    there = ingest.open_place(str(tmp_path / "shared"))
    publish(("a", NEWEST, 3.0), there=there)
    moved = publish(("a", NEWEST, 4.0), at=LATER, there=there, home=tmp_path / "new")
    assert [row[2:] for row in rows(ingest.read_vintages(moved))] == [("16T00", 3.0), ("16T06", 4.0)]
    assert ingest.follow(tmp_path / "home", "parcels", there)
    assert files_in(ingest.newest(tmp_path / "home", "parcels").path) == files_in(moved.path)


def test_other_vintages_under_the_same_name_are_put_there_with_their_manifest(publish, tmp_path):
    there = ingest.open_place(str(tmp_path / "shared"))
    first = publish(("a", NEWEST, 3.0))
    shared_gold.share(first.path, there)
    publish(("a", NEWEST, 2.0), at=HOUR - timedelta(hours=1), home=tmp_path / "other")
    other = publish(("a", NEWEST, 3.0), home=tmp_path / "other")
    assert other.path.name == first.path.name
    shared_gold.share(other.path, there)
    assert ingest.follow(tmp_path / "third", "parcels", there)
    assert files_in(ingest.newest(tmp_path / "third", "parcels").path) == files_in(other.path)


def test_how_much_had_been_seen_is_told_with_the_count():
    first = series(("a", NEWEST, 5.0), ("a", OLD, 2.0)).assign(coverage=[0.5, 0.25])
    now = series(("a", NEWEST, 9.0), ("a", OLD, 8.0)).assign(coverage=[1.0, 1.0])
    before = tell(NOTHING, NONE, first, data_hour=HOUR, hour_before=None)
    told = tell(before, first, now, data_hour=LATER, hour_before=HOUR)
    assert list(zip(told["y"], told["coverage"], strict=True)) == [(2.0, 0.25), (8.0, 1.0), (5.0, 0.5), (9.0, 1.0)]


def test_a_week_that_was_seen_further_is_told_again_though_nothing_more_was_counted():
    """A fold would take the half week for all that was ever known, and twice its count for the week."""
    seen_first = {"half": (1.0, 0.5), "silent": (0.0, 0.5), "unseen": (0.0, 0.1)}
    first, now = (
        series(*((name, NEWEST, y) for name, (y, _) in seen_first.items())).assign(coverage=coverage)
        for coverage in ([part for _, part in seen_first.values()], 1.0)
    )
    told = tell(NOTHING, NONE, first, data_hour=HOUR, hour_before=None)
    for later in (LATER, LATER + timedelta(hours=1)):
        told = tell(told, first if later == LATER else now, now, data_hour=later, hour_before=HOUR)
    assert list(zip(told["unique_id"], told["y"], told["coverage"], strict=True)) == [
        ("half", 1.0, 0.5),
        ("half", 1.0, 1.0),
        ("silent", 0.0, 0.5),
        ("unseen", 0.0, 0.1),
        ("unseen", 0.0, 1.0),
    ]


def test_an_old_week_that_was_seen_further_is_first_told_as_it_was():
    earlier = series(("a", OLD, 2.0)).assign(coverage=0.5)
    told = tell(NOTHING, earlier, earlier.assign(coverage=1.0), data_hour=LATER, hour_before=HOUR)
    assert list(zip(told["y"], told["coverage"], strict=True)) == [(2.0, 0.5), (2.0, 1.0)]


def test_vintages_from_before_coverage_was_told_are_carried_on():
    before = told_first(("a", NEWEST, 5.0)).drop(columns="coverage")
    told = tell(
        before,
        series(("a", NEWEST, 5.0)),
        series(("a", NEWEST, 9.0)).assign(coverage=1.0),
        data_hour=LATER,
        hour_before=HOUR,
    )
    assert told["coverage"].isna().tolist() == [True, False]
