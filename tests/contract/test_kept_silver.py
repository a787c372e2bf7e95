"""Silver for other engines: one suite for a folder and for a bucket of a real S3 endpoint."""

import json
from datetime import UTC, datetime
from urllib.parse import urlsplit

import boto3
import duckdb
import pyarrow.dataset
import pyarrow.fs
import pytest

from places import bytes_at, killed, spoil
from ratchet import workloads
from ratchet.contracts.errors import DataError
from ratchet.contracts.workload import Cut
from ratchet.ingest import silver
from ratchet.ingest.quality_page import Intake
from ratchet.ingest.warehouse import Warehouse

EVENTS = """
    CREATE SCHEMA silver;
    CREATE TABLE silver.events AS
    SELECT range AS id, TIMESTAMP '2026-11-01 20:00:00' + INTERVAL (range) HOUR AS created_at, 'a' || range % 3 AS actor FROM range(60);
    INSERT INTO silver.events VALUES (60, NULL, 'nobody knows when');
    CREATE TABLE silver.names AS SELECT 'a' || range AS name, range AS "repo id" FROM range(3);
"""
NOTHING = Intake(records=0, events=0, duplicates=0, rejected=0, new_records=0, new_rejected=0, reasons={})
FILES = [
    *(f"events/day=2026-11-0{day}/rows.parquet" for day in (1, 2, 3, 4)),
    "events/day=__HIVE_DEFAULT_PARTITION__/rows.parquet",
    "manifest.json",
    "names/rows.parquet",
]


class Parcels:
    """What of a workload is asked for here."""

    name = "parcels"
    silver = {"events": Cut(column="created_at", by="day"), "names": None}  # noqa: RUF012


@pytest.fixture
def warehouse(tmp_path):
    return a_warehouse(tmp_path / "warehouse.duckdb", EVENTS)


def a_warehouse(path, *statements):
    change(path, *statements)
    return Warehouse(database=path, data_hour=datetime(2026, 11, 5, tzinfo=UTC), intake=NOTHING)


def change(path, *statements):
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)


def keep(warehouse, place):
    return silver.keep_silver(Parcels(), warehouse, place)


def read(place, table):
    """Every row of a table as an engine of its own sees it, which knows nothing of ours but the files."""
    if place.location.startswith("s3://"):
        address = urlsplit(place.location)
        client = boto3.client("s3")
        store = pyarrow.fs.S3FileSystem(
            access_key="test", secret_key="test", region="eu-central-1", endpoint_override=client.meta.endpoint_url
        )
        root = f"{address.netloc}{address.path}"
    else:
        store, root = pyarrow.fs.LocalFileSystem(), place.location
    found = pyarrow.dataset.dataset(f"{root}/{table}", filesystem=store, partitioning="hive", format="parquet")
    return found.to_table().to_pandas()


def changed(before, after):
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_another_engine_reads_what_the_warehouse_has(place, warehouse):
    assert keep(warehouse, place) == 6
    assert sorted(place.listing()) == FILES
    events = read(place, "events").sort_values("id")
    assert list(events["id"]) == list(range(61))
    assert list(events["actor"])[:4] == ["a0", "a1", "a2", "a0"]
    assert str(events["created_at"].iloc[0]) == "2026-11-01 20:00:00"
    assert [str(day) for day in events["day"].iloc[[3, 4]]] == ["2026-11-01", "2026-11-02"]
    assert sorted(read(place, "names")["repo id"]) == [0, 1, 2]


def test_the_manifest_says_what_each_file_holds(place, warehouse):
    keep(warehouse, place)
    said = json.loads(place.read("manifest.json")[0])
    assert (said["workload"], said["data_hour"]) == ("parcels", "2026-11-05T00:00:00+00:00")
    assert {name: entry["rows"] for name, entry in said["files"].items()} == dict(
        zip([name for name in FILES if name != "manifest.json"], [4, 24, 24, 8, 1, 3], strict=True)
    )
    kept = place.listing()
    assert all((kept[name].bytes, kept[name].tag) == (one["bytes"], one["tag"]) for name, one in said["files"].items())


def test_the_same_again_writes_nothing(place, warehouse):
    keep(warehouse, place)
    before = place.listing()
    assert keep(warehouse, place) == 0
    assert place.listing() == before


@pytest.mark.parametrize(
    ("statement", "files"),
    [
        pytest.param("INSERT INTO silver.events VALUES (99, '2026-11-02 09:00:00', 'late')", [FILES[1]], id="late row"),
        pytest.param("UPDATE silver.events SET actor = 'x' WHERE id = 30", [FILES[2]], id="another value"),
        pytest.param("INSERT INTO silver.events SELECT * FROM silver.events WHERE id = 60", [FILES[4]], id="twice"),
        pytest.param("ALTER TABLE silver.names RENAME COLUMN name TO called", [FILES[6]], id="another name"),
        pytest.param("ALTER TABLE silver.events ADD COLUMN more INTEGER", FILES[:5], id="another column"),
    ],
)
def test_only_what_changed_is_written(place, warehouse, statement, files):
    keep(warehouse, place)
    before = place.listing()
    change(warehouse.database, statement)
    assert keep(warehouse, place) == len(files)
    assert changed(before, place.listing()) == {*files, "manifest.json"}


def test_two_equal_rows_that_both_change_are_noticed(place, warehouse):
    change(warehouse.database, "INSERT INTO silver.events VALUES (70, NULL, 'twin'), (70, NULL, 'twin')")
    keep(warehouse, place)
    change(warehouse.database, "UPDATE silver.events SET actor = 'x' WHERE id = 70")
    assert keep(warehouse, place) == 1


def test_what_is_no_longer_in_silver_goes(place, warehouse):
    keep(warehouse, place)
    change(warehouse.database, "DELETE FROM silver.events WHERE created_at IS NULL OR id < 4")
    assert keep(warehouse, place) == 0
    assert sorted(place.listing()) == [name for name in FILES if name not in {FILES[0], FILES[4]}]
    assert sorted(read(place, "events")["id"]) == list(range(4, 60))


@pytest.mark.parametrize("harm", ["changed", "gone", "manifest gone", "manifest damaged"])
def test_what_a_hand_has_done_is_mended(place, warehouse, harm):
    keep(warehouse, place)
    if harm == "changed":
        spoil(place, FILES[1], b"x" * place.listing()[FILES[1]].bytes)
    elif harm == "manifest damaged":
        spoil(place, "manifest.json", b"{")
    else:
        place.delete("manifest.json" if harm == "manifest gone" else FILES[1])
    assert keep(warehouse, place) == (6 if "manifest" in harm else 1)
    assert sorted(read(place, "events")["id"]) == list(range(61))
    assert keep(warehouse, place) == 0


def test_of_two_machines_at_once_one_is_told(place, warehouse, tmp_path, monkeypatch):
    theirs = a_warehouse(tmp_path / "theirs.duckdb", EVENTS, "DELETE FROM silver.names WHERE name = 'a0'")
    whole = silver._write

    def meanwhile(part, scratch, there):
        monkeypatch.undo()
        keep(theirs, place)
        return whole(part, scratch, there)

    monkeypatch.setattr(silver, "_write", meanwhile)
    with pytest.raises(DataError, match=r"silver is not kept: .*another machine writes there at this moment"):
        keep(warehouse, place)
    keep(warehouse, place)
    assert sorted(read(place, "events")["id"]) == list(range(61))


KILLED = """
from pathlib import Path
from test_kept_silver import Parcels, a_warehouse
from ratchet.ingest import silver

def act():
    location, database = json.loads(sys.argv[1])
    silver.keep_silver(Parcels(), a_warehouse(Path(database)), opened(location))
"""
LATER = (
    "DELETE FROM silver.events WHERE id < 4",
    "UPDATE silver.events SET actor = 'x' WHERE id = 30",
    "INSERT INTO silver.events VALUES (99, '2026-11-07 09:00:00', 'new')",
)


def test_killed_before_any_write_each_file_is_old_or_new_and_the_next_run_ends_the_same(
    place, warehouse, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend("tests/contract")
    keep(warehouse, place.under("tried"))
    old = bytes_at(place.under("tried"))
    later = a_warehouse(tmp_path / "later.duckdb", EVENTS, *LATER)
    keep(later, place.under("undisturbed"))
    new, deaths = bytes_at(place.under("undisturbed")), 0
    for number, died in killed(KILLED, f"{place.location}/tried", str(later.database)):
        tried, deaths = place.under("tried"), deaths + died
        for name, content in bytes_at(tried).items():
            assert name == "manifest.json" or content in (old.get(name), new.get(name)), number
        keep(warehouse, tried)
        assert sorted(read(tried, "events")["id"]) == list(range(61)), "back to what it was"
        keep(later, tried)
        found = bytes_at(tried)
        assert {n: b for n, b in found.items() if n != "manifest.json"} == {
            n: b for n, b in new.items() if n != "manifest.json"
        }
        keep(warehouse, tried)
    assert deaths == 4


def test_every_table_that_a_workload_shares_is_cut_by_a_column_of_its_own():
    for name in workloads.names():
        for table, cut in workloads.find(name).silver.items():
            model = (workloads.find(name).sql / "silver" / f"{table}.sql").read_text()
            assert cut is None or cut.column in model, (name, table)
