"""Charts with a title, units and a description for those who do not see them. Colours hold on light and on dark."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import altair as alt
import pandas as pd
import streamlit as st

from monitoring.dashboard import words
from monitoring.dashboard.prometheus import Span

Drawing: TypeAlias = Any
"""A chart: altair's own types do not say which of its kinds comes out of a composition."""
BLUE: Final = "#2f7ed8"
ORANGE: Final = "#d9741a"
GREY: Final = "#7a8694"
SHADES: Final = [BLUE, ORANGE, "#2a9d6f", "#a35fc4", "#c44e63", "#8a8d2f", GREY, "#3aa3b5"]
FEW: Final = 20
"""With fewer points than this a line is hard to see without them."""
LEGEND: Final = alt.Legend(
    orient="top", offset=2, padding=0, columns=2, columnPadding=6, labelLimit=118, title=None, symbolOpacity=1
)
LEGEND_ROW: Final = 24
"""What each further row of a legend takes; a chart grows by it, or its lines would be left with nothing."""
UTC: Final = alt.Scale(type="utc")
"""Without it a browser draws its own time zone: a week's Sunday is a Saturday west of Greenwich. A tooltip has no scale: it gets text."""
LONG: Final = "%d %b %H:%M"
TIMES: Final = {
    timedelta(minutes=5): "%H:%M:%S",
    timedelta(days=1): "%H:%M",
    timedelta(days=3): LONG,
    timedelta.max: "%d %b",
}
"""How an axis that is at most so long writes its times: each differently from the next."""
TRACKS: Final = {"production": BLUE, "candidate": ORANGE}


def show(chart: Drawing, *, title: str, says: str, table: pd.DataFrame, key: str) -> None:
    """Show a chart under its title, what it says in a sentence, and the same figures as a table."""
    st.markdown(f"##### {title}")
    st.altair_chart(
        chart.properties(description=f"{title}. {says}", height=chart.height if _sized(chart) else 260), key=key
    )
    st.caption(says)
    with st.expander("The same as a table"):
        st.dataframe(table.rename(columns=words.title), hide_index=True, key=f"{key}-table")


def forecast(history: pd.DataFrame, weeks: pd.DataFrame, others: pd.DataFrame, *, unit: str) -> Drawing:
    """History, the forecast with both bounds, and, thin, what other families would have said."""
    history, weeks, others = (_told(frame, "week", "%d %b %Y") for frame in (history, weeks, others))
    days = alt.Axis(format="%d %b %Y", labelAngle=0, tickCount=5)
    axis = alt.X("week:T", title="Week that ends on", scale=UTC, axis=days)
    scale = alt.Scale(zero=True)
    wide = _band(weeks, axis, "lo_95", "hi_95", 0.18, unit)
    narrow = _band(weeks, axis, "lo_80", "hi_80", 0.32, unit)
    tip = [alt.Tooltip("when:N", title="Week")]
    middle = alt.Chart(weeks).mark_line(color=BLUE, strokeWidth=2.5, point={"size": 22, "color": BLUE}).encode(
        axis, alt.Y("median:Q", title=unit, scale=scale),
        tooltip=[*tip, *(alt.Tooltip(f"{name}:Q", title=name.replace("_", " "), format=",.1f") for name in
                 ("median", "mean", "lo_80", "hi_80", "lo_95", "hi_95"))],
    )  # fmt: skip
    past = alt.Chart(history).mark_line(color=GREY, strokeWidth=1.8).encode(
        axis, alt.Y("value:Q", scale=scale), tooltip=[*tip, alt.Tooltip("value:Q", title="Really happened", format=",.0f")]
    )  # fmt: skip
    layers = [wide, narrow, past, middle]
    if len(others):
        layers.append(_families(others, axis))
    return alt.layer(*layers).resolve_scale(color="independent").properties(height=340)


def _families(others: pd.DataFrame, axis: alt.X) -> Drawing:
    shades = alt.Scale(range=SHADES[1:])
    return (
        alt.Chart(others)
        .mark_line(strokeWidth=1.5, strokeDash=[4, 3])
        .encode(
            axis,
            alt.Y("value:Q"),
            alt.Color("family:N", title="Family", scale=shades, legend=LEGEND),
            tooltip=["family:N", alt.Tooltip("when:N", title="week"), alt.Tooltip("value:Q", format=",.1f")],
        )
    )


def _band(weeks: pd.DataFrame, axis: alt.X, low: str, high: str, opacity: float, unit: str) -> Drawing:
    return (
        alt.Chart(weeks)
        .mark_area(color=BLUE, opacity=opacity)
        .encode(axis, alt.Y(f"{low}:Q", title=unit), alt.Y2(f"{high}:Q"))
    )


def lines(frame: pd.DataFrame, *, unit: str, span: Span, shades: dict[str, str] | None = None) -> Drawing:
    """One line for each name over time, broken where nothing was measured."""
    known = shades or {}
    names = sorted(
        frame["line"].unique(), key=lambda name: (list(known).index(name) if name in known else len(known), name)
    )
    scale = alt.Scale(zero=True) if frame["value"].any() else alt.Scale(domain=[0, 1])
    colours = [known.get(name, SHADES[number % len(SHADES)]) for number, name in enumerate(names)]
    broken = _broken(frame, span.step)
    sparse = len(frame) < FEW * len(names) or len(broken) > len(frame)
    return (
        alt.Chart(_told(broken, "at", LONG))
        .mark_line(strokeWidth=2, point={"size": 12} if sparse else False)
        .encode(
            _times(frame, span),
            alt.Y("value:Q", title=unit, scale=scale),
            alt.Color(
                "line:N", scale=alt.Scale(domain=names, range=colours), legend=LEGEND if len(names) > 1 else None
            ),
            tooltip=[alt.Tooltip("when:N", title="Time (UTC)"), "line:N", alt.Tooltip("value:Q", format=",.4g")],
        )
        .properties(height=260 + LEGEND_ROW * max(0, -(-len(names) // LEGEND.columns) - 1))
    )


def bars(frame: pd.DataFrame, *, name: str, value: str, unit: str, line: float | None = None) -> Drawing:
    """Bars, the longest first; `line` marks a limit."""
    base = (
        alt.Chart(frame)
        .mark_bar(color=BLUE)
        .encode(
            alt.Y(f"{name}:N", sort="-x", title=None, axis=alt.Axis(labelLimit=150, labelOverlap=False)),
            alt.X(f"{value}:Q", title=unit, axis=alt.Axis(tickCount=10)),
            tooltip=[f"{name}:N", alt.Tooltip(f"{value}:Q", format=",.4g")],
        )
    )
    if line is None:
        return alt.layer(base).properties(height=max(120, 26 * len(frame) + 50))
    rule = alt.Chart(pd.DataFrame({"line": [line]})).mark_rule(color=ORANGE, strokeDash=[6, 4]).encode(alt.X("line:Q"))
    return alt.layer(base, rule).properties(height=max(120, 26 * len(frame) + 50))


def newest(frame: pd.DataFrame, span: Span) -> pd.DataFrame:
    """The last row of each line, with ` at 05:14` as `when` where it is not of now."""
    last = frame.sort_values("at").groupby("line").last()
    old = last["at"] < span.until - 2 * span.step
    form = " at %H:%M" if span.until - span.since <= timedelta(days=1) else " at %d %b %H:%M"
    return last.assign(when=last["at"].dt.strftime(form).where(old, ""))


def intervals(frame: pd.DataFrame, *, unit: str, shades: dict[str, str], span: Span | None = None) -> Drawing:
    """A line for each name over time, each with its interval; broken where a span's grid has no figure."""
    scale = alt.Scale(domain=list(shades), range=list(shades.values()))
    colour = alt.Color("line:N", title=None, scale=scale, legend=LEGEND)
    axis = _times(frame, span)
    frame = _told(_broken(frame, span.step) if span else frame, "at", LONG)
    scale = alt.Scale(zero=False)
    band = (
        alt.Chart(frame)
        .mark_area(opacity=0.2)
        .encode(axis, alt.Y("low:Q", title=unit, scale=scale), alt.Y2("high:Q"), colour)
    )
    middle = alt.Chart(frame).mark_line(strokeWidth=2, point={"size": 12} if len(frame) < FEW else False).encode(
        axis, alt.Y("value:Q", scale=scale), colour,
        tooltip=["line:N", alt.Tooltip("when:N", title="Time (UTC)"),
                 *(alt.Tooltip(f"{one}:Q", format=",.3g") for one in ("value", "low", "high"))],
    )  # fmt: skip
    return alt.layer(band, middle).properties(height=260)


def heat(  # a grid is made of all of these
    frame: pd.DataFrame, *, across: str, down: str, value: str, unit: str, order: Sequence[str]
) -> Drawing:
    """A grid of two ordered columns, coloured by a third."""
    return (
        alt.Chart(frame)
        .mark_rect()
        .encode(
            alt.X(f"{across}:O", title=words.title(across), axis=alt.Axis(labelAngle=0)),
            alt.Y(f"{down}:O", title=None, sort=list(order), axis=alt.Axis(labelOverlap=False)),
            alt.Color(f"{value}:Q", title=unit, scale=alt.Scale(scheme="blues"), legend=alt.Legend(orient="top")),
            tooltip=[across, down, alt.Tooltip(f"{value}:Q", format=",.4g")],
        )
        .properties(height=340)
    )


def _times(frame: pd.DataFrame, span: Span | None) -> alt.X:
    """The axis from the first figure to now, so that one sees how old the last one is; without a span to the last figure."""
    first, last = frame["at"].min(), frame["at"].max()
    scale = UTC
    if span:
        first, last = min(max(first, span.since), span.until - span.step), span.until
        scale = alt.Scale(type="utc", domain=[_moment(first), _moment(last)])
    form = next(form for most, form in TIMES.items() if last - first <= most)
    axis = alt.Axis(format=form, labelAngle=0, tickCount=5 if len(form) < len(LONG) else 3)
    return alt.X("at:T", title="Time (UTC)", scale=scale, axis=axis)


def _moment(at: datetime) -> alt.DateTime:
    return alt.DateTime(
        year=at.year, month=at.month, date=at.day, hours=at.hour, minutes=at.minute, seconds=at.second, utc=True
    )


def _broken(frame: pd.DataFrame, step: timedelta) -> pd.DataFrame:
    """The same with a row of nothing after each point that the next one is missing of: a line across would be made up."""
    frame = frame.sort_values(["line", "at"])
    ends = frame[frame.groupby("line")["at"].shift(-1) - frame["at"] > 1.5 * step]
    holes = ends[["at", "line"]].assign(at=ends["at"] + step)
    return pd.concat([frame, holes]).sort_values(["line", "at"], ignore_index=True) if len(holes) else frame


def _told(frame: pd.DataFrame, time: str, form: str) -> pd.DataFrame:
    """The same with each time written out as `when`, for tooltips."""
    return frame.assign(when=pd.to_datetime(frame[time], utc=True).dt.strftime(form))


def _sized(chart: Drawing) -> bool:
    return isinstance(chart.height, int | float)
