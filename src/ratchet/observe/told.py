"""What was told of a series' weeks before each of them began, beside what happened: how good forecasts were, without hindsight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any, Final

from ratchet.contracts.errors import MetricsError
from ratchet.contracts.ports import Track
from ratchet.observe.database import transaction

WEEK: Final = timedelta(weeks=1)
# The newest of each day: weeks begin with days. One of few weeks does not stand for one that reaches further, and what somebody posted
# is no forecast of a release.
TOLD: Final = """
SELECT DISTINCT ON ((at AT TIME ZONE 'UTC')::date, jsonb_array_length(weeks)) at, release, weeks
FROM forecast_log
WHERE workload = %(workload)s AND unique_id = %(unique_id)s AND target = %(target)s AND track = %(track)s AND at < %(until)s
  AND weeks IS NOT NULL AND family IS DISTINCT FROM %(posted)s
ORDER BY (at AT TIME ZONE 'UTC')::date DESC, jsonb_array_length(weeks), at DESC
"""

Actuals = Mapping[date, float]
"""What happened, by week, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One answered forecast."""

    at: datetime
    release: str
    weeks: Mapping[date, Mapping[str, Any]]

    @property
    def known(self) -> date:
        """The last week that it could know: the one before its first."""
        return min(self.weeks) - WEEK


@dataclass(frozen=True, slots=True, kw_only=True)
class PastWeek:
    """A week that matured, and the last that was told of it before it began."""

    week: date
    told_at: datetime
    release: str
    weeks_ahead: int
    """How far it was from the last week that the forecast could know; 1: the next one."""
    median: float
    lo_80: float
    hi_80: float
    happened: float
    naive: float | None
    """The guess that nothing changes: the last week that the forecast could know, as it is counted now; None if nobody can say."""

    @property
    def held(self) -> bool:
        """Whether what happened lies within the bounds."""
        return self.lo_80 <= self.happened <= self.hi_80


class PostgresTold:
    """The forecast log, read for what was told of one series. `MetricsError` where the database is away."""

    def __init__(self, database_url: str, *, posted: str) -> None:
        self._transaction = partial(transaction, database_url, what="the forecast log", error=MetricsError)
        self._posted = posted

    def of(self, workload: str, unique_id: str, target: str, *, track: Track, until: datetime) -> list[Told]:
        """What a track answered before a moment, as far as it may be the last word on some week; the newest first."""
        values = {"workload": workload, "unique_id": unique_id, "target": target, "track": track.value, "until": until}
        with self._transaction() as opened:
            opened.execute(TOLD, {**values, "posted": self._posted})
            found = [
                Told(at=at, release=release, weeks={date.fromisoformat(week["week"]): week for week in weeks})
                for at, release, weeks in opened.fetchall()
                if weeks
            ]
        return sorted(found, key=lambda told: told.at, reverse=True)


def begins(week: date) -> datetime:
    """When a week begins that is named by its last day."""
    return datetime.combine(week - WEEK + timedelta(days=1), time(), tzinfo=UTC)


def look_back(told: Sequence[Told], happened: Actuals, weeks: Sequence[date]) -> list[PastWeek]:
    """Put what was told last of each week before it began beside what happened; weeks of which nothing was told are left out.

    `told` is the newest first, and `happened` has more than the weeks that are asked for: what was known before them.
    """
    last = ((week, next((one for one in told if one.at < begins(week) and week in one.weeks), None)) for week in weeks)
    return [_beside(week, one, happened) for week, one in last if one is not None]


def _beside(week: date, told: Told, happened: Actuals) -> PastWeek:
    said = told.weeks[week]
    return PastWeek(
        week=week,
        told_at=told.at,
        release=told.release,
        weeks_ahead=(week - told.known) // WEEK,
        median=float(said["median"]),
        lo_80=float(said["lo_80"]),
        hi_80=float(said["hi_80"]),
        happened=happened[week],
        naive=happened.get(told.known),
    )
