"""What the page *Forecast* says of numbers, and of a forecast that is older than its first week."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from monitoring.dashboard import charts, session
from monitoring.dashboard.screens import forecast

KNOWN = "2026-11-16T00:00:00+00:00"
NOW = datetime(2026, 11, 20, 23, 59, tzinfo=UTC)


PAGE = {"series": [{"shop": "a/b", "target": "sales"}], "total": 1}


class Clock(datetime):
    """It stands a minute before midnight: a page and its test are on one day however long both take."""

    @classmethod
    def now(cls, tz=None):
        return NOW.astimezone(tz)


class User:
    """Who is told, for each week, that most have nothing and some have three."""

    def __init__(self, first, met):
        self.first, self.met = first, met

    def post(self, what, body):
        assert what == "predict"
        self.met(what)
        weeks = [
            {"week": (self.first + timedelta(weeks=number)).isoformat(), "median": 0.0, "mean": 0.75}
            | {"lo_80": 0.0, "hi_80": 3.0, "lo_95": 0.0, "hi_95": 3.0}
            for number in range(body["horizon"])
        ]
        said = {"prediction_id": "p", "release": "BO1", "family": "tsb", "track": "production", "note": ""}
        return said | {"weeks": weeks, "data_hour": KNOWN}


def page():
    from monitoring.dashboard.screens import forecast  # noqa: PLC0415, the page is all that is run

    forecast.show()


@pytest.fixture
def opened(monkeypatch):
    """The page for a forecast whose first week ends so many days from today."""

    def opened(days, met=lambda _: None, page_of=PAGE, drawn=None):
        first = NOW.date() + timedelta(days=days)
        history = [{"week": (first - timedelta(weeks=1)).isoformat(), "value": 3.0}]
        answers = {
            "release": {"release": "BO1", "data_hour": KNOWN, "targets": ["sales", "returns"], "horizon": 8},
            "series": page_of,
            "series/detail": {
                "history": history,
                "families": {},
                "mase": {"tsb": 0.8},
                "explained": {"farima": {"d": 0.312, "d_error": 0.098}, "prophet": {"trend": 2.5}},
            },
        }
        monkeypatch.setattr(session, "ask", lambda what, **_: met(what) or answers[what])
        monkeypatch.setattr(forecast, "datetime", Clock)
        monkeypatch.setattr(session, "workload", lambda: "parcels")
        monkeypatch.setattr(session, "user", lambda: User(first, met))
        monkeypatch.setattr(charts, "show", lambda *_, **how: drawn.append(how["title"]) if drawn is not None else None)
        return AppTest.from_function(page, default_timeout=60).run()

    return opened


def test_what_is_expected_in_all_is_no_sum_of_medians(opened):
    """Where most weeks have nothing the medians add up to nothing, whatever comes."""
    seen = {one.label: one.value for one in opened(3).metric}
    assert seen["Expected in 8 weeks"] == "6"
    first = NOW.date() + timedelta(days=3)
    assert seen[f"Forecast to {first:%d %b}"] == "0"
    assert seen[f"Counted to {first - timedelta(weeks=1):%d %b}"] == "3"


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (0, []),
        (-1, ["One of these weeks is over already: newer data have not landed."]),
        (-15, ["3 of these weeks are over already: newer data have not landed."]),
    ],
)
def test_weeks_that_are_over_already_are_told(opened, days, says):
    assert [one.value for one in opened(days).warning] == says


def test_what_families_tell_of_the_series_stands_beside_their_errors(opened):
    seen = opened(3)
    assert not any("tells of it" in one.value for one in seen.caption)
    seen.toggle[0].set_value(True).run()
    assert [one.value for one in seen.caption][-2:] == [
        "What FARIMA tells of it: long memory d 0.31, its standard error 0.10.",
        "What Prophet tells of it: Trend 2.50.",
    ]


def test_a_track_that_hangs_is_waited_for_twice(opened):
    """Everything was asked in turn, and what can be asked for three times: the page was there after half a minute."""
    pairs = {name: threading.Barrier(2) for name in ("begins", "goes on")}
    of = {"release": "begins", "series": "begins", "predict": "goes on", "series/detail": "goes on"}
    asked = []

    def met(what):
        asked.append(what)
        pairs[of[what]].wait(timeout=10)

    seen = opened(3, met)
    assert not seen.exception
    assert sorted(asked) == sorted(of)
    assert [one.value for one in seen.title] == ["Forecast"]


def test_a_history_ends_where_the_releases_own_data_end(opened):
    """Not last week: data may be older, and the forecast follows on what the release knows."""
    assert "up to the newest week that BO1 knows (data as of 2026-11-16 00:00 UTC)" in " ".join(
        one.value for one in opened(3).markdown
    )


def test_a_name_is_no_markup(opened):
    drawn = []
    opened(3, page_of={"series": [{"shop": "*A* of $5 and $6", "target": "sales"}], "total": 1}, drawn=drawn)
    assert drawn == [r"Sales of \*A\* of \$5 and \$6 by week"]


def test_of_more_than_a_page_the_first_can_be_chosen_each_with_all_its_targets(opened):
    """A page ends within a name: the last one seemed to have fewer targets; and the list was said to be all there is."""
    rows = [{"shop": f"s{number:03d}", "target": target} for number in range(334) for target in ("returns", "sales")]
    seen = opened(3, page_of={"series": rows[:-1], "total": 4002})
    assert not seen.exception
    names = seen.selectbox[0]
    assert (names.options[0], names.options[-1], len(names.options)) == ("s000", "s332", 333)
    assert names.help == "The first 333: search for others"


@pytest.mark.parametrize(("total", "label"), [(2, "All 2 series as questions"), (9, "The first 2 series as questions")])
def test_every_series_can_be_asked_for_at_once(opened, monkeypatch, total, label):
    given = {}
    monkeypatch.setattr(st, "download_button", lambda name, content, *_, **__: given.update({name: content}))
    rows = [{"shop": "a/b", "target": target} for target in ("returns", "sales")]
    opened(3, page_of={"series": rows, "total": total})
    assert given == {label: "shop,target,horizon\na/b,returns,8\na/b,sales,8\n"}
