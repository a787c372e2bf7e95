"""The document is made from what checks requests, follows the release's own words, and the page needs nobody else."""

import re

import pytest
from jsonschema_rs import validator_for

from inference import openapi
from inference.operations import of_workload


def resolved(document, schema):
    return validator_for({**schema, "components": document["components"]})


@pytest.fixture
def document(house):
    return house.get("/openapi.json", key=None).get_json()


def test_the_document_follows_the_releases_declared_columns(document):
    question = document["components"]["schemas"]["parcels.Question"]
    assert document["openapi"].startswith("3.1")
    assert set(question["required"]) == {"depot", "target"}
    assert question["properties"]["target"]["enum"] == ["sent", "lost"]
    assert question["properties"]["horizon"]["maximum"] == 12


def test_a_workload_without_a_release_is_described_in_general(document):
    assert "/api/letters/predict" in document["paths"]
    assert set(document["components"]["schemas"]["letters.Question"]["required"]) >= {"unique_id", "target"}


def test_the_document_is_made_again_only_for_a_release_with_other_words(house, monkeypatch):
    made = []
    monkeypatch.setattr(openapi, "of_workload", lambda *which: made.append(which) or of_workload(*which))
    first = house.get("/openapi.json", key=None)
    assert first.mimetype == "application/json"
    times = len(made)
    assert house.get("/openapi.json", key=None).data == first.data
    assert len(made) == times
    house.load(2, id_name="store")
    schemas = house.get("/openapi.json", key=None).get_json()["components"]["schemas"]
    assert set(schemas["parcels.Question"]["required"]) == {"store", "target"}


def test_every_route_is_in_the_document_and_nothing_else(house, document):
    routes = {str(rule).replace("<workload>", "parcels") for rule in house.app.url_map.iter_rules()}
    unlisted = {"/metrics", "/openapi.json", "/docs"}
    assert {path for path in document["paths"] if "letters" not in path} == routes - unlisted


def test_answers_are_what_the_document_says(house, document):
    asked = {
        ("post", "predict"): house.predict({"depot": "north/a", "target": "sent", "statistic": "mean"}),
        ("get", "release"): house.get("/api/parcels/release"),
        ("get", "series"): house.get("/api/parcels/series"),
    }
    for (method, name), answer in asked.items():
        content = document["paths"][f"/api/parcels/{name}"][method]["responses"]["200"]["content"]
        resolved(document, content["application/json"]["schema"]).validate(answer.get_json())


def test_the_page_loads_nothing_from_elsewhere(house):
    answer = house.get("/docs", key=None)
    text = answer.get_data(as_text=True)
    assert answer.mimetype == "text/html"
    assert not re.search(r"https?://|src=|<link|@import", text)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
