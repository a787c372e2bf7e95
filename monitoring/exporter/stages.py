"""What the stages have left at rest: hours in bronze, the newest gold, and the share that the router gives the candidate."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ratchet.serve.split import FlagFileSplit


class Stages:
    """Reads the small files that describe the large ones."""

    def __init__(self, home: Path, workloads: Sequence[str]) -> None:
        self._home = home
        self._workloads = workloads

    def collect(self) -> Iterator[Metric]:
        """What is there; what is not there yet is left out."""
        yield from self._bronze()
        yield from self._gold()
        share = FlagFileSplit(self._home / "router" / "weights").share()
        yield GaugeMetricFamily(
            "ratchet_candidate_share", "Share of clients assigned to the candidate, 0 to 1", value=share / 100
        )

    def _bronze(self) -> tuple[Metric, ...]:
        hours = CounterMetricFamily("ratchet_landed_files", "Files that have landed in bronze", labels=("source",))
        size = CounterMetricFamily("ratchet_landed_bytes", "Bytes that have landed in bronze", labels=("source",))
        for manifest in sorted((self._home / "bronze").glob("*/manifest.jsonl")):
            entries = [json.loads(line) for line in manifest.read_bytes().splitlines() if line.endswith(b"}")]
            hours.add_metric((manifest.parent.name,), len(entries))
            size.add_metric((manifest.parent.name,), sum(entry["bytes"] for entry in entries))
        return hours, size

    def _gold(self) -> tuple[Metric, ...]:
        labels = ("workload",)
        series = GaugeMetricFamily("ratchet_gold_series", "Series in the newest gold", labels=labels)
        rows = GaugeMetricFamily("ratchet_gold_rows", "Series times weeks in the newest gold", labels=labels)
        age = GaugeMetricFamily(
            "ratchet_gold_age_seconds", "Since the newest hour that gold was built from", labels=labels
        )
        for workload in self._workloads:
            found = newest_gold(self._home, workload)
            if found:
                series.add_metric((workload,), found["series"])
                rows.add_metric((workload,), found["rows"])
                since = datetime.now(UTC) - datetime.fromisoformat(found["data_hour"])
                age.add_metric((workload,), since.total_seconds())
        return series, rows, age


def newest_gold(home: Path, workload: str) -> dict[str, Any] | None:
    """Return the manifest of the gold that was published last; None before the first one."""
    root = home / "gold" / workload
    pointer = root / "newest.json"
    if not pointer.exists():
        return None
    name = json.loads(pointer.read_bytes())["partition"]
    found: dict[str, Any] = json.loads((root / name / "manifest.json").read_bytes())
    return found
