"""*Forecast*: one series, a history of one's own, or a whole table of them."""

from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from monitoring.dashboard import charts, session, words
from monitoring.dashboard.screens import batch, own
from monitoring.dashboard.trouble import nothing, shown

MANY = 1000
"""More series than this are searched by the server."""
PAST = 78
"""Weeks of history that are shown: a season and a half."""
Body = dict[str, Any]


def show() -> None:
    """Show the page."""
    st.title("Forecast")
    release, page = session.together(partial(session.ask, "release"), partial(session.ask, "series", limit=MANY))
    one, mine, table = st.tabs(["One series", "Your own history", "A table of series"])
    with one, shown("This series"):
        _one(release, page)
    with mine, shown("Your history"):
        own.show(release, session.id_name(page))
    with table, shown("The table"):
        batch.show(page, min(8, release["horizon"]))


def _one(release: Body, page: Body) -> None:
    found = _pick(release, page)
    if found is None:
        return
    id_name, unique_id, target, horizon = found
    with st.spinner("Forecasting …"):
        answer, detail = session.together(
            partial(_predict, id_name, unique_id, target, horizon),
            partial(session.ask, "series/detail", unique_id=unique_id, target=target, weeks=PAST),
        )
    _say(answer, detail, target, datetime.now(UTC).date())
    compare = st.toggle("Show what each family would have said", value=False)
    _chart(
        answer,
        detail,
        title=f"{words.title(target)} of {words.plain(unique_id)} by week",
        compare=compare,
        horizon=horizon,
    )
    _rate(answer)


def _pick(release: Body, page: Body) -> tuple[str, str, str, int] | None:
    if page["total"] > MANY:
        wanted = st.text_input("Search", placeholder="Any part of a name", max_chars=200)
        page = session.ask("series", limit=MANY, search=wanted)
    if not page["series"]:
        nothing("Nothing of that name is forecast.", "Try fewer letters, or bring your own history in the next tab.")
        return None
    id_name = session.id_name(page)
    ids = list(dict.fromkeys(row[id_name] for row in page["series"]))
    told = f"{len(ids)} to choose from: type to search"
    if page["total"] > len(page["series"]):
        ids = ids[:-1] or ids  # of the last one only some targets may be on this page
        told = f"The first {len(ids)}: search for others"
    left, middle, right = st.columns([3, 2, 2])
    unique_id = left.selectbox(words.title(id_name), ids, help=told)
    targets = [row["target"] for row in page["series"] if row[id_name] == unique_id]
    ordered = [target for target in release["targets"] if target in targets]
    target = middle.selectbox("Target", ordered, format_func=words.title)
    horizon = right.slider("Weeks ahead", 1, release["horizon"], min(8, release["horizon"]))
    return id_name, unique_id, target, horizon


def _predict(id_name: str, unique_id: str, target: str, horizon: int) -> Body:
    """Ask once for what is on the screen: a click elsewhere on the page is no new forecast."""
    wanted = (session.workload(), unique_id, target, horizon)
    if st.session_state.get("asked") != wanted:
        st.session_state["answer"] = session.user().post(
            "predict", {id_name: unique_id, "target": target, "horizon": horizon}
        )
        st.session_state["asked"] = wanted
    answer: Body = st.session_state["answer"]
    return answer


def _say(answer: Body, detail: Body, target: str, today: date) -> None:
    weeks, history = answer["weeks"], detail["history"]
    total = sum(week["mean"] for week in weeks)  # means add up; medians of counts do not
    known = history[-1] if history else None
    cells = st.columns(4)
    cells[0].metric(
        f"Counted to {words.day(known['week'])}" if known else "Counted",
        words.figure(known["value"], 0) if known else words.NOTHING,
        border=True,
        help="The newest week that is known",
    )
    cells[1].metric(
        f"Forecast to {words.day(weeks[0]['week'])}",
        words.figure(weeks[0]["median"], 0),
        border=True,
        help="The week after it, its median: more and less are as likely",
    )
    cells[2].metric(
        f"Expected in {len(weeks)} week{'s' * (len(weeks) > 1)}",
        words.figure(total, 0),
        border=True,
        help="The weeks' means added up; medians do not add up where a few weeks hold most",
    )
    cells[3].metric("Answered by", f"{answer['release']} · {words.title(answer['family'] or 'unknown')}", border=True)
    note = f" Note: {words.plain(answer['note'])}." if answer["note"] else ""
    st.caption(
        f"{words.title(target)}: the median, a typical week. Track {answer['track']}, data as of {words.moment(answer['data_hour'])}.{note}"
    )
    if over := sum(date.fromisoformat(week["week"]) < today for week in weeks):
        told = "One of these weeks is" if over == 1 else f"{over} of these weeks are"
        st.warning(f"{told} over already: newer data have not landed.", icon=":material/history:")


def _chart(answer: Body, detail: Body, *, title: str, compare: bool, horizon: int) -> None:
    weeks = pd.DataFrame(answer["weeks"])
    history = pd.DataFrame(detail["history"], columns=["week", "value"])
    said = [
        {"family": words.title(family), **week}
        for family, rows in detail["families"].items()
        for week in rows[:horizon]
    ]
    others = pd.DataFrame(said if compare else [], columns=["family", "week", "value"])
    if compare and not said:
        nothing("This release kept no other family's forecast.", "Releases that are trained from now on do.")
    first, last = weeks.iloc[0], weeks.iloc[-1]
    says = (
        f"From {first['median']:.0f} in the week to {first['week']} to {last['median']:.0f} in the week to {last['week']};"
        f" 80 %: {last['lo_80']:.0f} to {last['hi_80']:.0f}, 95 %: {last['lo_95']:.0f} to {last['hi_95']:.0f}."
        " Grey: what happened; blue: the median, with bounds of 80 % (dark) and 95 %."
    )
    chart = charts.forecast(history, weeks, others, unit="Count per week")
    charts.show(chart, title=title, says=says, table=weeks, key="forecast")
    if compare and detail["mase"]:
        scores = ", ".join(
            f"{words.title(name)} {value:.2f}" for name, value in sorted(detail["mase"].items(), key=lambda one: one[1])
        )
        st.caption(f"Error on held-out weeks (MASE, smaller is better): {scores}.")
    for family, figures in detail["explained"].items() if compare else ():
        told = ", ".join(f"{words.FIGURES.get(name, words.title(name))} {value:.2f}" for name, value in figures.items())
        st.caption(f"What {words.title(family)} tells of it: {told}.")


def _rate(answer: Body) -> None:
    left, right = st.columns([2, 3], vertical_alignment="center")
    left.markdown("**How good is this forecast?** Ratings decide what goes live.")
    with right:
        stars = st.feedback("stars", key=f"stars-{answer['prediction_id']}")
    if stars is None:
        return
    said = (answer["prediction_id"], stars)
    if st.session_state.get("rated") != said:
        session.user().post("feedback", {"prediction_id": said[0], "kind": "rating", "value": stars + 1})
        st.session_state["rated"] = said
    st.success(f"{stars + 1} of 5 kept. Thank you; click again to change it.", icon=":material/check:")
