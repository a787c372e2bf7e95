"""Several neighbours behind one `/metrics`: one that is away costs its own figures and is said to be away."""

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final, Protocol

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)

WAIT_SECONDS: Final = 7.0
"""What a scrape waits for its slowest neighbour; Prometheus gives all of the page up after nine seconds."""

Answer = tuple[list[Metric] | None, str, float]
"""What a neighbour says, or None; what is wrong with it; how long it took to say so."""

HANGS: Final[Answer] = (None, "no answer in time", WAIT_SECONDS)


class Part(Protocol):
    """One neighbour that is asked at each scrape."""

    def collect(self) -> Iterable[Metric]:
        """What it says now; any exception means that it is away."""


class Parts(Collector):
    """Asks all neighbours at once, each by one thread at most: one that hangs is away, and nobody asks it again meanwhile.

    What fails is logged when it begins to, not at each scrape.
    """

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = parts
        self._pool = ThreadPoolExecutor(len(parts))
        self._asked: dict[str, Future[Answer]] = {}
        self._lock = threading.Lock()
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
        asked = self._ask_all()
        wait(asked.values(), timeout=WAIT_SECONDS)
        for name, answer in asked.items():
            found, trouble, seconds = answer.result() if answer.done() else HANGS
            self._note(name, trouble)
            up.add_metric((name,), found is not None)
            spent.add_metric((name,), seconds)
            yield from found or ()
        yield from (up, spent)

    def _ask_all(self) -> dict[str, Future[Answer]]:
        """Who is being asked already, by a scrape at the same time or by one that gave up, is not asked a second time."""
        with self._lock:
            for name, part in self._parts.items():
                if name not in self._asked or self._asked[name].done():
                    self._asked[name] = self._pool.submit(_ask, part)
            return dict(self._asked)

    def _note(self, name: str, trouble: str) -> None:
        if trouble and name not in self._away:
            logger.warning("%s cannot be asked: %s", name, trouble)
        (self._away.add if trouble else self._away.discard)(name)


def _ask(part: Part) -> Answer:
    begin = time.perf_counter()
    try:
        return list(part.collect()), "", time.perf_counter() - begin
    except Exception as error:  # noqa: BLE001, whatever is wrong with one neighbour must not hide the others
        return None, type(error).__name__, time.perf_counter() - begin
