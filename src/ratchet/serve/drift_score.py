"""The newest drift report as metrics, read from this machine's disk when Prometheus asks: no database is needed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

NEWEST: Final = "newest.json"
LABELS: Final = ("workload", "feature")


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftScores(Collector):
    """What `home/drift/<workload>/newest.json` says of each workload; nothing where nobody has looked yet."""

    home: Path
    workloads: tuple[str, ...]

    def collect(self) -> Iterator[Metric]:
        """Look now; a report that cannot be read is none."""
        score = GaugeMetricFamily("ratchet_drift_score", "Population stability index of a feature", labels=LABELS)
        drifting = GaugeMetricFamily("ratchet_drift_significant", "1 where a feature drifts", labels=LABELS)
        confirmed = GaugeMetricFamily(
            "ratchet_drift_confirmed", "1 where what drifts is drift beyond doubt", labels=("workload",)
        )
        looked = GaugeMetricFamily("ratchet_drift_looked_at_seconds", "Time of the newest look", labels=("workload",))
        for workload in self.workloads:
            report = self._read(workload)
            if report is None:
                continue
            looked.add_metric((workload,), datetime.fromisoformat(report["at"]).timestamp())
            if "confirmed" in report:  # a report from before it was written says nothing of it
                confirmed.add_metric((workload,), float(report["confirmed"]))
            for feature, said in report["drift_indicators"].items():
                score.add_metric((workload, feature), said["psi"])
                drifting.add_metric((workload, feature), float(said["significant_drift"]))
        yield from (score, drifting, confirmed, looked)

    def _read(self, workload: str) -> dict[str, Any] | None:
        try:
            report: dict[str, Any] = json.loads((self.home / "drift" / workload / NEWEST).read_bytes())
            datetime.fromisoformat(report["at"])
            indicators = report["drift_indicators"].values()
            sound = all(isinstance(said["psi"], float | int) and "significant_drift" in said for said in indicators)
            sound = sound and isinstance(report.get("confirmed", False), bool)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return report if sound else None
