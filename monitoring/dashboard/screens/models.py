"""*Models*: every release, what it is made of, and how far it can be trusted."""

import math
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from monitoring.dashboard import charts, session, words
from monitoring.dashboard.api import Trouble
from monitoring.dashboard.registry import Listed, Run
from monitoring.dashboard.screens import families
from monitoring.dashboard.trouble import nothing, shown

ALL = "release"
"""What a card calls the release as a whole, among its families."""
CHANCE = "± is a standard error: what other series would change in the same weeks; other weeks change it too"
CALIBRATION = {"Promised": charts.GREY, "Held": charts.BLUE}


@st.cache_data(ttl=session.FRESH_SECONDS, show_spinner=False)
def _releases(workload: str) -> list[Listed]:
    return session.registry().releases(workload)


@st.cache_data(ttl=300, show_spinner=False, max_entries=100)
def _run(run_id: str) -> Run:
    return session.registry().run(run_id)


def show() -> None:
    """Show the page."""
    st.title("Models")
    found = _releases(session.workload())
    if not found:
        nothing("No release is registered yet.", "The first training makes one.")
        return
    rows = [
        {
            "Release": one.names,
            "Version": one.tags.get("semantic_version", ""),
            "State": words.title(one.tags.get("state", "")),
            "Lifecycle": words.title(one.tags.get("lifecycle", "")),
            "Files": words.title(one.tags.get("files", "kept")),
            "Data as of": words.moment(one.tags.get("data_hour")),
            "Data": "synthetic" if one.tags.get("synthetic") == "true" else "real",
            "Id": one.tags.get("release_id", ""),
        }
        for one in found
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="releases")
    chosen = st.selectbox(
        "Release", found, format_func=lambda one: f"{one.names} · {words.title(one.tags.get('state', ''))}"
    )
    with shown("The card"):
        _card(chosen)
    with shown("Its series"):
        _series(chosen)


def _card(release: Listed) -> None:
    run = _run(release.run_id)
    own = {name.removesuffix(f"/{ALL}"): value for name, value in run.metrics.items() if name.endswith(f"/{ALL}")}
    cells = st.columns(4)
    cells[0].metric(
        "MASE",
        words.figure(own.get("mase"), 3),
        border=True,
        help="On held-out weeks; 1 is as wrong as repeating the last week",
    )
    cells[1].metric(
        "Bias of the mean",
        words.figure(own.get("bias_mean"), 3),
        border=True,
        help="In units of the same scale; above 0: too high. A typical week lies lower by its nature: "
        f"{words.figure(own.get('bias'), 3)}",
    )
    cells[2].metric("Series", run.params.get("series", words.NOTHING), border=True)
    cells[3].metric("Weeks ahead", run.params.get("horizon", words.NOTHING), border=True)
    recipe = ", ".join(map(words.title, run.params.get("recipe", "").split()))
    st.caption(
        f"Recipe: {recipe}. Code {run.params.get('code_version', '')}. [The training run in MLflow]({run.address})"
    )
    left, right = st.columns(2)
    with left:
        families.show(run)
    with right:
        _calibration(run)


def _calibration(run: Run) -> None:
    held = {name.partition("/")[2]: value for name, value in run.metrics.items() if name.startswith("coverage/")}
    levels = [
        {"promised": float(level), "held": 100 * value, "standard_error": _error(run, level)}
        for level, value in held.items()
        if level.replace(".", "").isdigit()
    ]
    if not levels:
        return
    frame = pd.DataFrame(levels).sort_values("promised")
    says = "; ".join(
        f"bounds of {promised:.0f} % held in {share:.1f}{_give_or_take(error)} % of held-out weeks"
        for promised, share, error in frame.to_numpy(dtype=float)
    )
    says = f"{says[:1].upper()}{says[1:]}." + f" {CHANCE}." * bool(frame["standard_error"].notna().any())
    says += _ahead(held, f"{frame['promised'].iloc[0]:g}")
    pairs = [
        {"bound": f"{row.promised:.0f} % {kind.lower()}", "kind": kind, "value": value}
        for row in frame[::-1].itertuples()
        for kind, value in (("Promised", row.promised), ("Held", row.held))
    ]
    unit = "Percent of weeks inside"
    chart = charts.bars(pd.DataFrame(pairs), name="bound", value="value", unit=unit, kinds=CALIBRATION)
    charts.show(chart, title="Calibration", says=says, table=frame, key="calibration")


def _ahead(held: Mapping[str, float], level: str) -> str:
    """Say how much the bounds of a level hold at first and in the end: on series that change much the last weeks tell of it."""
    steps = {int(name.rpartition(" ")[2]): share for name, share in held.items() if name.startswith(f"{level}/step ")}
    if len(steps) < 2:
        return ""
    first, last = min(steps), max(steps)
    return f" Those of {level} % held in {100 * steps[first]:.1f} % of weeks {first} ahead, in {100 * steps[last]:.1f} % {last} ahead."


def _error(run: Run, level: str) -> float:
    return 100 * run.metrics.get(f"coverage_{level}_error/{ALL}", float("nan"))


def _give_or_take(error: float) -> str:
    return "" if math.isnan(error) else f" ± {error:.1f}"


def _series(release: Listed) -> None:
    track = next((track for track in ("production", "candidate") if _serves(track, release)), None)
    if track is None:
        st.caption("Best and worst series are shown of releases that are live or on trial.")
        return
    for column, order, title in zip(st.columns(2), ("best", "worst"), ("Best series", "Worst series"), strict=True):
        found = session.ask("release/scores", track=track, order=order, limit=10)["series"]
        frame = pd.DataFrame(found)
        with column:
            st.markdown(f"##### {title}")
            if frame.empty:
                nothing("None could be validated.", "They are too young, or never change.")
                continue
            said = frame.assign(**{name: frame[name].map(words.title) for name in ("target", "family")})
            st.dataframe(said.rename(columns=words.title), hide_index=True, key=f"series-{order}")
            st.caption("By MASE on held-out weeks, of the family that answers for them.")


def _serves(track: str, release: Listed) -> bool:
    try:
        return bool(session.ask("release", track=track)["release_id"] == release.tags.get("release_id"))
    except Trouble:
        return False
