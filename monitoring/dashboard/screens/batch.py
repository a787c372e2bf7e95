"""A table of questions: CSV up, progress, a table, CSV down."""

import io
from typing import Any

import pandas as pd
import streamlit as st

from monitoring.dashboard import session, words
from monitoring.dashboard.api import Trouble

CHUNK = 500
MOST = 10_000


def show(page: dict[str, Any], horizon: int) -> None:
    """Ask for a table and answer each of its rows; the page's series, so many weeks ahead, are there to start from."""
    id_name, known = session.id_name(page), page["series"]
    start = pd.DataFrame(known).assign(horizon=horizon)
    st.write(
        f"A CSV with the columns `{id_name}`, `target` and, if wanted, `horizon`: up to {MOST:,} rows. Each gets a forecast or a reason."
    )
    which = f"All {len(known):,}" if page["total"] == len(known) else f"The first {len(known):,}"
    st.download_button(f"{which} series as questions", start.to_csv(index=False), "questions.csv", "text/csv")
    uploaded = st.file_uploader("Questions as CSV", type=["csv"], key="batch")
    if uploaded is None:
        return
    asked = _read(uploaded.getvalue(), id_name)
    done = _answer(asked, uploaded.file_id)
    st.success(_outcome(len(asked), done), icon=":material/check:")
    st.dataframe(done, hide_index=True, column_order=_seen_first(done, id_name), key="batch-answers")
    st.download_button("Forecasts as CSV", done.to_csv(index=False), "forecasts.csv", "text/csv", type="primary")


def _seen_first(done: pd.DataFrame, id_name: str) -> list[str]:
    """Return the columns with the reasons beside the questions, if there are any: the last one of the CSV is out of sight."""
    failed = "problem" in done and done["problem"].notna().any()
    lead = [id_name, "target", *(["problem"] if failed else [])]
    return [*lead, *(name for name in done.columns if name not in {*lead, "problem"})]


def _outcome(asked: int, done: pd.DataFrame) -> str:
    """Say how many rows of the question got a forecast; the same series may stand in several of them."""
    failed = int(done["problem"].notna().sum()) if "problem" in done else 0
    return f"{asked - failed} of {asked} forecast{f', {failed} not: their rows say why' if failed else ''}."


def _read(content: bytes, id_name: str) -> pd.DataFrame:
    try:
        asked = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as error:
        raise Trouble("That is no CSV", words.plain(str(error)[:200])) from error
    if missing := {id_name, "target"} - set(asked.columns):
        raise Trouble("Columns are missing", words.plain(", ".join(sorted(missing))))
    if not 0 < len(asked) <= MOST:
        raise Trouble("That is not what can be answered", f"{len(asked):,} rows; between 1 and {MOST:,} can be.")
    return asked


def _answer(asked: pd.DataFrame, file_id: str) -> pd.DataFrame:
    """Send it in pieces, so that progress is seen; the same file is sent once."""
    kept = st.session_state.get("batch-done")
    if kept and kept[0] == file_id:
        found: pd.DataFrame = kept[1]
        return found
    bar = st.progress(0.0, text="Forecasting …")
    pieces = []
    for start in range(0, len(asked), CHUNK):
        piece = asked.iloc[start : start + CHUNK]
        pieces.append(pd.read_csv(io.BytesIO(session.user().batch(piece.to_csv(index=False).encode()))))
        done = min(len(asked), start + CHUNK)
        bar.progress(done / len(asked), text=f"{done:,} of {len(asked):,}")
    bar.empty()
    answers = pd.concat(pieces, ignore_index=True)
    st.session_state["batch-done"] = (file_id, answers)
    return answers
