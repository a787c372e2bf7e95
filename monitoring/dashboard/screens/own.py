"""A history that no release knows: pasted or uploaded, checked, forecast."""

import csv
import math
import re
from datetime import date, timedelta
from typing import Any

import pandas as pd
import streamlit as st

from monitoring.dashboard import charts, session, words
from monitoring.dashboard.api import Trouble

EXAMPLE = "12, 9, 15, 11, 8, 14, 13, 10, 16, 12"
DATED = re.compile(r"\d-\d")
Body = dict[str, Any]


def show(release: Body, id_name: str) -> None:
    """Ask for a history and forecast it."""
    st.write(
        f"Weekly counts, oldest first, up to the newest week that {release['release']} knows (data as of"
        f" {words.moment(release['data_hour'])}): pasted, or a CSV with the counts in its last column."
    )
    with st.form("own"):
        left, right = st.columns(2)
        name = left.text_input("Name", value="my/own", max_chars=200)
        target = right.selectbox("Target", release["targets"], format_func=words.title, key="own-target")
        pasted = st.text_area("Counts", placeholder=EXAMPLE, help="Separated by commas, spaces or new lines")
        uploaded = st.file_uploader("or a CSV", type=["csv", "txt"])
        if not st.form_submit_button("Forecast", type="primary"):
            return
    counts = _table(uploaded.getvalue()) if uploaded else _typed(pasted)
    body = {id_name: name, "target": target, "horizon": min(8, release["horizon"]), "history": counts}
    with st.spinner("Forecasting …"):
        answer = session.user().post("predict", body)
    _chart(answer, counts, title=f"{words.title(str(target))} of {words.plain(name)} by week")


def _table(content: bytes) -> list[float]:
    """Return the last column of a CSV, or all that a single line or a text without separators holds."""
    text = content.decode("utf-8-sig", errors="replace")
    separator = max(";", ",", key=text.count)
    if separator not in text:
        return _numbers(text.split())
    read = csv.reader(text.splitlines(), delimiter=separator, skipinitialspace=True)
    rows = [row for row in read if any(cell.strip() for cell in row)]
    if len(rows) == 1 and all(map(_is_number, rows[0])):
        return _numbers(rows[0])
    return _numbers([row[-1].strip() for row in rows])


def _typed(text: str) -> list[float]:
    """Return the counts of a pasted text; with dates in it it is a table."""
    if DATED.search(text):
        return _table(text.encode())
    return _numbers(text.replace(",", " ").replace(";", " ").split())


def _numbers(cells: list[str]) -> list[float]:
    """Return the counts; a `Trouble` that names what is no number."""
    if cells and not _is_number(cells[0]):
        cells = cells[1:]  # a heading
    if not cells:
        raise Trouble("There are no counts", "Paste some, or choose a file.")
    if wrong := next((cell for cell in cells if not _is_number(cell)), None):
        raise Trouble("That is no list of counts", f"{words.plain(repr(wrong[:30]))} is no number.")
    return [float(cell) for cell in cells]


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _chart(answer: Body, counts: list[float], *, title: str) -> None:
    weeks = pd.DataFrame(answer["weeks"])
    first = date.fromisoformat(answer["weeks"][0]["week"])
    days = [first - timedelta(weeks=len(counts) - number) for number in range(len(counts))]
    history = pd.DataFrame({"week": [day.isoformat() for day in days], "value": counts})
    nobody = pd.DataFrame(columns=["family", "week", "value"])
    says = f"About {weeks['median'].iloc[0]:.0f} a week; with 80 % between {weeks['lo_80'].iloc[0]:.0f} and {weeks['hi_80'].iloc[0]:.0f}."
    if answer["note"]:
        says += f" Note: {words.plain(answer['note'])}."
    charts.show(
        charts.forecast(history, weeks, nobody, unit="Count per week"),
        title=title,
        says=says,
        table=weeks,
        key="own-chart",
    )
