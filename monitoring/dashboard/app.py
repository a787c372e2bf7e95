"""The dashboard's frame: which workload, with which key, and the pages. Streamlit runs this file for each visitor and click."""

import streamlit as st

from monitoring.dashboard import session, words
from monitoring.dashboard.api import Trouble
from monitoring.dashboard.screens import data, drift, experiment, forecast, live, models
from monitoring.dashboard.trouble import shown

ICON = (  # written out: an icon by name would be fetched from elsewhere
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#2f7ed8" stroke-width="2.6"'
    ' stroke-linecap="round" stroke-linejoin="round"><path d="M3 20h5v-6h5V8h5V3M18 20h3M15 17l3 3-3 3"/></svg>'
)
TIGHT = """<style>
.block-container {padding-top: 4.2rem; padding-bottom: 3rem; max-width: 1240px}
[data-testid="stMetricValue"] {font-size: 1.5rem}
[data-testid="stCaptionContainer"] {opacity: .75}
button[kind^="primary"] {background: #1d5fa8 !important; border-color: #1d5fa8 !important}
button[kind^="primary"]:hover {filter: brightness(.85)}
[data-testid="stMetricValue"], [data-testid="stMetricValue"] * {white-space: normal !important}
@media (max-width: 640px) {
[data-testid="stHorizontalBlock"]:not(:has([data-testid="stHorizontalBlock"])):has([data-testid="stMetric"])
 > [data-testid="stColumn"] {min-width: calc(50% - 1rem); flex: 1 1 calc(50% - 1rem)}
[data-testid="stMetricValue"] {font-size: 1.15rem}
.block-container {padding-left: 1rem; padding-right: 1rem} h1 {font-size: 1.7rem !important}
}
</style>"""

FIRST = (forecast.show, "Forecast", "forecast")
OTHERS = (
    (experiment.show, "Experiment", "experiment"),
    (models.show, "Models", "models"),
    (data.show, "Data", "data"),
    (drift.show, "Drift", "drift"),
    (live.show, "Live", "live"),
)


def main() -> None:
    """Show the page that was asked for, or ask for a key."""
    page = st.navigation(_pages(), position="top")
    st.set_page_config(page_title=f"{page.title} · Ratchet", page_icon=ICON, layout="wide")
    st.html(TIGHT)
    if not session.keys():
        _sign_in()
        return
    names = session.workloads()
    if len(names) > 1:
        st.selectbox("Workload", names, key="workload", format_func=words.title)
    with shown():
        if _is_refused():
            del st.session_state["key"]
            _sign_in("That key is unknown or was revoked.")
            return
        page.run()


def _pages() -> list[st.Page]:
    """Every page at its address; the first one is at `/`, and whoever asks for it by its name is brought there."""
    show, title, path = FIRST
    first = st.Page(show, title=title, url_path="", default=True)
    others = [st.Page(show, title=title, url_path=path) for show, title, path in OTHERS]

    def by_name() -> None:
        st.switch_page(first)

    return [first, *others, st.Page(by_name, title=title, url_path=path, visibility="hidden")]


def _is_refused() -> bool:
    try:
        session.check()
    except Trouble as trouble:
        if trouble.slug != "no-key":
            raise
        return True
    return False


def _sign_in(why: str = "") -> None:
    """Whoever opens this from elsewhere brings a key; it stays in this tab's session, on the server."""
    st.title("Ratchet")
    if why:
        st.error(why, icon=":material/key_off:")
    st.write("Everything here is read with an API key. `ratchet keys add NAME --scopes predict,operate` makes one.")
    with st.form("sign-in"):
        typed = st.text_input("API key", type="password", autocomplete="off")
        if st.form_submit_button("Sign in", type="primary") and typed.strip():
            st.session_state["key"] = typed.strip()
            st.rerun()


main()
