"""What holds for every request: keys, ids, tracks, problems and log lines."""

import gzip
import io
import json
import logging
from codecs import BOM_UTF8

import pytest

from inference.logs import JsonFormatter

GUARDED = ["/api/parcels/release", "/api/parcels/series"]


@pytest.mark.parametrize("key", [None, "", "rk_x", "p", "ä"])
def test_without_a_valid_key_nothing_is_answered(house, key):
    for answer in (
        house.predict(key=key),
        house.feedback({}, key=key),
        *(house.get(path, key=key) for path in GUARDED),
    ):
        assert (answer.status_code, answer.get_json()["type"]) == (401, "/problems/no-key")
        assert "WWW-Authenticate" in answer.headers
    assert house.log.records == []


def test_a_key_needs_the_scope(house):
    for answer in (house.predict(key="rk_o"), house.feedback({}, key="rk_o"), house.get(GUARDED[0], key="rk_o")):
        assert (answer.status_code, answer.get_json()["type"]) == (403, "/problems/wrong-scope")


def test_while_nobody_knows_the_keys_nothing_is_ready(house):
    house.keys.holders = None
    assert house.predict().status_code == 503


def test_health_readiness_and_metrics_need_no_key(house):
    assert house.get("/api/health", key=None).get_json() == {"status": "alive", "track": "production"}
    assert house.get("/metrics", key=None).status_code == 200
    answer = house.get("/api/ready", key=None)
    assert answer.status_code == 503
    assert "letters" in answer.get_json()["detail"]


def test_a_track_is_ready_when_every_workload_has_a_release(house):
    house.letters.current = house.slot.current
    answer = house.get("/api/ready", key=None)
    assert answer.status_code == 200
    assert answer.get_json()["status"] == "ready"


def test_a_byte_order_mark_before_a_body_is_no_part_of_it(house):
    """Excel and PowerShell write one: it was `malformed-json`, and nothing said why."""
    question = {"depot": "north/a", "target": "sent"}
    rating = {"prediction_id": house.predict().get_json()["prediction_id"], "kind": "rating", "value": 4}
    said = [
        ("predict", "application/json", json.dumps(question)),
        ("predict/batch", "application/json", json.dumps({"items": [question]})),
        ("predict/batch", "text/csv", "depot,target\r\nnorth/a,sent\r\n"),
        ("feedback", "application/json", json.dumps(rating)),
    ]
    for what, content_type, body in said:
        headers = {"X-API-Key": "rk_p", "Content-Type": content_type}
        for mark in (b"", BOM_UTF8):
            answer = house.client.post(f"/api/parcels/{what}", data=mark + body.encode(), headers=headers)
            assert answer.status_code == (202 if what == "feedback" else 200)
            assert answer.get_json().get("failed", 0) == 0


@pytest.mark.parametrize(
    "path", ["/api/parcels/release", "/api/parcels/series", "/api/parcels/predict", "/api/health", "/none"]
)
def test_every_answer_carries_request_id_and_track(house, path):
    answer = house.get(path, X_Request_ID="abc-1", X_Track="candidate")
    assert answer.headers["X-Request-ID"] == "abc-1"
    assert answer.headers["X-Track"] == "production"


def test_no_cache_on_the_way_keeps_what_a_key_was_answered(house):
    """`X-API-Key` says nothing to a cache: it would give the answer to whoever asks next."""
    for path in ("/api/parcels/series", "/api/parcels/release", "/api/ready", "/api/parcels/nothing"):
        assert house.get(path).headers["Cache-Control"] == "no-store"


def test_answers_about_a_workload_carry_the_release_even_when_refused(house):
    for answer in (house.predict(), house.predict({}), house.predict(key=None), house.get("/api/parcels/release")):
        assert answer.headers["X-Release"] == "BO1"
    assert "X-Release" not in house.get("/api/letters/release").headers


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "ä", "<script>", "a\tb"])
def test_an_odd_request_id_is_replaced(house, given):
    found = house.get("/api/health", X_Request_ID=given).headers["X-Request-ID"]
    assert found != given
    assert len(found) == 24


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/", 404, "not-found"),
        ("GET", "/api", 404, "not-found"),
        ("GET", "/static/x", 404, "not-found"),
        ("GET", "/api/parcels/predict/", 404, "not-found"),
        ("POST", "/api/parcels//predict", 404, "not-found"),
        ("GET", "/api/parcels/predict", 405, "method-not-allowed"),
        ("DELETE", "/api/parcels/feedback", 405, "method-not-allowed"),
        ("BREW", "/api/health", 405, "method-not-allowed"),
    ],
)
def test_unknown_routes_and_methods_are_problems_too(house, method, path, status, slug):
    answer = house.client.open(path, method=method)
    assert (answer.status_code, answer.get_json()["type"]) == (status, f"/problems/{slug}")
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json()["status"] == status
    assert ("Allow" in answer.headers) == (status == 405)


def test_a_body_of_more_than_a_mebibyte_is_too_large(house):
    answer = house.predict(b" " * (1 << 20) + b"{}")
    assert (answer.status_code, answer.mimetype) == (413, "application/problem+json")
    assert answer.get_json()["type"] == "/problems/too-large", "as the router says it"


@pytest.mark.parametrize("path", ["predict", "predict/batch", "feedback", "orders", "orders/withdraw"])
@pytest.mark.parametrize("kind", ["application/json", "text/csv"])
def test_a_body_that_is_encoded_is_refused_for_that(house, path, kind):
    def post(encoding, body):
        key = "rk_o" if path.startswith("orders") else "rk_p"
        headers = {"X-API-Key": key, "Content-Type": kind, "Content-Encoding": encoding}
        return house.client.post(f"/api/parcels/{path}", data=body, headers=headers)

    for encoding in ("gzip", "br", "identity, gzip"):
        for body in (gzip.compress(b"{}"), b'{"depot": "north/a", "target": "sent"}'):
            answer = post(encoding, body)
            assert (answer.status_code, answer.get_json()["type"]) == (415, "/problems/unsupported-encoding")
            assert answer.headers["Accept-Encoding"] == "identity"
    assert {post(encoding, b"{}").status_code for encoding in ("Identity", "")} <= {400, 422}


@pytest.mark.parametrize("path", ["predict", "predict/batch", "feedback"])
def test_a_body_that_ends_early_is_told_so(house, path):
    short = {"CONTENT_LENGTH": "50", "wsgi.input": io.BytesIO(b'{"depot":')}
    answer = house.client.post(f"/api/parcels/{path}", headers={"X-API-Key": "rk_p"}, environ_overrides=short)
    assert (answer.status_code, answer.get_json()["type"]) == (400, "/problems/bad-request")
    assert answer.headers["Connection"] == "close"


def test_what_nobody_foresaw_tells_the_log_and_not_the_world(house, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("SELECT secret FROM /etc/passwd")

    monkeypatch.setattr(house.log, "append", fail)
    answer = house.predict(X_Request_ID="req-9")
    assert (answer.status_code, answer.get_json()["type"]) == (500, "/problems/internal")
    assert b"secret" not in answer.data
    assert b"Traceback" not in answer.data
    assert answer.get_json()["request_id"] == "req-9"
    assert "SELECT secret" in caplog.text
    assert house.requests("500") == 1


def test_a_log_line_has_the_request_and_key_id_and_never_the_key(house, caplog):
    lines = []

    class Keep(logging.Handler):
        def emit(self, record):
            lines.append(JsonFormatter().format(record))

    logger = logging.getLogger("inference")
    keep = Keep()
    logger.addHandler(keep)
    try:
        with caplog.at_level(logging.INFO):
            house.predict({}, X_Request_ID="req-7", X_Client_Key="key:rk_p")
            house.predict()
    finally:
        logger.removeHandler(keep)
    [line] = lines
    told = json.loads(line)
    assert {told["request_id"], told["key_id"], told["status"], told["release"]} == {"req-7", "p", 422, "BO1"}
    assert "rk_p" not in line


def test_what_a_track_serves(house):
    body = house.get("/api/parcels/release").get_json()
    assert (body["release"], body["release_id"], body["track"]) == ("BO1", "r1", "production")
    assert (body["targets"], body["horizon"], body["series"]) == (["sent", "lost"], 12, 6)


def test_series_can_be_searched_and_paged(house):
    body = house.get("/api/parcels/series?search=north&limit=3&offset=1").get_json()
    assert body == {
        "total": 4,
        "limit": 3,
        "offset": 1,
        "series": [
            {"depot": "north/a", "target": "sent"},
            {"depot": "north/b", "target": "lost"},
            {"depot": "north/b", "target": "sent"},
        ],
    }


@pytest.mark.parametrize(
    ("query", "field"), [("limit=0", "limit"), ("limit=x", "limit"), ("offset=-1", "offset"), ("sort=up", "sort")]
)
def test_an_odd_page_is_named_by_field(house, query, field):
    answer = house.get(f"/api/parcels/series?{query}")
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] == field
