"""Every verdict so far, with its reason and the figures behind it."""

from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from monitoring.dashboard import words
from monitoring.dashboard.trouble import nothing

Body = dict[str, Any]
MEANS = {
    "promote": "the candidate took over",
    "rollback": "the candidate was taken off",
    "hold": "nothing moves: something is missing or suspect, a person said so, or neither is clearly better",
    "extend": "nothing is decided yet; measuring goes on",
    "suspend": "the candidate gets no traffic until something is measured",
    "inconclusive": "time was up without a difference; production stays",
    "revert": "the release that was beaten came back",
}
WIDTHS = {"When": 150, "Experiment": 88, "Verdict": 88, "Reason": 470, "Carried out": 114, "Figures": 164}
"""Pixels of the columns of verdicts: all of a wide page, so that it is seen without scrolling sideways."""
LOG_E = " Log e: how strongly the data speak for it; 0 or less: not at all; 3: by chance once in 20 at most."


def show(experiments: list[Body]) -> None:
    """Show the newest ones first, and what each kind means."""
    st.markdown("##### Verdicts")
    said = [
        {
            "When": words.moment(one["at"]),
            "Experiment": row["experiment_id"],
            "Verdict": words.title(one["verdict"]),
            "Reason": one["reason"],
            "Carried out": _after(one["at"], one["acted_at"]),
            "Figures": words.judged(one["scores"]),
        }
        for row in experiments
        for one in row["verdicts"]
    ]
    if not said:
        nothing(
            "Nothing has been decided yet.", "Every verdict will be here with its reason and the figures behind it."
        )
        return
    columns = {name: st.column_config.Column(width=width) for name, width in WIDTHS.items()}
    st.dataframe(pd.DataFrame(said), hide_index=True, column_config=columns, key="verdicts")
    st.caption(
        "; ".join(
            f"{words.title(name)}: {means}"
            for name, means in MEANS.items()
            if any(one["Verdict"] == words.title(name) for one in said)
        )
        + f".{LOG_E if any('log e' in one['Figures'] for one in said) else ''}"
    )


def _after(said: str, acted: str | None) -> str:
    """How long a verdict waited until it was carried out."""
    if acted is None:
        return words.NOTHING
    seconds = (datetime.fromisoformat(acted) - datetime.fromisoformat(said)).total_seconds()
    return "at once" if seconds < 60 else f"{words.span(seconds)} later"
