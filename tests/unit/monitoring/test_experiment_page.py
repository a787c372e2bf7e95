"""The page *Experiment* while the database cannot answer all of it."""

from streamlit.testing.v1 import AppTest

from monitoring.dashboard import session
from monitoring.dashboard.api import Trouble
from monitoring.dashboard.screens import over_time

AT = "2026-10-10T00:00:00+00:00"
HELD = {"at": AT, "verdict": "hold", "reason": "split alarm", "acted_at": None, "scores": {}}
TRIED = {
    "experiment_id": 1, "production": "r1", "candidate": "r2", "started_at": AT, "ended_at": None, "stage": "ab",
    "share": 0.2, "waits_for": "split alarm", "moved": None, "verdicts": [HELD],
}  # fmt: skip
RELEASE = {"release": "BO1", "release_id": "r1", "families": {"ets": 3}, "made_at": AT}


def ask(what, *, track="", **_):
    if what == "metrics":
        raise Trouble("The database cannot answer", "", "database-away")
    return {"experiments": {"experiments": [TRIED]}, "release": RELEASE | {"track": track}, "orders": {"orders": []}}[
        what
    ]


def page():
    from monitoring.dashboard.screens import experiment  # noqa: PLC0415, the page is all that is run

    experiment.show()


def test_orders_and_verdicts_are_there_when_the_summary_takes_too_long(monkeypatch):
    monkeypatch.setattr(session, "ask", ask)
    monkeypatch.setattr(over_time, "show", lambda *_, **__: None)
    opened = AppTest.from_function(page, default_timeout=60).run()
    assert not opened.exception
    assert "The comparison" in opened.error[0].value
    assert "Order" in [one.label for one in opened.selectbox]
    assert opened.dataframe[0].value["Reason"].tolist() == ["split alarm"]
