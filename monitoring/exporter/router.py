"""nginx: its status page as metrics."""

import re
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from monitoring.exporter.http import get

PAGE: Final = re.compile(
    r"Active connections: (\d+)\s+server accepts handled requests\s+(\d+) (\d+) (\d+)\s+Reading: (\d+) Writing: (\d+) Waiting: (\d+)"
)


class Router:
    """The router's `stub_status`, at an address that nobody outside reaches."""

    def __init__(self, address: str) -> None:
        self._address = address

    def collect(self) -> Iterator[Metric]:
        """Connections and requests since nginx started."""
        found = PAGE.search(get(self._address).decode())
        if found is None:
            raise ValueError("no status page")
        active, accepted, handled, requests, reading, writing, waiting = map(int, found.groups())
        states = GaugeMetricFamily("ratchet_router_connections", "Open connections by what they do", labels=("state",))
        for state, count in (("reading", reading), ("writing", writing), ("waiting", waiting)):
            states.add_metric((state,), count)
        yield GaugeMetricFamily("ratchet_router_connections_active", "Open connections", value=active)
        yield states
        yield CounterMetricFamily("ratchet_router_requests", "Requests of any kind", value=requests)
        yield CounterMetricFamily(
            "ratchet_router_connections_dropped",
            "Connections that were accepted and not handled",
            value=accepted - handled,
        )
