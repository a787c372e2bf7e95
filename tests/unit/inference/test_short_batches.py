"""A batch that was asked before is answered the short way, and told, logged and counted as Flask's way does it."""

import json

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ways import KEY, PATH

BATCH = f"{PATH}/batch"
ITEMS = [
    {"depot": depot, "target": target, "horizon": 4} for depot in ("north/a", "south/ä") for target in ("sent", "lost")
]
SAID = {"items": ITEMS}
DEEP = b"[" * 300 + b"]" * 300
SHORT = {
    "as before": ({"json": SAID}, KEY),
    "some of it": ({"json": {"items": ITEMS[1:3]}}, KEY),
    "in another order, one of it twice": ({"json": {"items": [*reversed(ITEMS), ITEMS[0]]}}, KEY),
    "written in another way": ({"data": json.dumps(SAID, indent=2), "content_type": "application/json"}, KEY),
    "its own request id": ({"json": SAID}, {**KEY, "X-Request-ID": "mine-1"}),
    "JSON wanted": ({"json": SAID}, {**KEY, "Accept": "application/json"}),
    "anything wanted": ({"json": SAID}, {**KEY, "Accept": "*/*"}),
    "no content type": ({"data": orjson.dumps(SAID)}, KEY),
    "through the router": ({"json": SAID}, {**KEY, "X-Client-Key": "user:ü", "X-Assigned-Track": "candidate"}),
}
ONCE = "one that nobody asked"
LONG = {
    ONCE: ({"json": {"items": [*ITEMS, {**ITEMS[0], "horizon": 5}]}}, KEY),
    "one that nobody knows": ({"json": {"items": [*ITEMS, {**ITEMS[0], "depot": "nowhere"}]}}, KEY),
    "one with a statistic": ({"json": {"items": [*ITEMS, {**ITEMS[0], "statistic": "mean"}]}}, KEY),
    "a horizon that is no whole number": ({"json": {"items": [*ITEMS, {**ITEMS[0], "horizon": 4.0}]}}, KEY),
    "CSV": ({"data": "depot,target,horizon\nnorth/a,sent,4\n", "content_type": "text/csv"}, KEY),
    "JSON that is called CSV": ({"data": orjson.dumps(SAID), "content_type": "Text/CSV; charset=utf-8"}, KEY),
    "CSV wanted": ({"json": SAID}, {**KEY, "Accept": "text/csv"}),
    "nothing in it": ({"json": {"items": []}}, KEY),
    "too much": ({"json": {"items": ITEMS[:1] * 1001}}, KEY),
    "more than items": ({"json": {**SAID, "other": 1}}, KEY),
    "a list": ({"json": ITEMS}, KEY),
    "a text": ({"data": b'"items"'}, KEY),
    "items that are an object": ({"json": {"items": {"depot": ITEMS}}}, KEY),
    "items that are numbers": ({"json": {"items": [1, 2]}}, KEY),
    "no JSON": ({"data": b"{"}, KEY),
    "too deep": ({"data": b'{"items":' + b"[" * 100_000}, KEY),
    "deeper than Flask reads, where it is overwritten": (
        {"data": b'{"items": [{"depot": %b, "depot": "north/a", "target": "sent", "horizon": 4}]}' % DEEP},
        KEY,
    ),
    "no key": ({"json": SAID}, {}),
    "another scope": ({"json": SAID}, {"X-API-Key": "rk_o"}),
    "a track": ({"json": SAID}, {**KEY, "X-Track": "candidate"}),
    "GET": ({"method": "GET"}, KEY),
    "another workload": ({"json": SAID, "path": "/api/letters/predict/batch"}, KEY),
}


def ask(way, how, headers):
    return way.ask({"path": BATCH, **how}, headers)


@pytest.mark.parametrize("case", [*SHORT, *LONG])
def test_both_ways_say_log_and_count_the_same(house, ways, caplog, case):
    house.load(synthetic=True, coverage={"80": 0.5})
    short, long = ways()
    for way in (short, long):
        assert ask(way, {"json": SAID}, KEY)[0] == "200 OK"
    for _ in range(2):
        assert ask(short, *(SHORT | LONG)[case]) == ask(long, *(SHORT | LONG)[case])
    assert (short.rows(), short.figures()) == (long.rows(), long.figures())
    assert "short way" not in caplog.text, "what a client did wrong is no fault of ours"
    # What nobody had asked is asked of Flask once.
    assert short.flask_asked == (1 if case in SHORT else 2 if case == ONCE else 3)


@pytest.mark.parametrize(
    "limits",
    [{"per_key": 12}, {"per_address": 12}, {"per_key": 12, "per_address": 14}, {"per_key": 4}, {"per_address": 0}],
)
def test_both_ways_count_a_batch_for_what_it_is(ways, limits):
    """A hundred items are five requests."""
    short, long = ways(**limits)
    asked = {"json": {"items": 25 * ITEMS}}
    for way in (short, long):
        ask(way, {"json": SAID}, KEY)
    for _ in range(4):
        assert ask(short, *(asked, KEY)) == ask(long, *(asked, KEY))
    assert short.rows() == long.rows()


def test_both_ways_refuse_a_batch_that_is_larger_than_a_limit(ways):
    """Whoever asks has asked for nothing yet."""
    short, long = ways(per_address=4)
    answers = []
    for way in (short, long):
        ask(way, {"json": SAID}, {**KEY, "X-Forwarded-For": "10.0.0.1"})
        answers.append(ask(way, {"json": {"items": 25 * ITEMS}}, {**KEY, "X-Forwarded-For": "10.0.0.2"}))
    assert answers[0] == answers[1]
    assert answers[0][0].startswith("429")
    assert short.rows() == long.rows()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "depot": st.sampled_from(["north/a", "south/ä", "nowhere"]),
                "target": st.sampled_from(["sent", "lost", "found"]),
            },
            optional={
                "horizon": st.integers(1, 3) | st.sampled_from([True, 1.0, "1", None, 2**70]),
                "levels": st.just([80]),
                "history": st.none() | st.just([1, 2, 3]),
            },
        ),
        max_size=4,
    )
)
def test_both_ways_say_the_same_of_any_batch(ways_for_all, items):
    short, long = ways_for_all
    for _ in range(2):
        assert ask(short, {"json": {"items": items}}, KEY) == ask(long, {"json": {"items": items}}, KEY)
    assert short.rows() == long.rows()
    short.log.records.clear()
    long.log.records.clear()


def test_a_new_release_answers_the_next_batch(house, ways):
    short, long = ways()
    assert ask(short, *SHORT["as before"]) == ask(long, *SHORT["as before"])
    house.load(2)
    for _ in range(2):
        status, headers, content = ask(short, *SHORT["as before"])
        assert (status, "BO2" in headers) == ("200 OK", True)
        assert content == ask(long, *SHORT["as before"])[2]


def test_nobody_whose_key_may_not_ask_has_a_batch_read(ways, monkeypatch):
    """It would be read where everybody waits for it."""
    read = []
    monkeypatch.setattr("inference.memory.Memory.of_batch", lambda _, body: read.append(body))
    short, _ = ways()
    for headers, status in (({}, "401"), ({"X-API-Key": "rk_x"}, "401"), ({"X-API-Key": "rk_o"}, "403")):
        assert ask(short, {"json": SAID}, headers)[0].startswith(status)
    assert read == []
    ask(short, {"json": SAID}, KEY)
    assert len(read) == 1


@pytest.mark.parametrize("limits", [{"per_key": 2}, {"per_address": 2}])
def test_nobody_who_has_asked_too_much_has_a_batch_read(ways, monkeypatch, limits):
    """It may have a quarter of a megabyte, and would be read where everybody waits for it."""
    read = []
    monkeypatch.setattr("inference.memory.Memory.of_batch", lambda _, body: read.append(body))
    short, _ = ways(**limits)
    answers = [ask(short, {"json": SAID}, KEY)[0][:3] for _ in range(4)]
    assert answers == ["200", "200", "429", "429"]
    assert len(read) == 2
