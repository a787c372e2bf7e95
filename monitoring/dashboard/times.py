"""Figures over time, as Prometheus knows them: broken where there are none, up to now."""

from datetime import datetime, timedelta
from typing import Final

import altair as alt
import pandas as pd

from monitoring.dashboard import charts
from monitoring.dashboard.prometheus import Span

FEW: Final = 20
"""With fewer points than this a line is hard to see without them."""
LONG: Final = "%d %b %H:%M"
TIMES: Final = {
    timedelta(minutes=5): "%H:%M:%S",
    timedelta(days=1): "%H:%M",
    timedelta(days=3): LONG,
    timedelta.max: "%d %b",
}
"""How an axis that is at most so long writes its times: each differently from the next."""


def lines(frame: pd.DataFrame, *, unit: str, span: Span, shades: dict[str, str] | None = None) -> charts.Drawing:
    """One line for each name over time, broken where nothing was measured."""
    known = shades or {}
    names = sorted(
        frame["line"].unique(), key=lambda name: (list(known).index(name) if name in known else len(known), name)
    )
    scale = alt.Scale(zero=True) if frame["value"].any() else alt.Scale(domain=[0, 1])
    colours = [known.get(name, charts.SHADES[number % len(charts.SHADES)]) for number, name in enumerate(names)]
    legend = charts.legend(names)
    broken = _broken(frame, span.step)
    sparse = len(frame) < FEW * len(names) or len(broken) > len(frame)
    return (
        alt.Chart(charts.told(broken, "at", LONG))
        .mark_line(strokeWidth=2, point={"size": 12} if sparse else False)
        .encode(
            _times(frame, span),
            alt.Y("value:Q", title=unit, scale=scale),
            alt.Color(
                "line:N", scale=alt.Scale(domain=names, range=colours), legend=legend if len(names) > 1 else None
            ),
            tooltip=[alt.Tooltip("when:N", title="Time (UTC)"), "line:N", alt.Tooltip("value:Q", format=",.4g")],
        )
        .properties(height=260 + charts.LEGEND_ROW * max(0, -(-len(names) // legend.columns) - 1))
    )


def newest(frame: pd.DataFrame, span: Span) -> pd.DataFrame:
    """The last row of each line, with ` at 05:14` as `when` where it is not of now."""
    last = frame.sort_values("at").groupby("line").last()
    old = last["at"] < span.until - 2 * span.step
    form = " at %H:%M" if span.until - span.since <= timedelta(days=1) else " at %d %b %H:%M"
    return last.assign(when=last["at"].dt.strftime(form).where(old, ""))


def intervals(frame: pd.DataFrame, *, unit: str, shades: dict[str, str], span: Span | None = None) -> charts.Drawing:
    """A line for each name over time, each with its interval; broken where a span's grid has no figure."""
    scale = alt.Scale(domain=list(shades), range=list(shades.values()))
    colour = alt.Color("line:N", title=None, scale=scale, legend=charts.legend(shades))
    axis = _times(frame, span)
    frame = charts.told(_broken(frame, span.step) if span else frame, "at", LONG)
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


def _times(frame: pd.DataFrame, span: Span | None) -> alt.X:
    """The axis from the first figure to now, so that one sees how old the last one is; without a span to the last figure."""
    first, last = frame["at"].min(), frame["at"].max()
    scale = charts.UTC
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
