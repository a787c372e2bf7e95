"""What *Experiment* draws of releases over time, and says of them."""

from datetime import timedelta

import pandas as pd
from streamlit.testing.v1 import AppTest

from monitoring.dashboard import session

AGES = {"BO1": (40, 30, 0), "CO1": (40, 30), "BO2": (0,)}
"""Minutes since each release was last met: the candidate became BO2."""


class Prometheus:
    """Whoever is asked for is rated 4 by ten people, with the same spread."""

    def __init__(self):
        self.asked = []

    def lines(self, query, *, span, name):
        assert name == "release"
        self.asked.append(query)
        if "realised" in query or "5.." in query:
            return pd.DataFrame(columns=["at", "line", "value"])
        value = 17.0 if "squares" in query else 4.0 if "_sum{" in query else 10.0
        rows = [
            (span.until - timedelta(minutes=age), release, value)
            for release, ages in AGES.items()
            for age in ages
            if f'release=~"{"|".join(AGES)}"' in query
        ]
        return pd.DataFrame(rows, columns=["at", "line", "value"])


def page():
    from datetime import timedelta  # noqa: PLC0415, the page is all that is run

    from monitoring.dashboard.screens import over_time  # noqa: PLC0415

    over_time.show(["BO1", "CO1", "BO2"], [], age=timedelta(minutes=50))


def test_each_release_is_a_line_of_its_own_and_says_when_it_was_last_met(monkeypatch):
    """By track the line of the candidate went on with what it had beaten."""
    prometheus = Prometheus()
    monkeypatch.setattr(session, "prometheus", lambda: prometheus)
    monkeypatch.setattr(session, "workload", lambda: "parcels")
    opened = AppTest.from_function(page, default_timeout=60).run()
    assert not opened.exception
    assert not opened.error
    assert not [query for query in prometheus.asked if "by (track" in query]
    ratings = next(one.value for one in opened.caption if "95 % interval" in one.value)
    assert ratings.startswith("BO1 4.00 (3.35 to 4.65); BO2 4.00 (3.35 to 4.65); CO1 4.00 (3.35 to 4.65) at ")
    assert "Failed forecasts: none in this time." in [one.value for one in opened.caption]
