"""What a page shows when something is away, and when there is nothing yet."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from monitoring.dashboard.api import Trouble

BEGINNINGS = ("not-ready", "no-gold")
"""How every installation begins."""


@contextmanager
def shown(what: str = "") -> Iterator[None]:
    """Whatever cannot be answered inside becomes a message in its place; the rest of the page goes on."""
    try:
        yield
    except Trouble as trouble:
        lead = f"{what}: " if what else ""
        if trouble.slug in BEGINNINGS:
            nothing(f"{lead}{trouble.title}.", trouble.detail)
        else:
            st.error(f"**{lead}{trouble.title}.** {trouble.detail}", icon=":material/cloud_off:")
        if st.button("Try again", key=f"again-{what}-{trouble.slug}"):
            st.cache_data.clear()
            st.rerun()


def nothing(title: str, when: str) -> None:
    """Say that there is nothing yet, and what will make something appear."""
    st.info(f"**{title}** {when}", icon=":material/hourglass_empty:")
