"""Boards and the page about metrics, against the real stack under traffic."""

import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from boards import ask, documented, exposed, silent
from people import Person, SteadyLoad
from ratchet.stack import first_turn
from ratchet.stack.health import wait_for

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]

PAGE = Path(__file__).parents[2] / "docs/monitoring.md"
NOT_YET = {
    "Realised MASE",
    "Realised coverage",
    "Drift",
    "Failed runs",
    "Tasks that failed",
    "Rejected events",
    "Failed checks",
}
NOT_YET |= {"Errors: confidence sequence"}


@pytest.fixture(scope="module")
def busy(house):
    """A minute of users who rate all alike, and a look at the experiment; Prometheus' address while they are there."""
    settings = house.stack.settings
    port, key = settings.router_port, house.keys["predict"]
    client = first_turn.airflow(house.stack)
    run = client.trigger("evaluate_ab")
    with SteadyLoad(port, key) as load:
        for number in range(60):
            person = Person(port, key, f"looker-{number}")
            _, _, forecast = person.ask()
            person.post("feedback", {"prediction_id": forecast["prediction_id"], "kind": "rating", "value": 3})
            person.leave()
        client.wait("evaluate_ab", run, timeout=120)
        address = f"http://127.0.0.1:{settings.prometheus_port}"
        wait_for(
            "figures", lambda: {panel for _, panel, _ in silent(address)} <= NOT_YET, timeout=90, look="the boards"
        )
        yield address
    assert load.failed == []


def unexplained(prometheus):
    return [(board, panel) for board, panel, empty in silent(prometheus) if not empty]


def test_every_panel_has_data_or_says_why_not(busy):
    assert unexplained(busy) == []


def test_only_panels_of_what_has_not_happened_yet_are_empty(busy):
    assert {panel for _, panel, _ in silent(busy)} <= NOT_YET


@pytest.mark.usefixtures("busy")
def test_the_page_names_what_processes_expose_and_nothing_else(house):
    settings = house.stack.settings
    ports = (settings.production_port, settings.candidate_port, settings.exporter_port, settings.reports_port)
    pages = [urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode() for port in ports]
    said, seen = documented(PAGE.read_text()), exposed(*pages)
    assert set(said) == set(seen)
    assert {name: labels - said[name] for name, labels in seen.items() if labels - said[name]} == {}


def test_a_neighbours_figures_are_under_its_own_name(busy):
    found = {one["metric"]["part"] for one in ask(busy, "ratchet_neighbour_up == 1 or airflow_heartbeats_total > 0")}
    assert {"postgres", "router", "scheduler", "dag_processor"} <= found


def test_every_rule_is_evaluated_without_an_error(busy):
    import json  # noqa: PLC0415

    time.sleep(1)
    with urlopen(f"{busy}/api/v1/rules", timeout=10) as answer:
        rules = [rule for group in json.load(answer)["data"]["groups"] for rule in group["rules"]]
    assert len(rules) > 30
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] == "err"] == []
