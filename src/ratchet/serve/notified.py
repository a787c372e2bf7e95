"""How many notifications were delivered and how many were not, read from this machine's disk when Prometheus asks."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

COUNTS: Final = "counts.json"
SENT: Final = "sent"
FAILED: Final = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notified(Collector):
    """What `home/notify/counts.json` says. Both begin at 0: of a counter that appears with its first failure nobody sees it rise."""

    home: Path

    def collect(self) -> Iterator[Metric]:
        """Look now."""
        counter = CounterMetricFamily("ratchet_notifications", "Messages about verdicts", labels=("outcome",))
        for outcome, count in self._read().items():
            counter.add_metric((outcome,), count)
        yield counter

    def _read(self) -> dict[str, float]:
        try:
            counts = json.loads((self.home / "notify" / COUNTS).read_bytes())
            return {outcome: float(counts[outcome]) for outcome in (SENT, FAILED)}
        except (OSError, ValueError, KeyError, TypeError):
            return {SENT: 0.0, FAILED: 0.0}
