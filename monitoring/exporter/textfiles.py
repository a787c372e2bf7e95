"""Figures that a stage leaves behind when it ends: `DATA_HOME/metrics/*.prom` in Prometheus' text format."""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families


class TextFiles:
    """A folder of such files, each written under another name and renamed. Several files may hold samples of one metric."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Every sample of every file; of a metric that several files describe, the first one's description."""
        families: dict[str, Metric] = {}
        for path in sorted(self._folder.glob("*.prom")):
            for family in text_string_to_metric_families(path.read_text(encoding="utf-8")):
                known = families.setdefault(family.name, family)
                if known is not family:
                    known.samples.extend(family.samples)
        yield from families.values()
