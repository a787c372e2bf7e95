"""Boards, rules and pages about them say the same."""

import json
import re
from pathlib import Path

import pytest
import yaml

from monitoring.dashboard.screens.live import PANELS
from monitoring.grafana.__main__ import FOLDER
from monitoring.grafana.boards import BOARDS
from monitoring.grafana.build import VARIABLES, render

ROOT = Path(__file__).parents[3]
RULES = yaml.safe_load((ROOT / "monitoring/prometheus/rules.yml").read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in RULES for rule in group["rules"] if "alert" in rule}
TESTS = {test["name"] for test in yaml.safe_load((ROOT / "monitoring/prometheus/rules_test.yml").read_text())["tests"]}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_the_committed_board_is_what_the_code_makes(board):
    assert (FOLDER / f"{board.uid}.json").read_text() == render(board), "run: python -m monitoring.grafana"


def test_there_is_no_board_that_no_code_makes():
    assert {path.stem for path in FOLDER.glob("*.json")} == {board.uid for board in BOARDS}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_a_board_can_be_narrowed_and_each_panel_says_what_it_shows(board):
    made = json.loads(render(board))
    assert [one["name"] for one in made["templating"]["list"]] == list(VARIABLES) == ["workload", "track", "release"]
    panels = [one for one in made["panels"] if one["type"] != "row"]
    assert all(one["description"] and one["title"] and one["targets"] for one in panels)
    taken = [(one["gridPos"]["x"], one["gridPos"]["y"]) for one in made["panels"]]
    assert len(set(taken)) == len(taken)
    assert all(one["gridPos"]["x"] + one["gridPos"]["w"] <= 24 for one in made["panels"])


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_has_an_action_in_the_runbook_and_fires_and_stays_quiet_in_tests(name):
    notes = ALERTS[name]["annotations"]
    page, _, anchor = notes["runbook"].partition("#")
    headings = re.findall(r"^### (\w+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}
    assert notes["summary"]
    assert notes["action"]
    assert {f"{name} fires", f"{name} stays quiet"} <= TESTS


def test_the_runbook_speaks_of_no_alert_that_is_gone():
    text = (ROOT / "docs/runbook.md").read_text().partition("## Alerts")[2].partition("\n## ")[0]
    assert set(re.findall(r"^### (\w+)$", text, re.MULTILINE)) == set(ALERTS)


def test_no_panel_takes_the_rate_of_a_gauge_that_falls_when_a_process_ends():
    shown = [query for *_, query, _ in PANELS] + [(FOLDER / f"{board.uid}.json").read_text() for board in BOARDS]
    assert not [query for query in shown if re.search(r"rate\(ratchet_service_processor_seconds", query)]
    assert [query for *_, query, _ in PANELS if query == "ratchet:service_cores:rate5m"]
