"""A small published gold: real Parquet files and the manifest beside them."""

import json

import duckdb

SERIES = (
    "SELECT * FROM (VALUES ('north/a', 'sent', DATE '2026-10-25', 5.0), ('north/a', 'sent', DATE '2026-11-01', 7.0),"
    " ('x', 'sent', DATE '2026-11-01', 1.0)) AS t (unique_id, target, ds, y)"
)
BUSY = "SELECT * FROM (VALUES ('a', 1, [1, 2]), ('b', 3, NULL), ('c', 2, [])) AS t (name, events, parts)"


def publish(home):
    """Write the newest gold of the workload `parcels`; the home that holds it."""
    place = home / "gold/parcels/p1"
    place.mkdir(parents=True)
    for name, query in (("series", SERIES), ("busy_depots", BUSY)):
        duckdb.sql(query).write_parquet(str(place / f"{name}.parquet"))
    said = {"description": "The busiest depots.", "columns": {"events": "How many."}}
    manifest = {"data_hour": "2026-11-02T05:00:00+00:00", "last_week": "2026-11-01", "series": 2, "synthetic": True}
    (place / "manifest.json").write_text(json.dumps({**manifest, "tables": {"busy_depots": said}}))
    (place.parent / "newest.json").write_text('{"partition": "p1"}')
    return home
