"""Figures that a stage leaves behind when it ends: `DATA_HOME/metrics/*.prom` in Prometheus' text format."""

import logging
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

logger = logging.getLogger(__name__)


class TextFiles:
    """A folder of such files, each written under another name and renamed. Several files may hold samples of one metric.

    One that nobody can read costs its own samples and is named.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unreadable: set[str] = set()

    def collect(self) -> Iterator[Metric]:
        """Every sample of every file; of a metric that several files describe, the first one's description."""
        families: dict[str, Metric] = {}
        readable = GaugeMetricFamily(
            "ratchet_textfile_readable", "Whether a file of metrics/ can be read: 1 or 0", labels=("file",)
        )
        for path in sorted(self._folder.glob("*.prom")):
            found = self._read(path)
            readable.add_metric((path.name,), found is not None)
            for family in found or ():
                known = families.setdefault(family.name, family)
                if known is not family:
                    known.samples.extend(family.samples)
        yield from (*families.values(), readable)

    def _read(self, path: Path) -> list[Metric] | None:
        """What it says, nothing if it has just gone, None if nobody can read it; that is logged when it begins."""
        try:
            found = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            found = []
        except (OSError, ValueError) as error:
            if path.name not in self._unreadable:
                logger.warning("%s cannot be read: %s", path, error)
            self._unreadable.add(path.name)
            return None
        self._unreadable.discard(path.name)
        return found
