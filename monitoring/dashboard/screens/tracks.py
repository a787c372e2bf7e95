"""The two tracks side by side: what is on each, and what was measured of it."""

from datetime import datetime
from typing import Any

import streamlit as st

from monitoring.dashboard import words

Body = dict[str, Any]


def show(rows: dict[str, Body], live: dict[str, Body | None], why: str, now: datetime) -> None:
    """Show a box for each track; `why` is why production is."""
    for column, track in zip(st.columns(2), ("production", "candidate"), strict=True):
        with column.container(border=True):
            st.markdown(f"##### {words.title(track)}")
            row, release = rows.get(track), live[track]
            if release is None and row is None:
                st.write("No release answers on this track.")
                continue
            st.markdown(_made_of(row, release, now))
            if track == "production" and why and release:
                st.caption(f"{release['release']}: {why[:1].lower()}{why[1:]}")
            _figures(row or {})


def _made_of(row: Body | None, release: Body | None, now: datetime) -> str:
    """What is measured, and what is there now if that is something else."""
    if row is None or (release is not None and release["release"] == row["release"]):
        assert release is not None  # noqa: S101, whoever calls has one of the two
        families = ", ".join(
            f"{words.title(name)} {count}" for name, count in sorted(release["families"].items()) if count
        )
        return f"**{release['release']}** · trained {words.ago(release['made_at'], now)} ago · {families}"
    after = f"now {release['release']}" if release else "no release answers here now"
    return f"**{row['release']}** in the trial · {after}"


def _figures(row: Body) -> None:
    """Figures of one track; a dash is what nobody measured."""
    ratings = row.get("ratings") or 0
    cells = {
        "Forecasts": words.figure(row.get("forecasts") or 0, 0),
        "Clients": words.figure(row.get("clients") or 0, 0),
        "Latency p50": words.figure(row.get("latency_ms_p50"), 2, " ms"),
        "Latency p95": words.figure(row.get("latency_ms_p95"), 2, " ms"),
        "Mean rating": words.figure(row.get("rating_mean"), 2),
        "Ratings": words.figure(ratings, 0),
    }
    named = list(cells.items())
    for start in range(0, len(named), 2):
        for column, (name, value) in zip(st.columns(2), named[start : start + 2], strict=True):
            column.metric(name, value)
