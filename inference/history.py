"""Posted histories: what may be in one, and the year that a forecast is made from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from inference.fields import Count, Day
from inference.problems import BAD_HISTORY, ProblemError
from ratchet.posted import YEAR

MAX_POINTS: Final = 5000
WEEK: Final = timedelta(weeks=1)


class Point(BaseModel):
    """One week of a posted history."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    week: Day
    value: Count


# The first wrong point is enough: a history may be of numbers or of weeks, and each that is wrong would be told as both.
Counts = Annotated[list[Count], Field(min_length=1, max_length=MAX_POINTS, fail_fast=True)]
Points = Annotated[list[Point], Field(min_length=1, max_length=MAX_POINTS, fail_fast=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The last year of a posted history, newest week last and NaN where a week is missing, and the week after it."""

    values: NDArray[np.float64]
    next_week: date

    @property
    def known(self) -> int:
        """How many weeks of the year are known."""
        return int(np.isfinite(self.values).sum())


def lay_out(posted: Sequence[float] | Sequence[Point], *, first_week: date, today: date) -> History:
    """Lay a history out by week, or raise a problem that names what is wrong with it.

    Without dates it ends in the week before the release's first; with dates, wherever its newest week is.
    """
    points = [point for point in posted if isinstance(point, Point)]
    if not points:
        counts = [count for count in posted if not isinstance(count, Point)]
        return History(values=np.array(counts[-YEAR:], dtype=np.float64), next_week=first_week)
    _check(points, weekday=first_week.weekday(), today=today)
    last = max(point.week for point in points)
    oldest = max(min(point.week for point in points), last - (YEAR - 1) * WEEK if last.year > YEAR else date.min)
    values = np.full((last - oldest) // WEEK + 1, np.nan)
    for point in points:
        if point.week >= oldest:
            values[(point.week - oldest) // WEEK] = point.value
    return History(values=values, next_week=last + WEEK)


def _check(points: Sequence[Point], *, weekday: int, today: date) -> None:
    weeks = [point.week for point in points]
    for week in weeks:
        if week.weekday() != weekday:
            raise ProblemError(
                BAD_HISTORY, f"history: {week} is a {week:%A}; weeks are named by their {_name(weekday)}."
            )
    if max(weeks) > today:
        raise ProblemError(BAD_HISTORY, f"history: {max(weeks)} has not happened yet.")
    twice, times = Counter(weeks).most_common(1)[0]
    if times > 1:
        raise ProblemError(BAD_HISTORY, f"history: {twice} is there more than once.")


def _name(weekday: int) -> str:
    return f"{date(2024, 1, 1 + weekday):%A}"  # that year began with a Monday
