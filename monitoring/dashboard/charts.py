"""Charts with a title, units and a description for those who do not see them. Colours hold on light and on dark."""

from collections.abc import Collection, Sequence
from typing import Any, Final, TypeAlias

import altair as alt
import pandas as pd
import streamlit as st

from monitoring.dashboard import words

Drawing: TypeAlias = Any
"""A chart: altair's own types do not say which of its kinds comes out of a composition."""
BLUE: Final = "#2f7ed8"
ORANGE: Final = "#d9741a"
GREY: Final = "#7a8694"
SHADES: Final = [BLUE, ORANGE, "#2a9d6f", "#a35fc4", "#c44e63", "#8a8d2f", GREY, "#3aa3b5"]
BAR, AXIS = 26, 70
"""Pixels of a bar with its gap, and of the axis under all of them with its title."""
PLOT, SYMBOL, GAP, LETTER, LEGEND_ROW = 290, 20, 6, 6.7, 24
"""Pixels: of a chart on a phone beside its axis; of a legend's symbol, between its columns, of a letter, of a row that a chart grows by."""
UTC: Final = alt.Scale(type="utc")
"""Without it a browser draws its own time zone: a week's Sunday is a Saturday west of Greenwich. A tooltip has no scale: it gets text."""
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
    history, weeks, others = (told(frame, "week", "%d %b %Y") for frame in (history, weeks, others))
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
            alt.Color("family:N", title="Family", scale=shades, legend=legend(others["family"].unique())),
            tooltip=["family:N", alt.Tooltip("when:N", title="week"), alt.Tooltip("value:Q", format=",.1f")],
        )
    )


def _band(weeks: pd.DataFrame, axis: alt.X, low: str, high: str, opacity: float, unit: str) -> Drawing:
    return (
        alt.Chart(weeks)
        .mark_area(color=BLUE, opacity=opacity)
        .encode(axis, alt.Y(f"{low}:Q", title=unit), alt.Y2(f"{high}:Q"))
    )


def bars(frame: pd.DataFrame, *, name: str, value: str, unit: str, kinds: dict[str, str] | None = None) -> Drawing:
    """Bars, in the order of the rows; of `kinds`, which the column `kind` names, each in its colour."""
    shade: alt.Color | alt.ColorValue = alt.ColorValue(BLUE)
    rows = 0
    if kinds:
        scale, shown = alt.Scale(domain=list(kinds), range=list(kinds.values())), legend(kinds)
        shade, rows = alt.Color("kind:N", scale=scale, legend=shown), -(-len(kinds) // shown.columns)
    return (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            alt.Y(f"{name}:N", sort=None, title=None, axis=alt.Axis(labelLimit=150, labelOverlap=False)),
            alt.X(f"{value}:Q", title=unit, axis=alt.Axis(tickCount=10)),
            shade,
            tooltip=[f"{name}:N", alt.Tooltip(f"{value}:Q", format=",.4g")],
        )
        .properties(height=BAR * len(frame) + AXIS + LEGEND_ROW * rows)
    )


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


def told(frame: pd.DataFrame, time: str, form: str) -> pd.DataFrame:
    """The same with each time written out as `when`, for tooltips."""
    return frame.assign(when=pd.to_datetime(frame[time], utc=True).dt.strftime(form))


def legend(names: Collection[str]) -> alt.Legend:
    """A legend in which every name stands whole, on a phone too: in two columns if they fit, else in one."""
    longest = LETTER * max(map(len, names), default=0)
    columns = 2 if 2 * (SYMBOL + longest) + GAP <= PLOT else 1
    room = (PLOT - GAP) // columns - SYMBOL
    return alt.Legend(
        orient="top", offset=2, padding=0, columns=columns, columnPadding=GAP, labelLimit=room, title=None, symbolOpacity=1,
        symbolType="circle", symbolSize=25, symbolStrokeWidth=3,  # a dot, whether its mark is drawn by stroke or filled
    )  # fmt: skip


def _sized(chart: Drawing) -> bool:
    return isinstance(chart.height, int | float)
