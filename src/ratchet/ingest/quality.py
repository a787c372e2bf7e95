"""Whether gold may move: checks of what is about to be published, and the report that says so as JSON and as a page.

A failed hard check keeps the old gold. The others are reported and counted: they say that something changed, which may be the world.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.coverage import COVERAGE, LEAST_SEEN, seen, whole_counts
from ratchet.contracts.errors import DataError
from ratchet.ingest.durable import replace_text
from ratchet.ingest.quality_page import Check, Intake, Report, render

FOLDER: Final = "quality"
FAILURES: Final = "failures.json"
MOST_REJECTED: Final = 0.2
LEAST_JUDGED: Final = 100
OLDEST_HOURS: Final = 26.0
RECENT_WEEKS: Final = 4
REFERENCE_WEEKS: Final = 52
MOST_PSI: Final = 0.25
LEAST_KS_P: Final = 0.001
MOST_ODD_SERIES: Final = 0.1
_SAMPLED_SERIES: Final = 20_000
_BINS: Final = 10

_COLUMNS: Final = "SELECT column_name, column_type FROM (DESCRIBE FROM read_parquet($series))"
_TYPES: Final = {"unique_id": "VARCHAR", "target": "VARCHAR", "ds": "DATE", "y": "DOUBLE"}
_HOLES: Final = """
    SELECT
        count(*) FILTER (unique_id IS NULL OR target IS NULL OR ds IS NULL OR y IS NULL) AS nulls,
        count(*) FILTER (y < 0 OR isinf(y) OR isnan(y)) AS outside,
        count(DISTINCT unique_id) AS ids,
        max(ds) AS last_week
    FROM read_parquet($series)
"""
_TARGETS: Final = "SELECT DISTINCT target FROM read_parquet($series) ORDER BY target"
_WINDOW: Final = """
    SELECT ds, y, coverage FROM series
    WHERE target = $target AND ds > $after AND hash(unique_id) % $every = 0
"""
# The rule of `whole_counts`, for more rows than Python wants to hold.
_ODD: Final = """
    WITH whole AS (
        SELECT
            unique_id, target, ds,
            CASE WHEN coalesce(coverage, 1) >= 1 THEN y WHEN coverage >= $least_seen THEN round_even(y / coverage, 0) END AS y
        FROM series
    ),
    usual AS (
        SELECT unique_id, target, median(y) AS middle, mad(y) AS spread, quantile_cont(y, 0.25) AS q1, quantile_cont(y, 0.75) AS q3
        FROM whole GROUP BY ALL HAVING count(y) >= 8
    )
    SELECT
        count(*) AS judged,
        count(*) FILTER (spread > 0 AND abs(0.6745 * (y - middle) / spread) > 3.5) AS by_z,
        count(*) FILTER (q3 > q1 AND (y > q3 + 1.5 * (q3 - q1) OR y < q1 - 1.5 * (q3 - q1))) AS by_iqr
    FROM whole JOIN usual USING (unique_id, target)
    WHERE ds = $last_week AND y IS NOT NULL
"""


def examine(  # noqa: PLR0913  # what a report is about, by name
    folder: Path,
    *,
    workload: str,
    targets: tuple[str, ...],
    partition: str,
    data_hour: datetime,
    synthetic: bool,
    intake: Intake,
    now: datetime,
) -> Report:
    """Look at the tables in `folder` before they become gold."""
    with duckdb.connect() as connection:
        checks = (
            *_intake(intake),
            *_series(connection, str(folder / "series.parquet"), targets),
            *([] if synthetic else [_freshness(data_hour, now)]),
        )
    return Report(
        workload=workload,
        partition=partition,
        data_hour=data_hour.isoformat(),
        checked_at=now.astimezone(UTC).isoformat(timespec="seconds"),
        synthetic=synthetic,
        checks=checks,
        intake=intake,
    )


def keep(report: Report, root: Path) -> Path:
    """Write the report beside the partitions, as JSON and as a page, and count what failed; the page's path."""
    folder = root / FOLDER
    name = report.partition if report.moves else f"{report.partition}-refused"
    failures = read_failures(folder)
    for check in report.checks:
        failures[check.name] = failures.get(check.name, 0) + (not check.passed)
    replace_text(folder / f"{name}.html", render(report))
    replace_text(folder / f"{name}.json", json.dumps(asdict(report), indent=1, sort_keys=True) + "\n")
    replace_text(folder / "newest.json", json.dumps({"report": name}) + "\n")
    replace_text(folder / FAILURES, json.dumps(failures, indent=1, sort_keys=True) + "\n")
    return folder / f"{name}.html"


def page(root: Path, partition: str) -> Path:
    """Where the page about a published partition lies."""
    return root / FOLDER / f"{partition}.html"


def forget(root: Path, partition: str) -> None:
    """Drop the report of a partition that is gone."""
    for suffix in ("html", "json"):
        (root / FOLDER / f"{partition}.{suffix}").unlink(missing_ok=True)


def read_failures(folder: Path) -> dict[str, int]:
    """How often each check has failed so far."""
    try:
        found: dict[str, int] = json.loads((folder / FAILURES).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def is_judged(intake: Intake) -> bool:
    """Whether so much is new that a share of it means something; what is less is judged with what follows it."""
    return intake.new_records >= LEAST_JUDGED


def require(report: Report) -> None:
    """Raise a `DataError` that names the hard checks which failed."""
    if not report.moves:
        failed = "; ".join(
            f"{check.name}: found {check.found}, wanted {check.wanted}"
            for check in report.checks
            if check.hard and not check.passed
        )
        raise DataError(f"{report.workload}: gold stays as it was, {failed}")


def _told(types: dict[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in types.items())


def _intake(intake: Intake) -> Iterator[Check]:
    known = intake.events + intake.duplicates + intake.rejected
    yield Check(
        name="records_accounted_for",
        hard=True,
        passed=known == intake.records,
        found=f"{intake.events} + {intake.duplicates} + {intake.rejected} = {known}",
        wanted=f"events + duplicates + rejected = {intake.records} records read",
    )
    share = intake.new_rejected / intake.new_records if intake.new_records else 0.0
    yield Check(
        name="rejected_share",
        hard=True,
        passed=share <= MOST_REJECTED or not is_judged(intake),
        found=f"{share:.2%} of {intake.new_records} new records",
        wanted=f"at most {MOST_REJECTED:.0%} rejected",
    )


def _series(connection: duckdb.DuckDBPyConnection, series: str, targets: tuple[str, ...]) -> Iterator[Check]:
    types = dict(connection.execute(_COLUMNS, {"series": series}).fetchall())
    wrong = {name: types.get(name, "missing") for name, wanted in _TYPES.items() if types.get(name) != wanted}
    yield _hard("schema", not wrong, _told(wrong) or "as declared", _told(_TYPES))
    if wrong:
        return
    nulls, outside, ids, last_week = connection.execute(_HOLES, {"series": series}).fetchall()[0]
    yield _hard("nulls", nulls == 0, f"{nulls} rows", "no null in unique_id, target, ds or y")
    yield _hard("ranges", outside == 0, f"{outside} rows", "y finite and at least 0")
    found = [name for (name,) in connection.execute(_TARGETS, {"series": series}).fetchall()]
    yield _hard("targets", set(found) == set(targets), ", ".join(found), ", ".join(sorted(targets)))
    rows = connection.read_parquet(series)
    (rows if COVERAGE in types else rows.project(f"*, 1.0 AS {COVERAGE}")).create_view("series")
    judged, by_z, by_iqr = connection.execute(_ODD, {"last_week": last_week, "least_seen": LEAST_SEEN}).fetchall()[0]
    for name, odd in (("anomalies_robust_z", by_z), ("anomalies_iqr", by_iqr)):
        yield _soft(
            name,
            odd <= MOST_ODD_SERIES * judged or judged < LEAST_JUDGED,
            f"{odd} of {judged} series",
            f"the newest week stands out in at most {MOST_ODD_SERIES:.0%} of the series",
        )
    every = max(1, ids // _SAMPLED_SERIES)
    for target in found:
        after = last_week - timedelta(weeks=RECENT_WEEKS + REFERENCE_WEEKS)
        weeks = connection.execute(_WINDOW, {"target": target, "every": every, "after": after}).df()
        y = whole_counts(weeks["y"].to_numpy(dtype=float), seen(weeks))
        recent = weeks["ds"].to_numpy() > np.datetime64(last_week - timedelta(weeks=RECENT_WEEKS))
        known = ~np.isnan(y)
        yield from _shift(target, reference=y[known & ~recent], recent=y[known & recent])


def _shift(target: str, *, reference: NDArray[Any], recent: NDArray[Any]) -> Iterator[Check]:
    if min(len(reference), len(recent)) < LEAST_JUDGED // 2:
        return
    index = psi(reference, recent)
    yield _soft(f"psi_{target}", index <= MOST_PSI, f"{index:.3f}", f"at most {MOST_PSI} against the reference window")
    distance, p = ks(reference, recent)
    yield _soft(f"ks_{target}", p >= LEAST_KS_P, f"D {distance:.3f}, p {p:.3g}", f"p of at least {LEAST_KS_P}")


def psi(reference: NDArray[Any], recent: NDArray[Any]) -> float:
    """The population stability index over tenths of the reference; half a count is added to each bin."""
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, _BINS + 1)[1:-1]))
    shares = []
    for values in (reference, recent):
        counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1) + 0.5
        shares.append(counts / counts.sum())
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def ks(reference: NDArray[Any], recent: NDArray[Any]) -> tuple[float, float]:
    """The two-sample Kolmogorov-Smirnov distance and its asymptotic p-value (Smirnov 1948)."""
    one, other = np.sort(reference), np.sort(recent)
    both = np.concatenate([one, other])
    apart = np.searchsorted(one, both, side="right") / len(one) - np.searchsorted(other, both, side="right") / len(
        other
    )
    distance = float(np.abs(apart).max())
    size = np.sqrt(len(one) * len(other) / (len(one) + len(other)))
    terms = np.arange(1, 101)
    p = (
        2 * ((-1.0) ** (terms - 1) * np.exp(-2 * (size * distance) ** 2 * terms**2)).sum()
        if size * distance > 0.2
        else 1.0
    )
    return distance, float(min(max(p, 0.0), 1.0))


def _freshness(data_hour: datetime, now: datetime) -> Check:
    age = (now - data_hour) / timedelta(hours=1)
    return _soft(
        "freshness", age <= OLDEST_HOURS, f"{age:.1f} h", f"at most {OLDEST_HOURS:.0f} h since the newest hour ended"
    )


def _hard(name: str, passed: bool, found: str, wanted: str) -> Check:  # noqa: FBT001  # the four parts of every check
    return Check(name=name, hard=True, passed=bool(passed), found=found, wanted=wanted)


def _soft(name: str, passed: bool, found: str, wanted: str) -> Check:  # noqa: FBT001
    return Check(name=name, hard=False, passed=bool(passed), found=found, wanted=wanted)
