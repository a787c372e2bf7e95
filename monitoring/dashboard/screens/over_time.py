"""The two tracks over time: ratings with their intervals, latency, errors, from Prometheus; realised errors once weeks are over."""

from datetime import timedelta
from typing import Any

import pandas as pd
import streamlit as st

from monitoring.dashboard import charts, session, words
from monitoring.dashboard.trouble import nothing, shown

HOURS = {"Last hour": 1.0, "Last 6 hours": 6.0, "Last day": 24.0, "Last week": 168.0}
Z95 = 1.96
MEAN = "sum by (track) (increase(ratchet_feedback_ratings_sum{%(who)s}[%(window)s])) / %(count)s"
COUNT = "sum by (track) (increase(ratchet_feedback_ratings_count{%(who)s}[%(window)s]))"
SQUARES = "sum by (track) (increase(ratchet_feedback_ratings_sum_squares_total{%(who)s}[%(window)s])) / %(count)s"
LATENCY = (
    "1000 * histogram_quantile(0.95, sum by (track, le) (rate(ratchet_request_seconds_bucket{%(who)s}[%(window)s])))"
)
ERRORS = (
    '(sum by (track) (rate(ratchet_requests_total{%(who)s,status=~"5.."}[%(window)s])) or sum by (track)'
    " (rate(ratchet_requests_total{%(who)s}[%(window)s])) * 0) / (sum by (track) (rate(ratchet_requests_total{%(who)s}[%(window)s])) > 0)"
)
REALISED = "avg by (release) (ratchet_realised_mase{%(who)s})"
Body = dict[str, Any]


@st.fragment(run_every="30s")
def show(names: list[str], verdicts: list[Body], *, age: timedelta) -> None:
    """Ratings, latency, failures and realised errors, and what is still missing; looked up again while the page is open."""
    with shown("Over time"):
        _show_all(names, verdicts, age)


def _show_all(names: list[str], verdicts: list[Body], age: timedelta) -> None:
    left, _ = st.columns([1, 3])
    fits = [age <= timedelta(hours=hours) for hours in HOURS.values()]
    usual = fits.index(True) if any(fits) else len(fits) - 1
    chosen = left.selectbox("Show", list(HOURS), index=usual, key="experiment-hours")
    hours = HOURS[chosen]
    window = "10m" if hours <= 6 else "1h"
    releases = "|".join(names)
    who = f'workload="{session.workload()}",release=~"{releases}"'
    values = {"who": who, "window": window, "count": COUNT % {"who": who, "window": window}}
    with st.spinner("Asking Prometheus …"):
        ratings = _ratings(values, hours)
        latency = session.prometheus().lines(LATENCY % values, hours=hours, name="track")
        errors = session.prometheus().lines(ERRORS % values, hours=hours, name="track")
    if ratings.empty and latency.empty:
        nothing(
            "Prometheus has no figures of these releases in this time.",
            "They appear within a minute of the first forecasts; `make traffic` brings users who rate what they get.",
        )
        return
    one, two = st.columns(2)
    with one:
        _show_ratings(ratings, window)
    with two:
        _show(latency, title="Time to answer, 95th percentile", unit="Milliseconds", key="latency", digits=1)
        if not errors.empty and errors["value"].max() > 0:
            _show(
                errors.assign(value=100 * errors["value"]),
                title="Failed forecasts",
                unit="Percent",
                key="errors",
                digits=2,
            )
        else:
            st.caption("Failed forecasts: none on either track in this time.")
    _show_realised(values, hours, bounds(verdicts))


def bounds(verdicts: list[Body]) -> pd.DataFrame:
    """The always-valid bounds on the candidate's change in realised error, look by look, as far as looks had them."""
    rows = [
        {"at": said["at"], "line": "candidate", "low": scores["error_low"], "high": scores["error_high"]}
        for said in verdicts
        if {"error_low", "error_high"} <= (scores := said["scores"]).keys()
    ]
    frame = pd.DataFrame(rows, columns=["at", "line", "low", "high"])
    return frame.assign(at=pd.to_datetime(frame["at"], utc=True), value=(frame["low"] + frame["high"]) / 2)


def _show_realised(values: Body, hours: float, bound: pd.DataFrame) -> None:
    if not bound.empty:
        last = bound.sort_values("at").iloc[-1]
        says = (
            f"Between {last['low']:+.3f} and {last['high']:+.3f} at the newest look; below 0 the candidate is better."
        )
        chart = charts.intervals(bound, unit="Change in paired error")
        charts.show(chart, title="Realised error, candidate against production", says=says, table=bound, key="bounds")
    found = session.prometheus().lines(REALISED % values, hours=hours, name="release")
    if not found.empty:
        _show(found, title="Realised error by release", unit="MASE", key="realised", digits=2)
    elif bound.empty:
        st.caption("Realised errors: none yet. They appear once a week that was forecast is over and has landed.")


def _ratings(values: Body, hours: float) -> pd.DataFrame:
    """Mean ratings with the usual 95 % interval of a mean, where at least two people rated."""
    found = {
        name: session.prometheus().lines(query % values, hours=hours, name="track")
        for name, query in (("value", MEAN), ("count", COUNT), ("squares", SQUARES))
    }
    frame = found["value"]
    for name in ("count", "squares"):
        frame = frame.merge(found[name].rename(columns={"value": name}), on=["at", "line"])
    frame = frame[frame["count"] >= 2]
    spread = (frame["squares"] - frame["value"] ** 2).clip(lower=0) ** 0.5
    half = Z95 * spread / (frame["count"] - 1).clip(lower=1) ** 0.5
    return frame.assign(low=(frame["value"] - half).clip(lower=1), high=(frame["value"] + half).clip(upper=5))


def _show_ratings(frame: pd.DataFrame, window: str) -> None:
    if frame.empty:
        st.markdown("##### Ratings")
        nothing("There are too few ratings for a line yet.", f"Two ratings on a track within {window} make a point.")
        return
    last = frame.sort_values("at").groupby("line").last()
    says = "; ".join(
        f"{words.title(str(line))} {row.value:.2f} ({row.low:.2f} to {row.high:.2f})" for line, row in last.iterrows()
    )
    says += f", mean of {'10 minutes' if window == '10m' else 'an hour'} with its 95 % interval, newest."
    table = frame[["at", "line", "value", "low", "high", "count"]]
    charts.show(charts.intervals(frame, unit="Stars, 1 to 5"), title="Ratings", says=says, table=table, key="ratings")


def _show(frame: pd.DataFrame, *, title: str, unit: str, key: str, digits: int) -> None:
    if frame.empty:
        return
    last = frame.sort_values("at").groupby("line")["value"].last()
    says = (
        "; ".join(f"{words.title(str(line))} {value:.{digits}f} {unit.lower()}" for line, value in last.items())
        + ", newest."
    )
    charts.show(charts.lines(frame, unit=unit, shades=charts.TRACKS), title=title, says=says, table=frame, key=key)
