"""Each page's main path, as a person with a browser takes it, against the real stack. Pictures are kept in .ci-artifacts/."""

import contextlib
import json
import os
import re
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Error, expect

from boards import ask
from monitoring.screenshots import CHROMIUM, NARROW, WIDE, chromium, settle, shoot
from people import Person
from ratchet.stack.health import wait_for

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]

PICTURES = Path(__file__).parents[2] / ".ci-artifacts"
READY_SECONDS, CLICK_SECONDS = 2.0, 1.0
RATED = "ratchet_feedback_ratings_count > 0"
BUSY = float(os.environ.get("BUSY_MACHINE", "3"))
"""How much slower than on a quiet machine a test may be before it fails: the objectives themselves are measured, and printed."""


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists() and not os.environ.get("CI"):
        pytest.skip(f"{CHROMIUM} is not on this machine: tools/install test installs it")
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def address(house):
    """The dashboard, after a few people have asked and rated: all the same, so that no look finds a winner meanwhile."""
    port, key = house.stack.settings.router_port, house.keys["predict"]
    for number in range(30):
        person = Person(port, key, f"visitor-{number}")
        _, _, forecast = person.ask()
        person.post("feedback", {"prediction_id": forecast["prediction_id"], "kind": "rating", "value": 3})
        person.leave()
    prometheus = f"http://127.0.0.1:{house.stack.settings.prometheus_port}"
    wait_for(
        "their figures",
        lambda: len(ask(prometheus, "count_over_time(ratchet_feedback_ratings_count[2m]) > 1 and " + RATED)) == 2,
        timeout=60,
        look="Prometheus",
    )
    return f"http://127.0.0.1:{house.stack.settings.dashboard_port}"


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport=WIDE, accept_downloads=True)
    opened = context.new_page()
    yield opened
    shoot(opened, PICTURES / f"{os.environ['PYTEST_CURRENT_TEST'].split('::')[1].split(' ')[0]}.png", whole=True)
    context.close()


def pick(page, label, option):
    page.get_by_label(label).first.click()
    page.get_by_role("option", name=option, exact=True).click()


def choose(page, label, option):
    """Take an option of a list and see it kept; again if the page moved meanwhile, which closes the list without a choice."""
    chosen = page.get_by_role("combobox", name=label)
    for patience in (3_000, 3_000, 30_000):
        chosen.click()
        with contextlib.suppress(Error, AssertionError):
            page.get_by_role("option", name=option).click(timeout=patience)
            expect(chosen).to_have_value(re.compile(f"^{option}"), timeout=3_000)  # an input: no text, but a value
            return
    pytest.fail(f"the list of {label} does not keep {option}")


def order(page, what):
    """Send the form, and say yes to the order that was chosen and to no other."""
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("dialog").get_by_text(re.compile(f"^{what}")).wait_for()
    page.get_by_role("button", name="Yes, order it").click()


COLOURS = (
    "one => { const style = getComputedStyle(one), numbers = text => text.match(/[0-9.]+/g).slice(0, 3).map(Number);"
    " return { text: numbers(style.color), background: numbers(style.backgroundColor), opacity: Number(style.opacity) } }"
)


def mix(over, under, opacity):
    return over * opacity + under * (1 - opacity)


def contrast(one, other):
    """WCAG's ratio of two colours; 4.5 is what text needs."""
    parts = [[c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour] for colour in (one, other)]
    dark, light = sorted(0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in parts)
    return (light + 0.05) / (dark + 0.05)


def test_a_forecast_with_its_bounds_and_what_each_family_says_and_a_rating(page, address, postgres_rows):
    page.goto(address)
    settle(page)

    page.get_by_text(re.compile("^From .* in the week to .* 80 %: ")).wait_for()
    page.get_by_text("Show what each family would have said").click()
    page.get_by_text("Error on held-out weeks").wait_for()
    pick(page, "Target", "New stars")
    page.get_by_role("heading", name=re.compile("New stars of .* by week")).wait_for()
    settle(page)
    page.get_by_role("radiogroup").get_by_role("radio").nth(3).click()
    page.get_by_text("4 of 5 kept").wait_for()
    said = "SELECT value FROM feedback WHERE kind = 'rating' ORDER BY at DESC LIMIT 1"
    wait_for("the rating", lambda: postgres_rows(said)[0][0] == 4, timeout=15, look="the log")


def test_a_history_of_ones_own(page, address):
    page.goto(address)
    settle(page)
    page.get_by_role("tab", name="Your own history").click()
    page.get_by_role("textbox", name="Counts").fill("12, 9, fifteen")
    page.get_by_role("button", name="Forecast", exact=True).click()
    page.get_by_text("That is no list of counts").wait_for()
    page.get_by_role("textbox", name="Counts").fill("12, 9, 15, 11, 8, 14, 13")
    page.get_by_role("button", name="Forecast", exact=True).click()
    page.get_by_text("from the posted history alone").wait_for()


def test_a_table_up_and_a_table_down(page, address, tmp_path):
    page.goto(address)
    settle(page)
    page.get_by_role("tab", name="A table of series").click()
    asked = tmp_path / "asked.csv"
    asked.write_text("repository,target,horizon\nsample/busy-framework,commits,2\nno/where,commits,2\n")
    page.get_by_test_id("stFileUploaderDropzoneInput").last.set_input_files(asked)
    page.get_by_text("1 of 2 forecast, 1 not").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Forecasts as CSV").click()
    rows = Path(download.value.path()).read_text().splitlines()
    assert len(rows) == 4
    assert "unknown-series" in rows[3]


def newest_order(house):
    call = Request(f"{house.router}/api/github_activity/orders", headers={"X-API-Key": house.keys["operate"]})
    with urlopen(call, timeout=5) as answer:
        return json.load(answer)["orders"][0]


def test_the_experiment_and_an_order_with_a_way_back(page, address, house):
    page.goto(f"{address}/experiment")
    settle(page)
    page.get_by_text("On trial: CO1 against BO1").wait_for()
    for name in ("Production", "Candidate"):
        page.get_by_role("heading", name=name, exact=True).first.wait_for()
    page.get_by_role("heading", name="Ratings", exact=True).wait_for(timeout=90_000)  # the page looks again by itself
    settle(page)
    page.get_by_text("Promote, roll back, hold").click()
    settle(page)
    hold, clear = "Hold: nothing is promoted", "Clear a hold"
    choose(page, "Order", hold)
    page.get_by_role("textbox", name="Reason").fill("looking at it first")
    page.get_by_role("textbox", name="Operator's key").fill(house.keys["predict"])
    order(page, hold)
    page.get_by_text("The API key may not do this").wait_for()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("textbox", name="Operator's key").fill(house.keys["operate"])
    order(page, hold)
    page.get_by_text("was ordered by operate: looking at it first").or_(
        page.get_by_text("Orders so far: 1")
    ).first.wait_for()
    wait_for("the guard", lambda: newest_order(house)["outcome"], timeout=30, look="the guard's log")
    held = newest_order(house)
    assert (held["kind"], held["why"]) == ("hold", "looking at it first")
    assert not held["outcome"].startswith("refused")
    choose(page, "Order", clear)
    order(page, clear)
    wait_for(
        "the way back",
        lambda: newest_order(house)["kind"] == "clear" and newest_order(house)["outcome"],
        timeout=30,
        look="the guard's log",
    )
    assert not newest_order(house)["outcome"].startswith("refused")


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        ("models", ["BO1", "Families", "Calibration", "Worst series", "The training run in MLflow"]),
        ("data", ["Last complete week", "Weekly activity: commits", "Rows: "]),
        ("drift", ["Each feature's recent values"]),
        ("live", ["Forecasts answered", "Processor time by service", "Runs of DAGs"]),
    ],
    ids=["models", "data", "drift", "live"],
)
def test_the_other_pages_show_what_they_are_for(page, address, path, texts):
    page.goto(f"{address}/{path}")
    settle(page)
    for text in texts:
        page.get_by_text(text).first.wait_for(state="attached")
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_text("does not answer").count() == 0


def test_the_first_page_is_found_by_its_name_too(page, address):
    """Each other page has its name in the address bar, so people type this one's: it was no page."""
    page.goto(f"{address}/forecast")
    settle(page)
    page.get_by_role("heading", name="Forecast", exact=True).wait_for()
    page.get_by_text(re.compile("^From .* in the week to .* 80 %: ")).wait_for()
    assert page.get_by_text("Page not found").count() == 0
    assert page.get_by_role("link", name="Forecast").count() == 1


def test_the_week_is_drawn_as_a_grid_of_hours_and_days(page, address):
    page.goto(f"{address}/data")
    settle(page)
    page.get_by_role("radio", name="Activity pattern").click()
    page.get_by_text("Events by hour and weekday").wait_for()
    page.get_by_text(re.compile(r"Most on \w+days from \d+ to \d+ h UTC")).wait_for()
    assert page.get_by_test_id("stException").count() == 0


def test_nothing_sticks_out_at_390_pixels_in_the_dark(browser, address):
    context = browser.new_context(viewport=NARROW, color_scheme="dark")
    page = context.new_page()
    for path in ("", "experiment", "models", "data", "drift", "live"):
        page.goto(f"{address}/{path}")
        settle(page)
        wide = page.evaluate("() => document.querySelector(\"[data-testid='stMain']\").scrollWidth")
        shoot(page, PICTURES / f"narrow-{path or 'forecast'}.png", whole=True)
        page.set_viewport_size(NARROW)
        assert wide <= NARROW["width"], path
    context.close()


def test_every_control_has_a_name_and_can_be_reached_by_keyboard(page, address):
    page.goto(address)
    settle(page)
    unnamed = page.evaluate(
        "() => [...document.querySelectorAll('button, input, textarea, [role=slider], [role=combobox]')]"
        ".filter(one => one.offsetParent && !(one.ariaLabel || one.textContent.trim() || one.labels?.length || one.title"
        " || one.getAttribute('aria-labelledby') || one.closest('label'))).map(one => one.outerHTML.slice(0, 200))"
    )
    assert unnamed == []
    reached = set()
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("() => document.activeElement.ariaLabel || document.activeElement.textContent.slice(0, 40)")
        )
    assert {"Experiment", "One series"} <= {text.strip() for text in reached if text}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_small_print_and_buttons_stand_out_from_what_is_behind_them(browser, address, scheme):
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    settle(page)
    page.get_by_role("tab", name="Your own history").click()
    behind = page.get_by_test_id("stApp").evaluate(COLOURS)["background"]
    small, button = (
        page.get_by_test_id("stCaptionContainer").first,
        page.get_by_role("button", name="Forecast", exact=True),
    )
    printed, pressed = small.evaluate(COLOURS), button.evaluate(COLOURS)
    seen = [mix(text, back, printed["opacity"]) for text, back in zip(printed["text"], behind, strict=True)]
    context.close()
    assert contrast(seen, behind) >= 4.5
    assert contrast(pressed["text"], pressed["background"]) >= 4.5


def test_a_page_is_ready_soon_and_answers_a_click(page, address, record_property):
    ready, clicks = [], []
    for path in ("", "experiment", "models", "live"):
        begin = time.monotonic()
        page.goto(f"{address}/{path}")
        page.wait_for_selector("h1")
        ready.append(time.monotonic() - begin)
    page.goto(address)
    settle(page)
    for target in ("New stars", "Commits", "Issues opened", "PRs opened", "Commits", "New stars"):
        page.get_by_label("Target").first.click()
        begin = time.monotonic()
        page.get_by_role("option", name=target, exact=True).click()
        page.get_by_role("heading", name=re.compile(f"{target} of .* by week")).wait_for()
        clicks.append(time.monotonic() - begin)
    record_property("ready_seconds", max(ready))
    record_property("click_seconds", max(clicks))
    (PICTURES / "dashboard-seconds.json").write_text(json.dumps({"ready": ready, "clicks": clicks}))
    assert max(ready) <= READY_SECONDS * BUSY
    assert max(clicks) <= CLICK_SECONDS * BUSY


def test_a_browser_gets_no_key_and_no_password_and_asks_nobody_else(page, address, house):
    seen, asked = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: seen.append(str(frame))))
    page.on("response", lambda answer: seen.append(answer.url))
    page.goto(f"{address}/experiment")
    settle(page)
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    text = "".join(seen) + page.content()
    assert not [name for name, key in house.keys.items() if name != "fresh" and key in text]
    environment = Path(f"/proc/{_pid(house)}/environ").read_bytes().decode()
    assert "DATABASE_URL" not in environment
    assert house.stack.secrets.postgres_password not in environment


def _pid(house):
    from ratchet.stack.supervised import Supervisor  # noqa: PLC0415

    return next(one.pid for one in Supervisor(house.stack.home).states() if one.name == "dashboard")
