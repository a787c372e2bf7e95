"""Every expression of every panel, asked of a real Prometheus."""

import json
import re
from urllib.parse import urlencode
from urllib.request import urlopen

from monitoring.grafana.boards import BOARDS

CHOSEN = {"$workload": ".*", "$track": ".*", "$release": ".*", "$__rate_interval": "1m"}


def ask(prometheus, query):
    """The result of an expression now; Prometheus' own words if it refuses."""
    for name, value in CHOSEN.items():
        query = query.replace(name, value)
    with urlopen(f"{prometheus}/api/v1/query?{urlencode({'query': query})}", timeout=10) as answer:
        body = json.load(answer)
    assert body["status"] == "success", body
    return body["data"]["result"]


def silent(prometheus):
    """Panels with an expression that returns nothing: the board, the panel, and when that is right."""
    return [
        (board.title, panel.title, panel.empty)
        for board in BOARDS
        for panel in board.panels
        if not all(ask(prometheus, query.expr) for query in panel.queries)
    ]


def documented(page):
    """The metrics that a page names in its table, each with its labels."""
    rows = re.findall(r"^\| `([a-z_]+)` \| \w+ \| ([^|]+) \| \w+ \|", page, re.MULTILINE)
    return {name: {label.strip() for label in labels.split(",")} - {"\u2013"} for name, labels in rows}


def exposed(*pages):
    """The metrics of processes by their family's name, each with the labels that are seen; Python's own are left out."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    found = {}
    for page in pages:
        for family in text_string_to_metric_families(page):
            if family.name.startswith(("ratchet_", "airflow_")) and not family.name.endswith("_created"):
                name = f"{family.name}_total" if family.type == "counter" else family.name
                labels = {label for sample in family.samples for label in sample.labels} - {"le"}
                found.setdefault(name, set()).update(labels)
    return found
