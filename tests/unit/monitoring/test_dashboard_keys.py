"""Who may look at what: the dashboard before a router, a Prometheus and an MLflow that answer whoever asks."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from monitoring.dashboard import session
from monitoring.dashboard.api import SECONDS
from ratchet.settings import Settings

SCOPES = {"theirs": ("predict",), "mine": ("predict", "operate")}
METRIC = {"metric": {"track": "production"}, "value": [0, "1"], "values": [[1795305600, "1"]]}
NOTES = {"summary": "the disk_of *DATA_HOME* is full", "action": "make status"}
FIRING = {"state": "firing", "activeAt": "2026-11-23T13:00:00.123456789Z"}
FULL = FIRING | {"labels": {"alertname": "DiskFull", "severity": "page"}, "annotations": NOTES}


def problem(status, slug):
    return httpx.Response(status, json={"type": f"/problems/{slug}", "title": slug, "detail": ""})


def told(*alerts):
    return httpx.Response(200, json={"status": "success", "data": {"alerts": alerts, "result": []}})


def answer(request):
    path = urlsplit(str(request.url)).path
    if path == "/api/v1/alerts":
        return told(FULL)
    if path.startswith("/api/v1/"):
        return httpx.Response(200, json={"status": "success", "data": {"result": [METRIC]}})
    held = SCOPES.get(request.headers["X-API-Key"])
    if held is None:
        return problem(401, "no-key")
    if path.endswith("/experiments"):
        return problem(503, "database-away") if "operate" in held else problem(403, "wrong-scope")
    return problem(503, "not-ready")


@pytest.fixture
def visit(monkeypatch, tmp_path):
    """Opens a page with a key: `visit(page, typed=…, own=…)`."""
    answers = httpx.Client(transport=httpx.MockTransport(answer))

    def visit(page, *, typed="", own=None, client=answers):
        monkeypatch.setattr(session, "http", lambda: client)
        path = tmp_path / "keys.json"
        path.write_text(json.dumps(own or {}))
        known = Settings(_env_file=None, data_home=tmp_path, dashboard_keys=str(path) if own else "")
        monkeypatch.setattr(session, "settings", lambda: known)
        session._ask.clear()
        opened = page()
        if typed:
            opened.session_state["key"] = typed
        return opened.run()

    return visit


def whole():
    return AppTest.from_file(str(Path(session.__file__).with_name("app.py")), default_timeout=60)


def live():
    def page():
        from monitoring.dashboard.screens import live  # noqa: PLC0415, the page is all that is run
        from monitoring.dashboard.trouble import shown  # noqa: PLC0415

        with shown():
            live.show()

    return AppTest.from_function(page, default_timeout=60)


def test_live_waits_once_for_a_prometheus_that_does_not_answer(visit):
    """Each of its panels waited in turn: the page took 45 seconds to say nine times that nobody answers."""
    asked = []

    def away(request):
        asked.append(request.url.path)
        raise httpx.ReadTimeout("hangs")

    client = httpx.Client(transport=httpx.MockTransport(away))
    page = visit(live, own={"predict": "mine", "operate": "mine"}, client=client)
    assert len(asked) == 1
    assert says(page).startswith("**Prometheus does not answer.**")


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (httpx.ConnectError("refused"), "nothing is there"),
        (httpx.ReadTimeout("hangs"), "it takes too long"),
        (httpx.Response(200, text="<html>"), "its answer makes no sense"),
    ],
    ids=["away", "hangs", "another"],
)
def test_who_cannot_be_asked_is_told_with_the_reason_and_where_to_look(visit, says, why):
    """It said `ConnectError`, and nothing of what to do."""

    def answer(_):
        if isinstance(says, Exception):
            raise says
        return says

    client = httpx.Client(transport=httpx.MockTransport(answer))
    [told] = visit(live, own={"predict": "mine", "operate": "mine"}, client=client).error
    assert f": {why}. " in told.value
    assert "`make status`" in told.value


def test_an_alert_that_does_not_fire_yet_is_announced(visit):
    """The router was away and the page said that no alert fires, for the minutes that it takes to be sure."""
    soon = FULL | {"labels": {"alertname": "TrackDown"}, "state": "pending"}
    client = httpx.Client(transport=httpx.MockTransport(lambda _: told(soon)))
    page = visit(live, own={"predict": "mine", "operate": "mine"}, client=client)
    assert [one.value for one in page.success] == ["No alert fires."]
    assert [one.value for one in page.warning] == ["Fires soon, if it lasts: TrackDown."]


def test_an_alert_that_fires_says_what_is_wrong_and_what_to_do_and_who_must_get_up_comes_first(visit):
    """Whoever was paged read a name and its labels, and had the rest to find in the repository."""
    plain = FIRING | {"labels": {"alertname": "TheirOwn", "severity": "ticket", "host": "h_1"}}
    client = httpx.Client(transport=httpx.MockTransport(lambda _: told(plain, FULL)))
    [found] = visit(live, own={"predict": "mine", "operate": "mine"}, client=client).error
    head, *alerts = found.value.splitlines()
    assert head.startswith("**2 alerts firing.**")
    assert re.fullmatch(
        r"- \*\*DiskFull\*\*, page, for \d+ \w+: the disk\\_of \\\*DATA\\_HOME\\\* is full\. \*To do:\* make status\.",
        alerts[0],
    )
    assert re.fullmatch(r"- \*\*TheirOwn\*\*, ticket, for \d+ \w+: host h\\_1\.", alerts[1])


def test_a_track_that_hangs_takes_no_page_away():
    """The router passes on to the other track after so long; the pages had given up just before."""
    template = Path(__file__).parents[3] / "router/nginx.conf.template"
    waits = [int(found) for found in re.findall(r"proxy_read_timeout (\d+)s", template.read_text())]
    assert max(waits) < SECONDS


def says(page):
    return " ".join(one.value for one in page.error)


def test_a_key_that_the_router_does_not_know_is_dropped_and_asked_for_again(visit):
    page = visit(whole, typed="not-a-key-at-all")
    assert "unknown or was revoked" in says(page)
    assert [field.label for field in page.text_input] == ["API key"]
    assert "key" not in page.session_state


def test_a_known_key_opens_the_pages_before_there_is_a_release(visit):
    page = visit(whole, typed="theirs")
    assert not page.text_input
    assert [one.value for one in page.title] == ["Forecast"]
    assert "not-ready" in page.info[0].value
    assert not page.error


@pytest.mark.parametrize("key", ["not-a-key-at-all", "theirs"])
def test_live_needs_an_operators_key(visit, key):
    page = visit(live, typed=key)
    assert "firing" not in says(page)
    assert ("no-key" if key not in SCOPES else "wrong-scope") in says(page)


@pytest.mark.parametrize("how", [{"typed": "mine"}, {"own": {"predict": "gone", "operate": "gone"}}])
def test_live_opens_for_an_operator_with_the_database_away_and_for_the_homes_own_keys(visit, how):
    page = visit(live, **how)
    assert "**DiskFull**" in says(page)
    assert "no-key" not in says(page)
