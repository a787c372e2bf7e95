"""The short way and Flask's way say, log and count the same, whatever is asked."""

import io
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ways import KEY, PATH
from werkzeug.test import EnvironBuilder, run_wsgi_app

from inference.desk import Desks
from inference.shortcut import Shortcut

PLAIN = {"depot": "north/a", "target": "sent", "horizon": 4}
SHORT = {
    "plain": ({"json": PLAIN}, KEY),
    "usual horizon": ({"json": {"depot": "south/ä", "target": "lost"}}, KEY),
    "one statistic": ({"json": {**PLAIN, "statistic": "mean"}}, KEY),
    "levels": ({"json": {**PLAIN, "levels": [80]}}, KEY),
    "null history": ({"json": {**PLAIN, "history": None}}, KEY),
    "its own request id": ({"json": PLAIN}, {**KEY, "X-Request-ID": "mine-1"}),
    "a user": ({"json": PLAIN}, {**KEY, "X-User-Id": "me"}),
    "through the router": (
        {"json": PLAIN},
        {**KEY, "X-Client-Key": "user:ü", "X-Assigned-Track": "candidate", "X-Forwarded-For": "1.1.1.1, 10.0.0.9"},
    ),
    "an invented track": ({"json": PLAIN}, {**KEY, "X-Assigned-Track": "nowhere"}),
    "another content type": ({"data": b'{"depot": "north/b", "target": "sent"}', "content_type": "text/x"}, KEY),
    "a query": ({"json": PLAIN, "query_string": "a=b"}, KEY),
}
LONG = {
    "no key": ({"json": PLAIN}, {}),
    "an empty key": ({"json": PLAIN}, {"X-API-Key": ""}),
    "an unknown key": ({"json": PLAIN}, {"X-API-Key": "rk_x"}),
    "another scope": ({"json": PLAIN}, {"X-API-Key": "rk_o"}),
    "an unknown series": ({"json": {**PLAIN, "depot": "nowhere"}}, KEY),
    "a history": ({"json": {**PLAIN, "depot": "nowhere", "history": [1, 2, 3]}}, KEY),
    "a history of a known series": ({"json": {**PLAIN, "history": [1, 2, 3]}}, KEY),
    "too far ahead": ({"json": {**PLAIN, "horizon": 99}}, KEY),
    "an unknown field": ({"json": {**PLAIN, "colour": "red"}}, KEY),
    "no JSON": ({"data": b"{"}, KEY),
    "a byte order mark": ({"data": b'\xef\xbb\xbf{"depot": "north/a", "target": "sent"}'}, KEY),
    "two of them": ({"data": 2 * b"\xef\xbb\xbf" + b'{"depot": "north/a", "target": "sent"}'}, KEY),
    "nothing": ({"data": b""}, KEY),
    "long": ({"data": b'{"depot": "north/a", "target": "sent"}' + b" " * 8192}, KEY),
    "too large": ({"data": b" " * (1 << 20) + b"{}"}, KEY),
    "not UTF-8": ({"data": b'{"depot": "\xff"}'}, KEY),
    "a NUL": ({"json": {**PLAIN, "depot": "a\x00"}}, KEY),
    "a track": ({"json": PLAIN}, {**KEY, "X-Track": "candidate", "X-Assigned-Track": "production"}),
    "an insane request id": ({"json": {**PLAIN, "horizon": 0}}, {**KEY, "X-Request-ID": "a b"}),
    "GET": ({"method": "GET"}, KEY),
    "PUT": ({"method": "PUT", "json": PLAIN}, KEY),
    "another workload": ({"json": PLAIN, "path": "/api/letters/predict"}, KEY),
    "no workload": ({"json": PLAIN, "path": "/api/x/predict"}, KEY),
    "two slashes": ({"json": PLAIN, "path": f"/{PATH}"}, KEY),
    "a slash after": ({"json": PLAIN, "path": f"{PATH}/"}, KEY),
}


@pytest.mark.parametrize("case", [*SHORT, *LONG])
def test_both_ways_say_log_and_count_the_same(house, ways, caplog, case):
    house.load(synthetic=True, coverage={"80": 0.5})
    short, long = ways()
    for _ in range(2):
        assert short.ask(*(SHORT | LONG)[case]) == long.ask(*(SHORT | LONG)[case])
    assert (short.rows(), short.figures()) == (long.rows(), long.figures())
    assert "short way" not in caplog.text, "what a client did wrong is no fault of ours"
    assert (short.flask_asked, long.flask_asked) == (0 if case in SHORT else 2, 2)


@pytest.mark.parametrize(
    "limits", [{"per_key": 2}, {"per_address": 2}, {"per_key": 2, "per_address": 3}, {"per_key": 0, "per_address": 0}]
)
def test_both_ways_refuse_the_same(ways, limits):
    short, long = ways(**limits)
    for _ in range(5):
        assert short.ask(*SHORT["plain"]) == long.ask(*SHORT["plain"])
    assert short.rows() == long.rows()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "depot": st.sampled_from(["north/a", "south/ä", "nowhere", ""]) | st.text(),
            "target": st.sampled_from(["sent", "lost", "found"]),
            "horizon": st.integers(-1, 14) | st.floats() | st.booleans(),
            "statistic": st.sampled_from(["mean", "median", "mode", None]),
            "levels": st.lists(st.sampled_from([80, 95, 99]), max_size=3),
            "history": st.none() | st.lists(st.integers(-1, 9), max_size=3),
            "other": st.none(),
        },
    )
)
def test_both_ways_say_the_same_of_any_question(ways_for_all, question):
    short, long = ways_for_all
    assert short.ask({"json": question}, KEY) == long.ask({"json": question}, KEY)
    assert short.rows() == long.rows()
    short.log.records.clear()
    long.log.records.clear()


def test_a_new_release_answers_the_next_question(house, ways):
    short, long = ways()
    assert short.ask(*SHORT["plain"]) == long.ask(*SHORT["plain"])
    house.load(2)
    status, headers, _ = short.ask(*SHORT["plain"])
    assert (status, "BO2" in headers) == ("200 OK", True)


def test_nobody_whose_key_may_not_ask_has_a_question_read(ways, monkeypatch):
    """It would be read where everybody waits for it, and remembered where others' questions are."""
    read = []
    monkeypatch.setattr("inference.desk.Desk.form_of_body", lambda _, body: read.append(body))
    short, _ = ways()
    for key, status in (({}, "401"), ({"X-API-Key": "rk_x"}, "401"), ({"X-API-Key": "rk_o"}, "403")):
        assert short.ask({"json": PLAIN}, key)[0].startswith(status)
    assert read == []
    short.ask({"json": PLAIN}, KEY)
    assert len(read) == 1


def test_a_body_that_the_short_way_has_read_reaches_flask(house):
    def flask(environ, start_response):
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    environ = EnvironBuilder(path=PATH, method="POST", data=b"{oh no", headers=KEY).get_environ()
    environ["wsgi.input"] = io.BytesIO(b"{oh no")
    content, *_ = run_wsgi_app(Shortcut(flask, house.service, Desks(house.service)), environ)
    assert b"".join(content) == b"{oh no"


def test_a_fault_of_the_short_way_is_told_and_costs_no_answer(ways, caplog, monkeypatch):
    """Flask answers as ever: but for the log, all would only be slow."""
    now = [1000.0]
    monkeypatch.setattr("inference.logs.time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr("inference.desk.Desk.form_of_body", lambda *_: {}["a fault"])
    short, _ = ways()
    for _ in range(3):
        assert short.ask(*SHORT["plain"])[0] == "200 OK"
        now[0] += 25
    said = "the short way failed, and Flask was asked"
    assert caplog.messages == [f"{said} (1 times since it was last said): KeyError('a fault')"]
    assert "Traceback" in caplog.text
    short.ask(*SHORT["plain"])
    assert caplog.messages[1:] == [f"{said} (3 times since it was last said): KeyError('a fault')"]
