"""Families of a release: how wrong each was on held-out weeks, and which of them its answers are made of."""

from typing import Final

import pandas as pd
import streamlit as st

from monitoring.dashboard import charts, words
from monitoring.dashboard.registry import Run
from monitoring.dashboard.trouble import nothing

ENSEMBLE: Final = "ensemble"
ANSWERS, MEMBER, MEAN, NONE = "Answers", "In the ensemble", "In the mean", "Answers for none"
KINDS: Final = {ANSWERS: charts.BLUE, MEMBER: charts.ORANGE, MEAN: "#2a9d6f", NONE: charts.GREY}
LATER: Final = "The choice was made on older weeks than these errors are of"
"""Why the best family here may be one that answers for none."""


def show(run: Run) -> None:
    """Show every family that was tried, the best first."""
    frame = tried(run)
    if frame.empty:
        return
    says, known = made_of(frame), frame.dropna(subset="mase")
    if known.empty:
        st.markdown("##### Families")
        nothing("No family could be validated.", says)
        return
    kinds = {kind: shade for kind, shade in KINDS.items() if (known["kind"] == kind).any()}
    chart = charts.bars(known, name="family", value="mase", unit="MASE, shorter is better", kinds=kinds)
    charts.show(chart, title="Families", says=says, table=frame, key="families")


def tried(run: Run) -> pd.DataFrame:
    """Every family with its error and what it is for; runs of older releases do not say what their ensemble is made of."""
    counts = {name.partition("/")[2]: value for name, value in run.metrics.items() if name.startswith("series/")}
    members = run.params.get("ensemble", "").split() if counts.get(ENSEMBLE) else []
    expects = run.params.get("expects")
    rows = [
        {
            "family": words.title(name),
            "mase": run.metrics.get(f"mase/{name}"),
            "kind": _kind(count, is_member=name in members, expects=name == expects),
            "series": int(count),
            "in_the_ensemble": name in members,
        }
        for name, count in sorted(counts.items())
    ]
    frame = pd.DataFrame(rows, columns=["family", "mase", "kind", "series", "in_the_ensemble"])
    return frame.astype({"mase": float}).sort_values("mase", ignore_index=True)


def _kind(count: float, *, is_member: bool, expects: bool) -> str:
    if count:
        return ANSWERS
    if is_member:
        return MEMBER
    return MEAN if expects else NONE


def made_of(frame: pd.DataFrame) -> str:
    """Who answers for how many series, what the ensemble and the mean are made of, and who was tried beside them."""
    said = frame["mase"].map(words.figure)
    told = frame["family"] + " " + said
    answer = frame[frame["kind"] == ANSWERS].sort_values("series", ascending=False)
    who = [f"{row.family} (MASE {said[row.Index]}) answers for {row.series:,} series" for row in answer.itertuples()]
    parts = (
        ("{}", "; ".join(who)),
        ("The ensemble is the median of {}", ", ".join(told[frame["in_the_ensemble"]])),
        ("Most of each mean is what {} expects", ", ".join(frame["family"][frame["kind"] == MEAN])),
        ("Tried, and answering for none: {}", ", ".join(told[frame["kind"] == NONE])),
        ("{}", LATER),
    )
    return " ".join(f"{text.format(some)}." for text, some in parts if some)
