"""Releases on trial over time: ratings with their intervals, latency, errors, from Prometheus; realised errors once weeks are over."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pandas as pd
import streamlit as st

from monitoring.dashboard import charts, session, times
from monitoring.dashboard.prometheus import Span
from monitoring.dashboard.trouble import nothing, shown

HOURS = {"Last hour": 1.0, "Last 6 hours": 6.0, "Last day": 24.0, "Last week": 168.0}
Z95 = 1.96
MEAN = "sum by (release) (increase(ratchet_feedback_ratings_sum{%(who)s}[%(window)s])) / %(count)s"
COUNT = "sum by (release) (increase(ratchet_feedback_ratings_count{%(who)s}[%(window)s]))"
SQUARES = "sum by (release) (increase(ratchet_feedback_ratings_sum_squares_total{%(who)s}[%(window)s])) / %(count)s"
LATENCY = (
    "1000 * histogram_quantile(0.95, sum by (release, le) (rate(ratchet_request_seconds_bucket{%(who)s}[%(window)s])))"
)
ERRORS = (
    '(sum by (release) (rate(ratchet_requests_total{%(who)s,status=~"5.."}[%(window)s])) or sum by (release)'
    " (rate(ratchet_requests_total{%(who)s}[%(window)s])) * 0) / (sum by (release) (rate(ratchet_requests_total{%(who)s}[%(window)s])) > 0)"
)
REALISED = "avg by (release) (ratchet_realised_mase{%(who)s})"
Body = dict[str, Any]


@st.fragment(run_every="30s")
def show(names: list[str], verdicts: list[Body], *, age: timedelta) -> None:
    """Ratings, latency, failures and realised errors, and what is still missing; looked up again while the page is open."""
    with shown("Over time"):
        _show_all(names, verdicts, age)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Which releases over which time: what each question is made of, and how each release is drawn."""

    names: list[str]
    span: Span
    window: str

    @property
    def shades(self) -> dict[str, str]:
        return dict(zip(self.names, charts.SHADES, strict=False))

    def lines(self, query: str) -> pd.DataFrame:
        who = f'workload="{session.workload()}",release=~"{"|".join(self.names)}"'
        count = COUNT % {"who": who, "window": self.window}
        asked = query % {"who": who, "window": self.window, "count": count}
        return session.prometheus().lines(asked, span=self.span, name="release")


def _show_all(names: list[str], verdicts: list[Body], age: timedelta) -> None:
    left, _ = st.columns([1, 3])
    fits = [age <= timedelta(hours=hours) for hours in HOURS.values()]
    usual = fits.index(True) if any(fits) else len(fits) - 1
    hours = HOURS[left.selectbox("Show", list(HOURS), index=usual, key="experiment-hours")]
    asked = _Asked(names=names, span=Span.last(hours), window="10m" if hours <= 6 else "1h")
    with st.spinner("Asking Prometheus …"):
        ratings, latency, errors = _ratings(asked), asked.lines(LATENCY), asked.lines(ERRORS)
    if ratings.empty and latency.empty:
        nothing(
            "Prometheus has no figures of these releases in this time.",
            "They appear within a minute of the first forecasts; `make traffic` brings users who rate what they get.",
        )
        return
    one, two = st.columns(2)
    with one:
        _show_ratings(ratings, asked)
    with two:
        _show(latency, asked, title="Time to answer, 95th percentile", unit="Milliseconds", digits=1)
        if not errors.empty and errors["value"].max() > 0:
            _show(errors.assign(value=100 * errors["value"]), asked, title="Failed forecasts", unit="Percent", digits=2)
        else:
            st.caption("Failed forecasts: none in this time.")
    _show_realised(asked, bounds(verdicts))


def bounds(verdicts: list[Body]) -> pd.DataFrame:
    """The always-valid bounds on the candidate's change in realised error, look by look, as far as looks had them."""
    rows = [
        {"at": said["at"], "line": "candidate", "low": scores["error_low"], "high": scores["error_high"]}
        for said in verdicts
        if {"error_low", "error_high"} <= (scores := said["scores"]).keys()
    ]
    frame = pd.DataFrame(rows, columns=["at", "line", "low", "high"])
    return frame.assign(at=pd.to_datetime(frame["at"], utc=True), value=(frame["low"] + frame["high"]) / 2)


def _show_realised(asked: _Asked, bound: pd.DataFrame) -> None:
    if not bound.empty:
        last = bound.sort_values("at").iloc[-1]
        says = (
            f"Between {last['low']:+.3f} and {last['high']:+.3f} at the newest look; below 0 the candidate is better."
        )
        shades = {"candidate": charts.TRACKS["candidate"]}
        chart = times.intervals(bound, unit="Change in paired error", shades=shades)
        charts.show(chart, title="Realised error, candidate against production", says=says, table=bound, key="bounds")
    found = asked.lines(REALISED)
    if not found.empty:
        _show(found, asked, title="Realised error by release", unit="MASE", digits=2)
    elif bound.empty:
        st.caption("Realised errors: none yet. They appear once a week that was forecast is over and has landed.")


def _ratings(asked: _Asked) -> pd.DataFrame:
    """Mean ratings with the usual 95 % interval of a mean, where at least two people rated."""
    found = {name: asked.lines(query) for name, query in (("value", MEAN), ("count", COUNT), ("squares", SQUARES))}
    frame = found["value"]
    for name in ("count", "squares"):
        frame = frame.merge(found[name].rename(columns={"value": name}), on=["at", "line"])
    frame = frame[frame["count"] >= 2]
    spread = (frame["squares"] - frame["value"] ** 2).clip(lower=0) ** 0.5
    half = Z95 * spread / (frame["count"] - 1).clip(lower=1) ** 0.5
    return frame.assign(low=(frame["value"] - half).clip(lower=1), high=(frame["value"] + half).clip(upper=5))


def _show_ratings(frame: pd.DataFrame, asked: _Asked) -> None:
    length = "10 minutes" if asked.window == "10m" else "an hour"
    if frame.empty:
        st.markdown("##### Ratings")
        nothing("There are too few ratings for a line yet.", f"Two ratings of a release within {length} make a point.")
        return
    last = times.newest(frame, asked.span)
    says = "; ".join(
        f"{line} {row.value:.2f} ({row.low:.2f} to {row.high:.2f}){row.when}" for line, row in last.iterrows()
    )
    says += f", mean of {length} with its 95 % interval, newest."
    table = frame[["at", "line", "value", "low", "high", "count"]]
    known = {name: shade for name, shade in asked.shades.items() if (frame["line"] == name).any()}
    chart = times.intervals(frame, unit="Stars, 1 to 5", shades=known, span=asked.span)
    charts.show(chart, title="Ratings", says=says, table=table, key="ratings")


def _show(frame: pd.DataFrame, asked: _Asked, *, title: str, unit: str, digits: int) -> None:
    if frame.empty:
        return
    last = times.newest(frame, asked.span)
    word = unit if unit.isupper() else unit.lower()
    says = "; ".join(f"{line} {row.value:.{digits}f} {word}{row.when}" for line, row in last.iterrows()) + ", newest."
    chart = times.lines(frame, unit=unit, span=asked.span, shades=asked.shades)
    charts.show(chart, title=title, says=says, table=frame, key=title)
