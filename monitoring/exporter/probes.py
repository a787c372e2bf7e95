"""Neighbours that say nothing of themselves to Prometheus: whether they answer, and how fast."""

import time
from collections.abc import Iterator, Mapping
from http.client import HTTPException

from prometheus_client.core import GaugeMetricFamily, Metric

from monitoring.exporter.http import get


class Probes:
    """Addresses that answer 200 while a service can be used."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses

    def collect(self) -> Iterator[Metric]:
        """Ask each one once."""
        up = GaugeMetricFamily(
            "ratchet_probe_up", "Whether the service answered its health address", labels=("service",)
        )
        spent = GaugeMetricFamily("ratchet_probe_seconds", "How long that took", labels=("service",))
        for service, address in self._addresses.items():
            begin = time.perf_counter()
            up.add_metric((service,), _answers(address))
            spent.add_metric((service,), time.perf_counter() - begin)
        yield from (up, spent)


def _answers(address: str) -> bool:
    try:
        get(address)
    except (OSError, HTTPException):
        return False
    return True
