"""What the page *Data* draws of a table that has more rows than a page of them."""

import json

import duckdb
import pytest
from streamlit.testing.v1 import AppTest

from monitoring.dashboard import charts, session
from monitoring.dashboard.api import Trouble
from ratchet.observe.gold_tables import GoldTables, Grouping

LANGUAGES = 12
PATTERN = f"""
    SELECT d AS weekday, h AS hour_of_day, 'language ' || l AS language, 1 + (d = 3 AND h = 14)::BIGINT AS events
    FROM range(1, 8) AS days(d), range(24) AS hours(h), range({LANGUAGES}) AS languages(l)
"""
WEEKS = """
    SELECT 'busy' AS unique_id, 5000 + w AS commits FROM range(1500) AS weeks(w)
    UNION ALL SELECT 'calm ' || r, r FROM range(3) AS repositories(r)
"""
RANKED = """
    SELECT 1 AS place, 'first' AS unique_id, 30.0 AS score, 7 AS y
    UNION ALL SELECT 2, 'second', 20.0, 9 UNION ALL SELECT 3, 'third', 10.0, 8
"""


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """What is drawn by title, of real Parquet files, through the questions that the API answers."""
    place = tmp_path / "gold/parcels/p1"
    place.mkdir(parents=True)
    for name, query in (("pattern", PATTERN), ("weeks", WEEKS), ("ranked", RANKED)):
        duckdb.sql(query).write_parquet(str(place / f"{name}.parquet"))
    described = {"place": 9, "description": "", "columns": {"score": "How much it stands out."}}
    (place / "manifest.json").write_text(json.dumps({"tables": {"ranked": described}}))
    (place.parent / "newest.json").write_text('{"partition": "p1"}')
    gold = GoldTables(tmp_path)

    def ask(what, *, operate, table="", **asked):
        assert operate
        if what == "tables":
            return gold.describe("parcels")
        if what == "tables/rows":
            return {"rows": gold.rows("parcels", table, offset=0, down=True, **{"order": None, **asked})[1]}
        assert what == "tables/groups"
        only = (asked["only"], asked["holds"]) if "only" in asked else None
        by = tuple(asked["by"].split(","))
        grouping = Grouping(
            by=by, measure=asked["measure"], how=asked.get("how", "sum"), only=only, limit=asked["limit"]
        )
        return {"groups": gold.groups("parcels", table, grouping)[1]}

    found = {}
    monkeypatch.setattr(session, "ask", ask)
    monkeypatch.setattr(session, "prometheus", type("Nothing", (), {"now": lambda *_: []}))
    monkeypatch.setattr(charts, "show", lambda _, *, title, says, table, **__: found.update({title: (says, table)}))
    return found


def page():
    from monitoring.dashboard.screens import data  # noqa: PLC0415, the page is all that is run

    data.show()


def test_the_grid_sums_every_row_of_a_table_longer_than_a_page(drawn):
    opened = AppTest.from_function(page, default_timeout=60).run()
    says, table = drawn["Events by hour and weekday"]
    assert table["events"].sum() == (7 * 24 + 1) * LANGUAGES
    assert says == f"Most on Wednesdays from 14 to 15 h UTC: {2 * LANGUAGES}."
    language = next(one for one in opened.selectbox if one.label == "Language")
    assert len(language.options) == 1 + LANGUAGES
    language.set_value("language 3").run()
    assert drawn["Events by hour and weekday"][1]["events"].sum() == 7 * 24 + 1


def test_one_long_series_does_not_hide_the_others(drawn):
    opened = AppTest.from_function(page, default_timeout=60).run()
    opened.button_group[0].select("Weeks").run()
    _, table = drawn["Weeks: commits"]
    assert list(table["unique_id"]) == ["busy", "calm 2", "calm 1", "calm 0"]


def test_a_place_is_no_measure_and_y_is_called_by_a_word(drawn):
    """Drawn as a measure the last place led."""
    opened = AppTest.from_function(page, default_timeout=60).run()
    opened.button_group[0].select("Ranked").run()
    measure = next(one for one in opened.selectbox if one.label == "Measure")
    assert measure.options == ["Score", "Count"]
    assert drawn["Ranked: score"][0].startswith("Largest: first, 30;")
    assert "How much it stands out." in [one.value for one in opened.caption]
    measure.set_value("y").run()
    assert list(drawn["Ranked: count"][1]["unique_id"]) == ["second", "third", "first"]


def begun():
    from monitoring.dashboard.screens import data  # noqa: PLC0415, the page is all that is run
    from monitoring.dashboard.trouble import shown  # noqa: PLC0415

    with shown():
        data.show()


def test_before_the_first_ingest_nothing_is_broken(monkeypatch):
    """The page of a new installation was a red one: something cannot be read."""

    def ask(*_, **__):
        raise Trouble("The data cannot be read here", "The first ingest makes gold.", "no-gold")

    monkeypatch.setattr(session, "ask", ask)
    opened = AppTest.from_function(begun, default_timeout=60).run()
    assert not opened.error
    assert opened.info[0].value == "**The data cannot be read here.** The first ingest makes gold."
