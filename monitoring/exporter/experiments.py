"""The loop itself, from the operators' API: what is on trial, what was decided, what the newest look saw."""

import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from monitoring.exporter.http import get
from ratchet.contracts.policy import Verdict

Row = dict[str, Any]
NOBODY: Final = "none"
BUSY_SECONDS: Final = 0.3


class Experiments:
    """Asks with the operator's key of this home; counts each verdict that is given while the process lives, once."""

    def __init__(self, router: str, keys: Path, workloads: Sequence[str]) -> None:
        self._router, self._keys, self._workloads = router, keys, workloads
        self._seen: set[tuple[str, int, str]] | None = None
        self._verdicts: Counter[tuple[str, str]] = Counter()

    def collect(self) -> Iterator[Metric]:
        """Everything by workload. Before the first key there is nobody to ask, and nothing to say."""
        if not self._keys.exists():
            return
        found = {workload: self._ask(workload, "experiments?limit=5")["experiments"] for workload in self._workloads}
        yield from _states(found)
        yield self._count(found)
        yield _figures(found)

    def _ask(self, workload: str, what: str) -> Row:
        headers = {"X-API-Key": json.loads(self._keys.read_bytes())["operate"]}
        address = f"{self._router}/api/{workload}/{what}"
        try:
            answer: Row = json.loads(get(address, headers))
        except HTTPError as refused:
            if refused.code != 503:
                raise
            time.sleep(BUSY_SECONDS)  # another operator is being answered
            answer = json.loads(get(address, headers))
        return answer

    def _count(self, found: dict[str, list[Row]]) -> Metric:
        counted = CounterMetricFamily(
            "ratchet_verdicts", "Verdicts of the policy and of people", labels=("workload", "verdict")
        )
        given = {
            (workload, row["experiment_id"], said["at"]): str(said["verdict"])
            for workload, rows in found.items()
            for row in rows
            for said in row["verdicts"]
        }
        if self._seen is None:  # what was given before this process counted is no news
            self._seen = set(given)
            # Each is there before it is given: of a series that begins with its first, Prometheus sees no change.
            self._verdicts.update({(workload, verdict.value): 0 for workload in found for verdict in Verdict})
        self._verdicts.update((key[0], verdict) for key, verdict in given.items() if key not in self._seen)
        self._seen |= given.keys()
        for labels, count in sorted(self._verdicts.items()):
            counted.add_metric(labels, count)
        return counted


def state(row: Row | None) -> str:
    """Where an experiment stands, in the words of the journal; `none` without one."""
    if row is None:
        return NOBODY
    if row["ended_at"]:
        return str(row["verdict"] or "ended")
    return str(row.get("stage") or "trial")


def _states(found: dict[str, list[Row]]) -> tuple[Metric, ...]:
    now = GaugeMetricFamily(
        "ratchet_experiment_state", "Where the newest experiment stands: 1", labels=("workload", "state")
    )
    runs = GaugeMetricFamily("ratchet_experiment_open", "Whether an experiment is open: 1 or 0", labels=("workload",))
    age = GaugeMetricFamily("ratchet_experiment_age_seconds", "Since the open experiment began", labels=("workload",))
    looked = GaugeMetricFamily(
        "ratchet_verdict_timestamp_seconds", "When the newest verdict was given", labels=("workload",)
    )
    for workload, rows in found.items():
        newest = rows[0] if rows else None
        is_open = newest is not None and newest["ended_at"] is None
        now.add_metric((workload, state(newest)), 1)
        runs.add_metric((workload,), is_open)
        if newest and is_open:
            since = datetime.now(UTC) - datetime.fromisoformat(newest["started_at"])
            age.add_metric((workload,), since.total_seconds())
        said = [one["decided_at"] for row in rows for one in row["verdicts"]]
        if said:
            looked.add_metric((workload,), max(map(datetime.fromisoformat, said)).timestamp())
    return now, runs, age, looked


def _figures(found: dict[str, list[Row]]) -> Metric:
    """Every figure that the newest verdict was given on: the ratio of the plain rule, or e-values and bounds."""
    figures = GaugeMetricFamily("ratchet_evidence", "A figure behind the newest verdict", labels=("workload", "figure"))
    for workload, rows in found.items():
        newest = next((row["verdicts"][0] for row in rows if row["verdicts"]), None)
        for name, value in (newest or {}).get("scores", {}).items():
            if isinstance(value, int | float) and math.isfinite(value):
                figures.add_metric((workload, name), value)
    return figures
