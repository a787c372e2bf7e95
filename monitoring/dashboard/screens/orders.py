"""What a person orders: a key of their own, a reason, one question, and a way back until the loop takes it up."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from monitoring.dashboard import session, words
from monitoring.dashboard.api import Api, Trouble

KINDS = {
    "promote": "Promote the candidate: it becomes production for everyone",
    "rollback": "Roll back: the candidate is taken off, production stays",
    "hold": "Hold: nothing is promoted until somebody clears it",
    "clear": "Clear a hold",
    "approve": "Approve a promotion that waits for a person",
    "deny": "Deny it",
    "revert": "Revert: after a promotion, the beaten release comes back",
}
LEAST = 3


def show() -> None:
    """The form, folded until it is wanted, and what was ordered before."""
    waiting = _listed()
    with st.expander("Promote, roll back, hold …", icon=":material/front_hand:", expanded=bool(waiting)):
        st.write("The loop takes an order up within a minute, writes it down with your reason, and answers here.")
        with st.form("order", border=False):
            # None is chosen beforehand: a choice that is lost, as the page moves, must not become another order.
            kind = st.selectbox(
                "Order", list(KINDS), index=None, format_func=KINDS.__getitem__, placeholder="Choose one"
            )
            why = st.text_input("Reason", max_chars=500, placeholder="It stays in the record for good")
            key = st.text_input(
                "Operator's key", type="password", autocomplete="off", help="Yours, with the scope `operate`"
            )
            if st.form_submit_button("Go on", type="primary"):
                if kind is None or len(why.strip()) < LEAST or not key.strip():
                    wanted = "An order, a reason and a key with the scope `operate` are needed."
                    raise Trouble("Something is missing", wanted)
                _confirm(replace(session.user(), key=key.strip()), kind, why.strip())


@st.dialog("Are you sure?")
def _confirm(api: Api, kind: str, why: str) -> None:
    st.write(f"**{KINDS[kind]}.**")
    st.write(f"Reason: {words.plain(why)}")
    yes, no = st.columns(2)
    if yes.button("Yes, order it", type="primary", width="stretch"):
        try:
            api.post("orders", {"kind": kind, "why": why})
        except Trouble as trouble:
            st.error(f"**{trouble.title}.** {trouble.detail}")
            return
        st.session_state["order-key"] = api.key
        st.cache_data.clear()
        st.rerun()
    if no.button("No", width="stretch"):
        st.rerun()


def _listed() -> bool:
    """Show what was ordered; whether something waits."""
    found = session.ask("orders", operate=True)["orders"]
    waiting = next((one for one in found if one["ended_at"] is None), None)
    if waiting:
        left, right = st.columns([4, 1], vertical_alignment="center")
        who, why = words.plain(waiting["who"]), words.plain(waiting["why"])
        left.warning(
            f"**{words.title(waiting['kind'])}** was ordered by {who}: {why}. The loop will take it up.",
            icon=":material/pending:",
        )
        key = st.session_state.get("order-key")
        if key and right.button("Withdraw it", width="stretch"):
            replace(session.user(), key=key).post("orders/withdraw", {"order_id": waiting["order_id"]})
            st.cache_data.clear()
            st.rerun()
    if found:
        with st.expander(f"Orders so far: {len(found)}"):
            rows = [
                {
                    "When": words.moment(one["at"]),
                    "Order": words.title(one["kind"]),
                    "Who": one["who"],
                    "Reason": one["why"],
                    "Outcome": one["outcome"] or "waits",
                }
                for one in found
            ]
            st.dataframe(pd.DataFrame(rows), hide_index=True, key="orders")
    return waiting is not None
