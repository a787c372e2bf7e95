"""Who is looking, at which workload, and with which key: what every page asks first."""

import json
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import streamlit as st
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

from monitoring.dashboard.api import SECONDS, Api, Trouble
from monitoring.dashboard.prometheus import Prometheus
from monitoring.dashboard.registry import Registry
from ratchet.settings import Settings

FRESH_SECONDS = 15
TO_A_KEY = ("not-ready", "database-away")
"""Problems that the router tells only whoever has a key that it knows."""


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """Return the settings of this process."""
    return Settings.load()


@st.cache_resource(show_spinner=False)
def http() -> httpx.Client:
    """Return the one pool of connections."""
    return httpx.Client(timeout=SECONDS)


def keys() -> dict[str, str]:
    """Return the keys to read with: the installation's own, if it gave any, else the one that was typed in."""
    typed = st.session_state.get("key")
    if typed:
        return {"predict": typed, "operate": typed}
    path = settings().dashboard_keys
    if not path:
        return {}
    try:
        found: dict[str, str] = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def person() -> str:
    """Return a name for whoever sits at this browser tab, so that the split keeps them on one track."""
    return str(st.session_state.setdefault("person", f"dashboard-{secrets.token_hex(8)}"))


def workloads() -> list[str]:
    """Return what this installation serves."""
    return [name.strip() for name in settings().workloads.split(",")]


def workload() -> str:
    """Return what is being looked at."""
    return str(st.session_state.get("workload") or workloads()[0])


def user() -> Api:
    """Return the API with a user's rights."""
    return Api(
        http=http(), address=settings().router, workload=workload(), key=keys().get("predict", ""), person=person()
    )


def prometheus() -> Prometheus:
    """Return the metrics."""
    return Prometheus(http=http(), address=settings().prometheus)


def registry() -> Registry:
    """Return the releases."""
    return Registry(http=http(), address=settings().tracking_uri, shown=settings().mlflow_public_url)


@st.cache_data(ttl=FRESH_SECONDS, show_spinner=False, max_entries=500)
def _ask(
    key: str, where: str, person: str, what: str, track: str, query: tuple[tuple[str, object], ...]
) -> dict[str, Any]:
    return Api(http=http(), address=settings().router, workload=where, key=key, person=person).get(
        what, track=track, **dict(query)
    )


def ask(what: str, *, operate: bool = False, track: str = "", **query: object) -> dict[str, Any]:
    """Return an answer of the router that is at most a quarter of a minute old."""
    key = keys().get("operate" if operate or track else "predict", "")
    return _ask(key, workload(), person(), what, track, tuple(sorted(query.items())))


def together(*questions: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
    """Ask all of them at once and return what each said: a track that hangs is waited for once."""
    context = get_script_run_ctx()
    with ThreadPoolExecutor(len(questions), initializer=lambda: add_script_run_ctx(ctx=context)) as pool:
        return [asked.result() for asked in [pool.submit(question) for question in questions]]


def id_name(page: dict[str, Any]) -> str:
    """Return what this workload calls the name of a series."""
    return str(next(name for name in page["series"][0] if name != "target"))


def check(*, operate: bool = False) -> None:
    """Raise a `Trouble` unless the router knows the key that was typed: Prometheus and MLflow would tell anybody.

    An installation's own keys are not asked about: *Live* is there for when the router is away.
    """
    if not st.session_state.get("key"):
        return
    try:
        if operate:
            ask("experiments", operate=True, limit=1)
        else:
            ask("release")
    except Trouble as trouble:
        if trouble.slug not in (TO_A_KEY if operate else (*TO_A_KEY, "wrong-scope")):
            raise
