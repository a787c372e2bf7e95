"""What the page *Forecast* says of a table of questions."""

import pandas as pd

from monitoring.dashboard.screens.batch import _outcome, _seen_first

FAILED = {"unique_id": "a", "target": "sent", "problem": "unknown series"}
WEEK = {"unique_id": "b", "target": "sent", "problem": None}


def test_rows_are_counted_and_not_the_series_in_them():
    done = pd.DataFrame([FAILED] * 4 + [WEEK] * 8)
    assert _outcome(6, done) == "2 of 6 forecast, 4 not: their rows say why."
    assert _outcome(1, pd.DataFrame([{"unique_id": "b", "target": "sent"}])) == "1 of 1 forecast."


def test_reasons_are_seen_beside_the_questions():
    done = pd.DataFrame([{**FAILED, "week": None, "prediction_id": "p"}, {**WEEK, "week": "2026-11-22"}])
    assert _seen_first(done, "unique_id") == ["unique_id", "target", "problem", "week", "prediction_id"]
    assert _seen_first(done[1:], "unique_id") == ["unique_id", "target", "week", "prediction_id"]
