"""The page *Experiment* while the database cannot answer all of it."""

import json
from dataclasses import fields

import pytest
from streamlit.testing.v1 import AppTest

from monitoring.dashboard import session
from monitoring.dashboard.api import Trouble
from monitoring.dashboard.screens import over_time
from monitoring.dashboard.screens.experiment import _measured
from monitoring.dashboard.words import JUDGED
from ratchet.decide.figures import Figures

WIDE = 1080
"""Pixels that a page has for a table, from 1240 on."""
AT = "2026-10-10T00:00:00+00:00"
HELD = {"at": AT, "verdict": "hold", "reason": "split alarm", "acted_at": None, "scores": {}}
TRIED = {
    "experiment_id": 1, "production": "r1", "candidate": "r2", "started_at": AT, "ended_at": None, "stage": "ab",
    "share": 0.2, "waits_for": "split alarm", "moved": None, "verdict": None, "verdicts": [HELD],
}  # fmt: skip
PUT = {"verdict": "promote", "at": AT, "reason": "better", "acted_at": None, "scores": {}}
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


def opened(monkeypatch, experiment, live, rows):
    """The page of an experiment, of what each track serves and of what was measured; and which releases are drawn."""
    drawn = []

    def answers(what, *, track="", **_):
        if what == "release":
            return RELEASE | live[track] | {"track": track}
        return {"experiments": {"experiments": [experiment]}, "metrics": {"releases": rows}, "orders": {"orders": []}}[
            what
        ]

    monkeypatch.setattr(session, "ask", answers)
    monkeypatch.setattr(over_time, "show", lambda names, *_, **__: drawn.extend(names))
    return AppTest.from_function(page, default_timeout=60).run(), drawn


def test_a_trials_figures_end_with_the_promotion(monkeypatch):
    """In the watch the candidate's track serves what was beaten: both boxes were of it, as if it had been tried against itself."""
    asked = []
    put = PUT | {"at": "2026-10-11T12:00:00+00:00"}
    back = {"verdict": "revert", "at": "2026-10-12T00:00:00+00:00", "reason": "worse", "acted_at": None, "scores": {}}
    for moved, verdicts in ((put, [HELD] * 100), (back, [back, HELD, put]), (None, [HELD])):
        newest = TRIED | {"stage": "watch", "moved": moved, "verdicts": verdicts}
        monkeypatch.setattr(session, "ask", lambda *_, until=None, **__: asked.append(until) or {"releases": []})
        _measured(newest)
    assert asked == [put["at"], put["at"], None]


def row(track, release, forecasts=9):
    return {"track": track, "release": release, "forecasts": forecasts, "clients": 3, "ratings": 2}


def texts(opened):
    return [one.value for one in (*opened.markdown, *opened.caption)]


MEASURED = [row("candidate", "CO1"), row("production", "BO1"), row("production", "BO2", 1)]
WON = {"release": "BO2", "release_id": "r2"}


@pytest.mark.parametrize(
    ("stage", "candidate", "says"),
    [
        ("promoting", {"release": "CO1", "release_id": "r2"}, "Taking over: BO2, beside the release which it beat"),
        ("watch", {"release": "BO1", "release_id": "r1"}, "Being watched: BO2, beside BO1 which it beat"),
    ],
)
def test_a_winner_is_not_tried_against_itself(monkeypatch, stage, candidate, says):
    """While a promotion is carried out both tracks may serve the same release, under two names."""
    won = TRIED | {"stage": stage, "verdicts": [PUT], "moved": PUT}
    found, drawn = opened(monkeypatch, won, {"production": WON, "candidate": candidate}, MEASURED)
    assert f"#### {says}" in texts(found)
    assert "BO2: live since 2026-10-10 00:00 UTC: better." in texts(found)
    assert "**BO1** in the trial \u00b7 now BO2" in texts(found)
    assert drawn == ["BO1", "CO1", "BO2"]


def test_a_winner_that_was_taken_back_is_drawn(monkeypatch):
    """It is on no track any more, and had its new name only after the trial whose figures are shown."""
    back = {"verdict": "revert", "at": AT, "reason": "worse", "acted_at": AT, "scores": {}}
    judged = {"candidate": {"release": "BO2"}, "production": {"release": "BO1"}}
    ended = TRIED | {"stage": "rolled_back", "ended_at": AT, "moved": back, "evidence": judged, "verdicts": [back, PUT]}
    _, drawn = opened(monkeypatch, ended, {"production": {}, "candidate": {"track": "production"}}, MEASURED[:2])
    assert drawn == ["BO1", "CO1", "BO2"]


BACK = {"verdict": "rollback", "at": AT, "reason": "it fails: *often*", "acted_at": AT, "scores": {}}
DONE = HELD | {"verdict": "extend", "reason": "no harm in 400 h"}


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        ({"verdict": "rollback", "verdicts": [BACK, HELD]}, r"ago: it fails: \*often\*."),
        ({"verdict": "promote", "moved": PUT, "verdicts": [DONE, HELD]}, "ago: better."),
        ({"verdict": "denied", "verdicts": []}, None),
    ],
    ids=["rolled back", "promoted", "unknown"],
)
def test_how_the_newest_experiment_ended_stands_first(monkeypatch, outcome, says):
    """Whoever came because of a rollback read that nothing was on trial, and had to find out why at the end of the page."""
    found, _ = opened(monkeypatch, TRIED | {"ended_at": AT} | outcome, {"production": {}, "candidate": {}}, [])
    assert not found.exception
    told = [one.value for one in found.info if "ago:" in one.value]
    assert [text.endswith(says) for text in told] == ([True] if says else [])


def test_a_candidate_that_waits_for_its_turn_is_not_called_by_what_the_track_serves_meanwhile(monkeypatch):
    """It was called by the name of the beaten release that still answers there, or by none."""
    live = {"production": {}, "candidate": {"release": "BO0", "release_id": "r0"}}
    found, _ = opened(monkeypatch, TRIED | {"stage": "queued", "share": 0.0}, live, [])
    assert "#### Waiting for its turn: r2 against BO1" in texts(found)


def test_what_a_candidate_expects_of_each_target_stands_beside_what_production_does(monkeypatch):
    """A person who was asked to clear one found it in a record of the database alone."""
    levels = [{"target": "prs_opened", "candidate": 1.3, "production": 1.02}, {"target": "stars", "candidate": None}]
    levels[1]["production"] = 0.9
    found, _ = opened(
        monkeypatch, TRIED | {"stage": "warmup", "levels": levels}, {"production": {}, "candidate": {}}, []
    )
    assert (
        "Before its first client the candidate expected, beside what came lately: PRs opened 1.30 times (production 1.02),"
        " stars \u2013 times (production 0.90)."
    ) in texts(found)


def test_a_reason_is_no_markup(monkeypatch):
    said = HELD | {"reason": "held by Zo\u00eb: <b> :smile: $5 and $6"}
    found, _ = opened(monkeypatch, TRIED | {"verdicts": [said]}, {"production": {}, "candidate": {}}, [])
    assert found.info[0].value.endswith("held by Zo\u00eb: \\<b\\> :\u2060smile: \\$5 and \\$6.")


def test_verdicts_fit_a_wide_page_and_say_how_long_each_waited(monkeypatch):
    """Both figures and what was done about a verdict were beyond the edge of the table at 1400 pixels."""
    acted = ("2026-10-10T00:00:09+00:00", "2026-10-10T00:09:30+00:00", None)
    looks = [HELD | {"acted_at": at} for at in acted]
    found, _ = opened(monkeypatch, TRIED | {"verdicts": looks}, {"production": {}, "candidate": {}}, [])
    table = found.dataframe[0]
    assert table.value["Carried out"].tolist() == ["at once", "9 minutes later", "\u2013"]
    widths = [column["width"] for column in json.loads(table.proto.columns).values() if column.get("width")]
    assert len(widths) == len(table.value.columns)
    assert sum(widths) <= WIDE


@pytest.mark.parametrize(
    ("ended", "says"),
    [
        (None, "Figures since 2026-10-10 00:00 UTC."),
        ("2026-10-12T00:00:00+00:00", "Figures of the trial, 2026-10-10 00:00 UTC to 2026-10-12 00:00 UTC."),
    ],
)
def test_figures_say_of_when_they_are(monkeypatch, ended, says):
    live = {"production": {}, "candidate": {"release": "CO1", "release_id": "r2"}}
    found, _ = opened(monkeypatch, TRIED | {"ended_at": ended}, live, [row("production", "BO1")])
    assert says in texts(found)
    assert [one.value for one in found.metric if one.label == "Forecasts"] == ["9", "0"]


def test_what_a_look_went_by_is_told_in_words(monkeypatch):
    """They were names from the code, most of them nothing: `weeks 0, drifting 0, log_split 0.3`."""
    scores = {"weeks": 0.0, "log_split": 0.31, "clients_candidate": 50.0, "error_low": -0.125, "error_high": 0.5}
    found, _ = opened(
        monkeypatch, TRIED | {"verdicts": [HELD | {"scores": scores}]}, {"production": {}, "candidate": {}}, []
    )
    told = found.dataframe[0].value["Figures"].tolist()
    assert told == [
        "log e of clients not in their shares 0.31, clients candidate 50, error against production from -0.125, to 0.5"
    ]
    assert "Log e: how strongly the data speak for it" in found.caption[-1].value


def test_every_figure_that_a_look_computes_has_words():
    """A new one is written down beside the others."""
    assert [field.name for field in fields(Figures) if field.name not in JUDGED] == []
