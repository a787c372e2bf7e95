"""Charts as the browser gets them."""

import json

import pandas as pd
import pytest

from monitoring.dashboard import charts

AT = pd.to_datetime(["2026-11-21T23:50Z", "2026-11-22T00:00Z"], utc=True)
TRACK = pd.DataFrame({"at": AT, "line": "production", "value": [1.0, 2.0], "low": 0.0, "high": 3.0})
HISTORY = pd.DataFrame({"week": ["2026-11-08", "2026-11-15"], "value": [1.0, 2.0]})
BOUNDS = {"median": 3.0, "mean": 3.0, "lo_80": 2.0, "hi_80": 4.0, "lo_95": 1.0, "hi_95": 5.0}
WEEKS = pd.DataFrame([{"week": "2026-11-22", **BOUNDS}])
OTHERS = pd.DataFrame([{"family": "Ets", "week": "2026-11-22", "value": 3.0}])
NOBODY = pd.DataFrame(columns=["family", "week", "value"])
DRAWN = {
    "lines": lambda: charts.lines(TRACK, unit="u"),
    "intervals": lambda: charts.intervals(TRACK, unit="u"),
    "forecast": lambda: charts.forecast(HISTORY, WEEKS, OTHERS, unit="u"),
    "forecast alone": lambda: charts.forecast(HISTORY, WEEKS, NOBODY, unit="u"),
}


def encodings(spec):
    """The encoding of a chart, or of each of its layers."""
    return [part["encoding"] for part in spec.get("layer", [spec])]


@pytest.mark.parametrize("name", DRAWN)
def test_times_are_utc_in_every_browser(name):
    spec = json.loads(DRAWN[name]().to_json())
    for encoding in encodings(spec):
        assert encoding["x"]["type"] == "temporal"
        assert encoding["x"]["scale"]["type"] == "utc"
        assert "temporal" not in [tip["type"] for tip in encoding.get("tooltip", [])]


def test_a_tooltip_says_the_time_in_utc():
    [data] = json.loads(DRAWN["lines"]().to_json())["datasets"].values()
    assert [row["when"] for row in data] == ["21 Nov 23:50", "22 Nov 00:00"]
    told = json.loads(DRAWN["forecast"]().to_json())["datasets"].values()
    assert {row["when"] for data in told for row in data} == {"08 Nov 2026", "15 Nov 2026", "22 Nov 2026"}


def test_every_row_of_a_grid_has_its_name():
    """Left to itself Vega drops each second one where rows are low: every second weekday."""
    cells = pd.DataFrame({"hour": [0], "day": ["Monday"], "events": [1.0]})
    grid = charts.heat(cells, across="hour", down="day", value="events", unit="u", order=["Monday"])
    assert json.loads(grid.to_json())["encoding"]["y"]["axis"]["labelOverlap"] is False


def test_a_legend_fits_a_phone():
    """Two columns of names and their symbols, beside the axis, in the 340 pixels that a phone leaves; a third was cut off."""
    of_one = charts.LEGEND.labelLimit + 20 + charts.LEGEND.columnPadding
    assert 50 + charts.LEGEND.columns * of_one <= 340


def many(*names):
    frame = pd.concat([TRACK.assign(line=name) for name in names])
    return json.loads(charts.lines(frame, unit="u", shades=charts.TRACKS).to_json())


def test_production_comes_first_in_every_legend():
    assert many("candidate", "other", "production")["encoding"]["color"]["scale"]["domain"] == [
        "production",
        "candidate",
        "other",
    ]


def test_a_legend_of_three_rows_takes_nothing_from_the_lines():
    """Six services in a fixed height left their lines a quarter of it."""
    of_two, of_six = many(*"ab"), many(*"abcdef")
    assert of_six["height"] - of_two["height"] == 2 * charts.LEGEND_ROW
