"""What the page *Drift* says of drift that is confirmed, and of drift that is not."""

import time

import pytest
from streamlit.testing.v1 import AppTest

from monitoring.dashboard import session
from monitoring.dashboard.api import Trouble
from monitoring.dashboard.screens.drift import CONFIRMED, LOOKED_AT, MEASURED

MOVED = {"psi": 0.26, "drift_percentage": 30.0, "test": "t", "p_value": 0.009, "significant_drift": True}
REPORT = {"overall_drift_detected": True, "drift_indicators": {"commits": MOVED}}


class Prometheus:
    def __init__(self, value):
        self.value = value
        self.asked = 0

    def now(self, query):
        self.asked += 1
        assert query == MEASURED % session.workload()
        if self.value is None:
            raise Trouble("Prometheus does not answer")
        return [({"__name__": CONFIRMED}, self.value), ({"__name__": LOOKED_AT}, time.time() - 3 * 86_400 - 60)]


def page():
    from monitoring.dashboard.screens import drift  # noqa: PLC0415, the page is all that is run

    drift.show()


@pytest.mark.parametrize(
    ("value", "says"),
    [(1.0, "It is confirmed"), (0.0, "It is not confirmed"), (None, "Confirmed drift asks for a new candidate")],
)
def test_the_page_says_whether_drift_is_confirmed(monkeypatch, value, says):
    monkeypatch.setattr(session, "ask", lambda *_, **__: REPORT)
    monkeypatch.setattr(session, "workload", lambda: "parcels")
    prometheus = Prometheus(value)
    monkeypatch.setattr(session, "prometheus", lambda: prometheus)
    opened = AppTest.from_function(page, default_timeout=60).run()
    assert says in opened.warning[0].value
    old = [one.value for one in opened.caption if one.value.startswith("The newest look was 3 days ago")]
    assert bool(old) is (value is not None)
    assert prometheus.asked == 1, "one that hangs is waited for at each question"


def test_one_question_brings_both_figures(promtool):
    series = {
        'ratchet_drift_confirmed{workload="parcels",part="exporter"}': "1",
        'ratchet_drift_confirmed{workload="others",part="exporter"}': "0",
        'ratchet_drift_looked_at_seconds{workload="parcels",part="exporter"}': "1700",
    }
    expected = {CONFIRMED: 1, LOOKED_AT: 1700}
    promtool(series, MEASURED % "parcels", expected, at="0m")


LARGE_BY_ITSELF = {**MOVED, "psi": 0.41, "p_value": 0.99, "significant_drift": False}


@pytest.mark.parametrize(
    ("indicators", "says"), [({}, []), ({"predictions": LARGE_BY_ITSELF}, ["judged: Predictions."])]
)
def test_what_was_not_judged_is_not_called_free_of_drift(monkeypatch, indicators, says):
    report = {"overall_drift_detected": False, "drift_indicators": indicators}
    monkeypatch.setattr(session, "ask", lambda *_, **__: report)
    monkeypatch.setattr(session, "prometheus", lambda: Prometheus(None))
    opened = AppTest.from_function(page, default_timeout=60).run()
    assert [one.value.partition(" could be ")[2][:20] for one in opened.success] == says
    told = [one.value for one in opened.caption if "PSI 0.41" in one.value]
    assert all("no drift" in one and "by chance (p 0.99)" in one for one in told)
    assert len(told) == len(says)


def test_a_large_index_is_not_drawn_as_an_alarm_where_the_test_finds_nothing(monkeypatch):
    """An index of 6 stood far beyond a line for large shifts, under the words "No drift"."""
    chance = {**LARGE_BY_ITSELF, "psi": 6.2}
    report = {"overall_drift_detected": True, "drift_indicators": {"commits": MOVED, "predictions": chance}}
    monkeypatch.setattr(session, "ask", lambda *_, **__: report)
    monkeypatch.setattr(session, "prometheus", lambda: Prometheus(None))
    opened = AppTest.from_function(page, default_timeout=60).run()
    table = opened.dataframe[0].value
    assert table[["Feature", "Kind", "PSI"]].to_numpy().tolist() == [
        ["Predictions", "No drift", 6.2],
        ["Commits", "Drift", 0.26],
    ]
