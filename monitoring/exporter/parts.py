"""Several neighbours behind one `/metrics`: one that is away costs its own figures and is said to be away."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)


class Part(Protocol):
    """One neighbour that is asked at each scrape."""

    def collect(self) -> Iterable[Metric]:
        """What it says now; any exception means that it is away."""


class Parts(Collector):
    """Asks all neighbours at once: a scrape takes as long as the slowest, not as all that hang.

    What fails is logged when it begins to, not at each scrape.
    """

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = parts
        self._away: set[str] = set()

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask anybody."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All that can be known now."""
        up = GaugeMetricFamily(
            "ratchet_neighbour_up", "Whether a neighbour said what it should: 1 or 0", labels=("part",)
        )
        spent = GaugeMetricFamily("ratchet_neighbour_seconds", "How long asking a neighbour took", labels=("part",))
        with ThreadPoolExecutor(len(self._parts)) as pool:
            for name, found, seconds in pool.map(self._ask, self._parts, self._parts.values()):
                up.add_metric((name,), found is not None)
                spent.add_metric((name,), seconds)
                yield from found or ()
        yield from (up, spent)

    def _ask(self, name: str, part: Part) -> tuple[str, list[Metric] | None, float]:
        begin = time.perf_counter()
        found = self._found(name, part)
        return name, found, time.perf_counter() - begin

    def _found(self, name: str, part: Part) -> list[Metric] | None:
        try:
            found = list(part.collect())
        except Exception as error:  # noqa: BLE001, whatever is wrong with one neighbour must not hide the others
            if name not in self._away:
                logger.warning("%s cannot be asked: %s", name, type(error).__name__)
            self._away.add(name)
            return None
        self._away.discard(name)
        return found
