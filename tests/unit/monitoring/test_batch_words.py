"""What the page *Forecast* says of a table of questions."""

import pandas as pd

from monitoring.dashboard.screens.batch import _outcome

FAILED = {"unique_id": "a", "target": "sent", "problem": "unknown series"}
WEEK = {"unique_id": "b", "target": "sent", "problem": None}


def test_rows_are_counted_and_not_the_series_in_them():
    done = pd.DataFrame([FAILED] * 4 + [WEEK] * 8)
    assert _outcome(6, done) == "2 of 6 forecast, 4 not: their rows say why."
    assert _outcome(1, pd.DataFrame([{"unique_id": "b", "target": "sent"}])) == "1 of 1 forecast."
