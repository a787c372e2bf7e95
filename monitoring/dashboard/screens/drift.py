"""*Drift*: whether what is seen now is still what the live release learnt from."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from monitoring.dashboard import charts, session, words
from monitoring.dashboard.api import Trouble
from monitoring.dashboard.trouble import nothing

KINDS = {"Drift": charts.ORANGE, "No drift": charts.GREY}
"""What the test says of a feature: how far it has moved says nothing alone, a few values move far by chance."""

CONFIRMED, LOOKED_AT = "ratchet_drift_confirmed", "ratchet_drift_looked_at_seconds"
MEASURED = f'max by (__name__) ({{__name__=~"{CONFIRMED}|{LOOKED_AT}",workload="%s"}})'


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
    measured = _measured()
    if looked := measured.get(LOOKED_AT):
        st.caption(
            f"The newest look was {words.span(datetime.now(UTC).timestamp() - looked)} ago; the drift DAG looks every day."
        )
    found = report.get("drift_indicators", {})
    if report.get("overall_drift_detected"):
        drifting = ", ".join(words.title(name) for name, one in found.items() if one["significant_drift"])
        st.warning(f"**Drift:** {drifting}. {_sure(measured.get(CONFIRMED))}", icon=":material/trending_up:")
    elif found:
        judged = ", ".join(map(words.title, found))
        st.success(
            f"No drift in what could be judged: {judged}. What has no recent data yet is not listed.",
            icon=":material/check:",
        )
    if not found:
        nothing("No feature could be judged.", "There are too few values yet.")
        return
    _features(found)


def _features(found: dict[str, dict[str, Any]]) -> None:
    """How far each feature has moved, and which of them by more than chance."""
    rows = [
        {
            "feature": words.title(name),
            "kind": "Drift" if one["significant_drift"] else "No drift",
            "psi": one["psi"],
            "shift": one["drift_percentage"],
            "p": one["p_value"],
            "test": one["test"].upper(),
        }
        for name, one in found.items()
    ]
    frame = pd.DataFrame(rows).sort_values("psi", ascending=False, ignore_index=True)
    most = frame.iloc[0]
    says = f"Moved most: {most['feature']}, PSI {most['psi']:.2f}, mean {most['shift']:+.1f} %: "
    if most["kind"] == "Drift":
        says += f"more than chance explains (p {most['p']:.2g})."
    else:
        says += f"no drift, values so few and so unsteady move as far by chance (p {most['p']:.2g})."
    says += " PSI alone says nothing: fewer values, larger PSI."
    chart = charts.bars(frame, name="feature", value="psi", unit="Population stability index (PSI)", kinds=KINDS)
    charts.show(chart, title="How far each feature has moved", says=says, table=frame, key="drift")


def _sure(confirmed: float | None) -> str:
    """Whether it is confirmed: only that asks for a new candidate. Without Prometheus, what has to happen."""
    if confirmed is None:
        return "Confirmed drift asks for a new candidate by itself."
    if confirmed:
        return "It is confirmed: a new candidate is asked for by itself, once."
    return "It is not confirmed: the next look at new data has to agree before a new candidate is asked for."


def _measured() -> dict[str, float]:
    """Figures of the newest look, in one question: a Prometheus that hangs is waited for once. Nothing where it is away or has none."""
    try:
        found = session.prometheus().now(MEASURED % session.workload())
    except Trouble:
        return {}
    return {labels["__name__"]: value for labels, value in found}
