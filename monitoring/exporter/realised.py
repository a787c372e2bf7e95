"""How right logged forecasts turned out: MASE and coverage by target and release, once their weeks have matured in gold."""

import itertools
import json
import math
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
from prometheus_client.core import GaugeMetricFamily, Metric

from ratchet.contracts.coverage import whole_counts
from ratchet.contracts.errors import MetricsError
from ratchet.observe.database import transaction
from ratchet.posted import FAMILY

EVERY_SECONDS: Final = 300.0
AGAIN_SECONDS: Final = 60.0
"""Until the next look after one that failed."""
WAIT_SECONDS: Final = 2.0
"""What a scrape waits for a look that goes on; Prometheus gives all of this page up after nine seconds."""
SECONDS: Final = 10
AT_ONCE: Final = 2_000
"""Rows that are read before they are added up: the memory of a look does not grow with the log."""
LEVELS: Final = ("80", "95")
# The newest forecast of each series and release per day: what many asked for counts once. An answer from a posted history is none.
FORECASTS: Final = """
SELECT release, unique_id, target, jsonb_path_query_array(weeks, '$[*] ? (@.week <= $until)', %(over)s)
FROM (
    SELECT DISTINCT ON (release, unique_id, target, at::date) release, unique_id, target, weeks
    FROM forecast_log
    WHERE workload = %(workload)s AND at >= now() - interval '60 days' AND weeks IS NOT NULL
      AND (weeks -> 0 ->> 'week')::date <= %(until)s AND family IS DISTINCT FROM %(posted)s
    ORDER BY release, unique_id, target, at::date, at DESC
) AS newest
"""
# Gold of a workload that cannot tell how much it saw has no such column.
ACTUALS: Final = """
SELECT unique_id, target, ds, y::DOUBLE, coalesce(coverage, 1.0)
FROM (FROM read_parquet($path) UNION ALL BY NAME SELECT NULL::DOUBLE AS coverage WHERE false)
WHERE ds <= $until ORDER BY unique_id, target, ds
"""

Series = tuple[str, str]
Key = tuple[str, str, str]
Row = tuple[str, str, str, list[dict[str, Any]]]


@dataclass(slots=True)
class Mean:
    """A mean that is added up."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        """Count one more."""
        self.total += value
        self.count += 1


class Realised:
    """Joins the forecast log with gold, at most every five minutes; says nothing until a week that was forecast is over.

    A look may take longer than a scrape: it goes on beside it, and what the last one found is told meanwhile.
    """

    def __init__(self, database: str, home: Path, workloads: Sequence[str]) -> None:
        self._database, self._home, self._workloads = database, home, workloads
        self._kept: list[Metric] = []
        self._failed: Exception | None = None
        self._next = -math.inf
        self._looking: threading.Thread | None = None

    def collect(self) -> Iterator[Metric]:
        """What was found lately; the last look's error, if it failed."""
        if self._looking is None and time.monotonic() >= self._next:
            self._looking = threading.Thread(target=self._find, daemon=True, name="realised")
            self._looking.start()
        if self._looking is not None:
            self._looking.join(WAIT_SECONDS)
            if not self._looking.is_alive():
                self._looking = None
        if self._failed is not None:
            raise self._failed
        yield from self._kept

    def _find(self) -> None:
        try:
            self._kept, self._failed = list(self._look()), None
        except Exception as error:  # noqa: BLE001, whatever it is, the next scrape says so
            self._failed = error
        self._next = time.monotonic() + (AGAIN_SECONDS if self._failed else EVERY_SECONDS)

    def _look(self) -> Iterator[Metric]:
        labels = ("workload", "release", "target")
        mase = GaugeMetricFamily(
            "ratchet_realised_mase", "Error on weeks that are over; 1: as wrong as the last week", labels=labels
        )
        held = GaugeMetricFamily(
            "ratchet_realised_coverage", "Share of them inside the bounds", labels=(*labels, "level")
        )
        count = GaugeMetricFamily("ratchet_realised_weeks", "Forecast weeks that are over", labels=labels)
        for workload in self._workloads:
            for (release, target, figure), mean in self._measure(workload).items():
                if figure == "error":
                    mase.add_metric((workload, release, target), mean.total / mean.count)
                    count.add_metric((workload, release, target), mean.count)
                else:
                    held.add_metric((workload, release, target, figure), mean.total / mean.count)
        yield from (mase, held, count)

    def _measure(self, workload: str) -> dict[Key, Mean]:
        root = self._home / "gold" / workload
        if not (root / "newest.json").exists():
            return {}
        folder = root / json.loads((root / "newest.json").read_bytes())["partition"]
        manifest = json.loads((folder / "manifest.json").read_bytes())
        # Newer weeks may still grow; gold from before it said so has no such day.
        until = date.fromisoformat(manifest.get("truth_until", manifest["last_week"]))
        with closing(self._forecasts(workload, until)) as rows:
            first = next(rows, None)
            if first is None:
                return {}
            return measure(itertools.chain([first], rows), *_actuals(folder / "series.parquet", until))

    def _forecasts(self, workload: str, until: date) -> Generator[Row]:
        values = {
            "workload": workload,
            "until": until,
            "over": json.dumps({"until": until.isoformat()}),
            "posted": FAMILY,
        }
        with (
            transaction(self._database, what="PostgreSQL", error=MetricsError, statement_seconds=SECONDS) as opened,
            opened.connection.cursor("realised") as streamed,
        ):
            streamed.execute(FORECASTS, values)
            while rows := streamed.fetchmany(AT_ONCE):
                yield from rows


def measure(
    rows: Iterable[Row], actuals: dict[Series, dict[str, float]], scales: dict[Series, float]
) -> dict[Key, Mean]:
    """Return the mean scaled error of the median, and how often each bound held, by release and target; unknown weeks count for nothing."""
    found: dict[Key, Mean] = defaultdict(Mean)
    for release, unique_id, target, weeks in rows:
        happened, scale = actuals.get((unique_id, target), {}), scales.get((unique_id, target), 0.0)
        for week in weeks:
            actual = happened.get(week["week"])
            if actual is None:
                continue
            if scale > 0:
                found[release, target, "error"].add(abs(week["median"] - actual) / scale)
            for level in LEVELS:
                found[release, target, level].add(week[f"lo_{level}"] <= actual <= week[f"hi_{level}"])
    return found


def _actuals(path: Path, until: date) -> tuple[dict[Series, dict[str, float]], dict[Series, float]]:
    """Return each series' weeks up to a day, as evidence counts them, and its mean change from one to the next: the scale of MASE."""
    import duckdb  # noqa: PLC0415, most installations wait weeks for the first join

    with duckdb.connect(config={"threads": 1, "memory_limit": "256MB"}) as opened:
        rows = opened.execute(ACTUALS, {"path": str(path), "until": until}).fetchall()
    counted = whole_counts(np.array([row[3] for row in rows]), np.array([row[4] for row in rows]))
    weeks: dict[Series, dict[str, float]] = defaultdict(dict)
    for (unique_id, target, day, _, _), value in zip(rows, counted.tolist(), strict=True):
        if not math.isnan(value):  # too little was seen of that week
            weeks[unique_id, target][day.isoformat()[:10]] = value
    scales = {}
    for series, values in weeks.items():
        known = list(values.values())
        steps = [abs(after - before) for before, after in itertools.pairwise(known)]
        scales[series] = sum(steps) / len(steps) if steps else 0.0
    return dict(weeks), scales
