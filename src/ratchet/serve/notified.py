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
    """What `home/notify/counts.json` says; nothing where nobody was ever notified."""

    home: Path

    def collect(self) -> Iterator[Metric]:
        """Look now."""
        counter = CounterMetricFamily("ratchet_notifications", "Messages about verdicts", labels=("outcome",))
        try:
            counts = json.loads((self.home / "notify" / COUNTS).read_bytes())
            for outcome in (SENT, FAILED):
                counter.add_metric((outcome,), float(counts[outcome]))
        except (OSError, ValueError, KeyError, TypeError):
            pass
        yield counter
