"""*Drift*: whether what is seen now is still what the live release learnt from."""

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from monitoring.dashboard import charts, session, words
from monitoring.dashboard.api import Trouble
from monitoring.dashboard.trouble import nothing

MUCH = 0.25
"""A population stability index above this is what practice calls a large shift."""

CONFIRMED = 'max(ratchet_drift_confirmed{workload="%s"})'
LOOKED_AT = 'max(ratchet_drift_looked_at_seconds{workload="%s"})'


def show() -> None:
    """Show the page."""
    st.title("Drift")
    st.write("Each feature's recent values beside those that the live release was trained on.")
    try:
        report = session.ask("drift_report", operate=True)
    except Trouble as trouble:
        if trouble.slug != "no-drift-report":
            raise
        nothing(
            "Nobody has looked for drift yet.",
            "The drift DAG looks once there is newer data than the release has seen.",
        )
        return
    if looked := _measured(LOOKED_AT):
        st.caption(
            f"The newest look was {words.span(datetime.now(UTC).timestamp() - looked)} ago; the drift DAG looks every day."
        )
    found = report.get("drift_indicators", {})
    if report.get("overall_drift_detected"):
        drifting = ", ".join(words.title(name) for name, one in found.items() if one["significant_drift"])
        st.warning(f"**Drift:** {drifting}. {_sure()}", icon=":material/trending_up:")
    elif found:
        judged = ", ".join(map(words.title, found))
        st.success(
            f"No drift in what could be judged: {judged}. What has no recent data yet is not listed.",
            icon=":material/check:",
        )
    if not found:
        nothing("No feature could be judged.", "There are too few values yet.")
        return
    rows = [
        {
            "feature": words.title(name),
            "psi": one["psi"],
            "shift": one["drift_percentage"],
            "test": one["test"],
            "p": one["p_value"],
            "drifts": "yes" if one["significant_drift"] else "no",
        }
        for name, one in found.items()
    ]
    frame = pd.DataFrame(rows)
    most = frame.loc[frame["psi"].idxmax()]
    says = f"Moved most: {most['feature']}, index {most['psi']:.3f}, mean {most['shift']:+.1f} %. Above {MUCH} is a large shift."
    if most["psi"] > MUCH and most["drifts"] == "no":
        says += " It is no drift: such a feature varies as much by itself."
    chart = charts.bars(frame, name="feature", value="psi", unit="Population stability index", line=MUCH)
    charts.show(chart, title="How far each feature has moved", says=says, table=frame, key="drift")


def _sure() -> str:
    """Whether it is confirmed: only that asks for a new candidate. Without Prometheus, what has to happen."""
    confirmed = _measured(CONFIRMED)
    if confirmed is None:
        return "Confirmed drift asks for a new candidate by itself."
    if confirmed:
        return "It is confirmed: a new candidate is asked for by itself, once."
    return "It is not confirmed: the next look at new data has to agree before a new candidate is asked for."


def _measured(query: str) -> float | None:
    """A figure of the newest look; nothing where Prometheus is away or has none."""
    try:
        found = session.prometheus().now(query % session.workload())
    except Trouble:
        return None
    return found[0][1] if found else None
