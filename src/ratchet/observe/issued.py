"""Truth, paired: what two releases forecast for the same series and week, and what really happened.

A release keeps the forecasts that it issued. Each week is scored by the newest issue that began no later than it: its data ended before.
Weeks before a release's first issue, on which it was trained and selected, are in none of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.errors import MetricsError
from ratchet.contracts.look import PairedLoss, WeekOfLosses
from ratchet.contracts.release import KEYS, Issue, issue_folder, issues_in, series_key, series_name

SERIES: Final = 1000
"""At most so many series are compared, chosen by their keys and so always the same: what bounds the error is the number of weeks."""
SCORED: Final = "median"
"""The loss is the absolute error, which the median minimises."""

Actual = tuple[str, str, date, float]
"""unique_id, target, week, what really happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedAt:
    """One issue of a release: what it knew, the first week that it forecasts, and a forecast per series and week."""

    data_hour: datetime
    first_week: date
    forecasts: NDArray[np.float32]

    def column(self, week: date) -> int | None:
        """Where a week is; None if this issue does not forecast it."""
        number, rest = divmod((week - self.first_week).days, 7)
        return number if rest == 0 and 0 <= number < self.forecasts.shape[1] else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """All that a release has issued."""

    keys: NDArray[np.uint64]
    issues: tuple[IssuedAt, ...]
    """Oldest first."""

    @property
    def first_week(self) -> date:
        """The first week that it ever forecast."""
        return min(issue.first_week for issue in self.issues)

    def before(self, week: date) -> tuple[IssuedAt, int] | None:
        """The newest issue that forecast a week without having seen it, and where in it the week is; None if none did."""
        for issue in reversed(self.issues):
            column = issue.column(week)
            if column is not None:
                return issue, column
        return None

    def forecasts(self, keys: NDArray[np.uint64], week: date) -> NDArray[np.float64] | None:
        """What it said of these series for a week, by the newest issue that could; None if none could."""
        found = self.before(week)
        if found is None:
            return None
        issue, column = found
        said: NDArray[np.float64] = issue.forecasts[np.searchsorted(self.keys, keys), column].astype(np.float64)
        return said

    def coming(self, keys: NDArray[np.uint64], first: date) -> NDArray[np.float64]:
        """What the newest issue says of these series for each week from `first` on, which it may not reach."""
        issue = self.issues[-1]
        begin = max((first - issue.first_week).days // 7, 0)
        said: NDArray[np.float64] = issue.forecasts[np.searchsorted(self.keys, keys), begin:].astype(np.float64)
        return said


def read_issued(folder: Path) -> Issued:
    """Map what the release in this folder has issued; `MetricsError` where it cannot be read."""
    try:
        keys = np.load(folder / KEYS, mmap_mode="r", allow_pickle=False)
        issues = tuple(_read_issue(folder, number) for number in issues_in(folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MetricsError(f"{folder}: what it issued cannot be read: {error!r}") from error
    if not issues:
        raise MetricsError(f"{folder}: no issue in it")
    return Issued(keys=keys, issues=issues)


def pair_weeks(
    production: Issued,
    candidate: Issued,
    actuals: Iterable[Actual],
    *,
    seen: frozenset[str],
    asked: Mapping[tuple[str, str], int],
) -> tuple[WeekOfLosses, ...]:
    """Every matured week that no look has held, oldest first; empty where nothing matured that both had forecast."""
    keys = np.intersect1d(production.keys, candidate.keys)[:SERIES]
    chosen, first = set(keys.tolist()), max(production.first_week, candidate.first_week)
    by_week: dict[date, dict[int, tuple[str, str, float]]] = {}
    for unique_id, target, week, y in actuals:
        if week < first or beginning(week).isoformat() in seen:
            continue
        key = series_key(unique_id, target)
        if key in chosen:
            by_week.setdefault(week, {})[key] = (unique_id, target, y)
    weeks = (_score(production, candidate, week, found, asked) for week, found in sorted(by_week.items()))
    return tuple(week for week in weeks if week is not None)


def beginning(week: date) -> datetime:
    """A week's name as a moment."""
    return datetime(week.year, week.month, week.day, tzinfo=UTC)


def _score(
    production: Issued,
    candidate: Issued,
    week: date,
    actuals: Mapping[int, tuple[str, str, float]],
    asked: Mapping[tuple[str, str], int],
) -> WeekOfLosses | None:
    keys = np.array(sorted(actuals), dtype=np.uint64)
    said = [release.forecasts(keys, week) for release in (production, candidate)]
    if said[0] is None or said[1] is None:
        return None
    losses = []
    for key, old, new in zip(keys.tolist(), said[0].tolist(), said[1].tolist(), strict=True):
        unique_id, target, y = actuals[key]
        losses.append(
            PairedLoss(
                series=series_name(unique_id, target).replace("\x1f", " "),
                production=abs(old - y),
                candidate=abs(new - y),
                asked=float(asked.get((unique_id, target), 0)),
            )
        )
    return WeekOfLosses(week=beginning(week), losses=tuple(losses))


def _read_issue(folder: Path, number: int) -> IssuedAt:
    issue = Issue.read(folder, number)
    forecasts = np.load(folder / issue_folder(number) / f"{SCORED}.npy", mmap_mode="r", allow_pickle=False)
    return IssuedAt(data_hour=issue.data_hour, first_week=issue.first_week, forecasts=forecasts)
