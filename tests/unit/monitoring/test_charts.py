"""Charts as the browser gets them."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from monitoring.dashboard import charts, times
from monitoring.dashboard.prometheus import Span

AT = pd.to_datetime(["2026-11-21T23:50Z", "2026-11-22T00:00Z"], utc=True)
TRACK = pd.DataFrame({"at": AT, "line": "production", "value": [1.0, 2.0], "low": 0.0, "high": 3.0})
HISTORY = pd.DataFrame({"week": ["2026-11-08", "2026-11-15"], "value": [1.0, 2.0]})
BOUNDS = {"median": 3.0, "mean": 3.0, "lo_80": 2.0, "hi_80": 4.0, "lo_95": 1.0, "hi_95": 5.0}
WEEKS = pd.DataFrame([{"week": "2026-11-22", **BOUNDS}])
OTHERS = pd.DataFrame([{"family": "Ets", "week": "2026-11-22", "value": 3.0}])
NOBODY = pd.DataFrame(columns=["family", "week", "value"])
NOW = datetime(2026, 11, 22, tzinfo=UTC)
HOUR = Span(since=NOW - timedelta(hours=1), until=NOW, step=timedelta(minutes=10))
DRAWN = {
    "lines": lambda: times.lines(TRACK, unit="u", span=HOUR),
    "intervals": lambda: times.intervals(TRACK, unit="u", shades=charts.TRACKS, span=HOUR),
    "intervals of looks": lambda: times.intervals(TRACK, unit="u", shades=charts.TRACKS),
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


@pytest.mark.parametrize(
    "names", [["production", "candidate"], ["inference-production", "airflow-dag-processor"], ["refresh_forecasts"]]
)
def test_a_legend_fits_a_phone_and_cuts_no_name_off(names):
    """Beside the axis, in the 340 pixels that a phone leaves; a third column was cut off, and then services' names were."""
    shown = charts.legend(names)
    assert shown.labelLimit >= charts.LETTER * max(map(len, names))
    assert 50 + shown.columns * (charts.SYMBOL + shown.labelLimit) + charts.GAP <= 340


def many(*names):
    frame = pd.concat([TRACK.assign(line=name) for name in names])
    return json.loads(times.lines(frame, unit="u", span=HOUR, shades=charts.TRACKS).to_json())


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
    long = many("inference-production", "inference-candidate")
    assert long["height"] - of_two["height"] == charts.LEGEND_ROW


def height(bars, *kinds):
    frame = pd.DataFrame({"name": [f"n{number}" for number in range(bars)], "value": 1.0, "kind": "one"})
    shades = dict(zip(kinds, charts.SHADES, strict=False))
    return charts.bars(frame, name="name", value="value", unit="u", kinds=shades).height


def test_a_legend_and_the_axis_take_nothing_from_the_bars():
    """Of four bars names stood beside the gaps; a legend in two rows took as much again."""
    assert height(4) - height(3) == charts.BAR
    assert height(1) - charts.BAR >= charts.AXIS
    assert height(4, "one", "other") - height(4) == charts.LEGEND_ROW
    assert height(4, "one", "other", "a third one", "a fourth one") - height(4) == 2 * charts.LEGEND_ROW


def measured(*minutes, line="production"):
    """A figure at each of these minutes before now."""
    at = [NOW - timedelta(minutes=minute) for minute in minutes]
    return pd.DataFrame({"at": at, "line": line, "value": 1.0, "low": 0.5, "high": 1.5})


@pytest.mark.parametrize("draw", [times.lines, times.intervals])
def test_no_line_is_drawn_across_a_time_when_nothing_was_measured(draw):
    """A percentile of no requests is no number; the line between the last one before and the first after was made up."""
    frame = pd.concat([measured(60, 50, 10, 0), measured(60, 50, 40, line="candidate")])
    spec = json.loads(draw(frame, unit="u", span=HOUR, shades=charts.TRACKS).to_json())
    [rows] = spec["datasets"].values()
    assert [(row["line"], row["when"]) for row in rows if row["value"] is None] == [("production", "21 Nov 23:20")]


def test_a_figure_alone_between_two_gaps_is_a_point():
    spec = json.loads(times.lines(measured(60, 30, 0), unit="u", span=HOUR).to_json())
    assert spec["mark"]["point"]


@pytest.mark.parametrize(
    ("hours", "first", "form"),
    [
        (1, timedelta(minutes=2), "%H:%M:%S"),
        (24, timedelta(hours=9), "%H:%M"),
        (168, timedelta(hours=40), "%d %b %H:%M"),
        (168, timedelta(days=6), "%d %b"),
    ],
    ids=["minutes", "hours", "two days", "a week"],
)
def test_an_axis_runs_to_now_and_writes_each_time_differently(hours, first, form):
    """A week's ticks are all at midnight: they said 00:00, 00:00, 00:00."""
    span = Span(since=NOW - timedelta(hours=hours), until=NOW, step=timedelta(minutes=1))
    frame = pd.DataFrame({"at": [NOW - first, NOW - first / 2], "line": "production", "value": 1.0})
    axis = json.loads(times.lines(frame, unit="u", span=span).to_json())["encoding"]["x"]
    assert axis["axis"]["format"] == form
    begin, end = axis["scale"]["domain"]
    assert (end["date"], end["hours"], end["utc"]) == (22, 0, True)
    assert begin["date"] == (NOW - first).day


def test_the_sentence_says_when_a_figure_is_not_of_now():
    last = times.newest(pd.concat([measured(60, 10, 0), measured(60, 40, line="candidate")]), HOUR)
    assert last["when"].to_dict() == {"production": "", "candidate": " at 23:20"}


@pytest.mark.parametrize("hours", [0.25, 1, 24, 168])
def test_a_span_ends_now(hours):
    """On a grid since 1970 a week's last point was up to 84 minutes old: no one who had just rated was in it."""
    span = Span.last(hours)
    assert datetime.now(UTC) - span.until < timedelta(seconds=10)
    assert ((span.until - span.since) / span.step).is_integer()
