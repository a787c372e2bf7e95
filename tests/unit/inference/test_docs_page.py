"""The page `/docs` in a browser: what its forms ask for exists."""

import json
import os
import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from monitoring.screenshots import CHROMIUM, chromium

HERE = "http://ratchet.test"


@pytest.fixture
def page(house):
    """The page, with every request answered by the real application."""
    if not CHROMIUM.exists() and not os.environ.get("CI"):
        pytest.skip(f"{CHROMIUM} is not on this machine: tools/install test installs it")

    def answer(route):
        asked, place = route.request, urlsplit(route.request.url)
        key = asked.headers.get("x-api-key")
        body = {"data": asked.post_data, "content_type": "application/json"} if asked.post_data else {}
        said = house.client.open(
            f"{place.path}?{place.query}", method=asked.method, headers={"X-API-Key": key} if key else {}, **body
        )
        route.fulfill(status=said.status_code, headers=dict(said.headers), body=said.data)

    with chromium() as browser:
        opened = browser.new_page()
        opened.route("**/*", answer)
        opened.goto(f"{HERE}/docs")
        opened.wait_for_selector("details")
        yield opened


def form(page, path):
    found = page.locator("details", has=page.locator("code", has_text=path)).first
    if not found.evaluate("node => node.open"):
        found.locator("summary").click()
    return found


def test_with_a_key_the_first_forecast_works_and_its_rating_too(page):
    forecast, rating = (form(page, f"/api/parcels/{name}") for name in ("predict", "feedback"))
    expect(forecast.locator("textarea")).to_have_value(re.compile('"depot": "…"'))
    page.fill("#key", "rk_p")
    page.locator("#key").blur()
    expect(forecast.locator("textarea")).not_to_have_value(re.compile("…"))
    for asked, status in ((forecast, "200"), (rating, "202")):
        asked.get_by_role("button", name="Send").click()
        expect(asked.locator("pre")).to_contain_text(status)


def test_what_a_person_wrote_is_left_alone(page):
    area = form(page, "/api/parcels/predict").locator("textarea")
    area.fill('{"depot": "mine", "target": "sent"}')
    page.fill("#key", "rk_p")
    with page.expect_response("**/series?limit=1"):
        page.locator("#key").blur()
    page.wait_for_timeout(100)
    assert json.loads(area.input_value())["depot"] == "mine"


def test_fields_that_may_be_left_out_say_what_they_take(page):
    rows = form(page, "/api/parcels/predict").locator("table").first.locator("tr").all_inner_texts()
    told = {row.split("\t")[0]: row for row in rows}
    assert "median, mean: only this one" in told["statistic"]
    assert "80, 95: only the bounds" in told["levels"]
    assert "null" not in "".join(rows)


def test_what_goes_into_an_address_says_from_what_to_what_and_what_it_is_without(page):
    rows = form(page, "/api/parcels/series").locator("table").first.locator("tr").all_inner_texts()
    assert "limit\tinteger\t\tfrom 1 to 1000: without it 100" in rows


def test_every_field_has_a_name_for_who_does_not_see_it(page):
    nameless = page.locator("input, textarea").evaluate_all(
        "all => all.filter(one => !one.ariaLabel && !one.labels.length).map(one => one.outerHTML)"
    )
    assert nameless == []
