"""`ratchet forecast --past`: how good forecasts of one series were, as a table and a line, or for programs."""

import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING

from ratchet.asking import MANY, nearest
from ratchet.contracts.errors import RatchetError
from ratchet.contracts.ports import Track
from ratchet.reading import as_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from ratchet.observe import PastWeek

HEAD = ("week", "answered", "release", "ahead", "median", "lo_80", "hi_80", "happened", "held")


@dataclass(frozen=True, slots=True, kw_only=True)
class LookBack:
    """Weeks of a series that are over, each with what a track answered before it began."""

    unique_id: str
    target: str
    track: Track
    until: date
    """The newest week that has matured."""
    weeks: "Sequence[PastWeek]"
    """At least one, oldest first."""
    without: int
    """Of how many weeks more nothing was answered in time."""

    @property
    def held(self) -> int:
        """How many weeks were within the bounds."""
        return sum(week.held for week in self.weeks)

    @property
    def error(self) -> float:
        """The mean absolute error of the median."""
        return sum(abs(week.median - week.happened) for week in self.weeks) / len(self.weeks)

    @property
    def naive_error(self) -> float | None:
        """That of the guess that nothing changes; None unless it can be said of the same weeks."""
        missed = [abs(week.naive - week.happened) for week in self.weeks if week.naive is not None]
        return sum(missed) / len(missed) if len(missed) == len(self.weeks) else None

    def as_text(self) -> str:
        """Return a line per week, and under them one that says how good that was."""
        head = f"{self.unique_id} {self.target}, {self.track}, weeks that matured up to {self.until}; times in UTC"
        return "\n".join([head, as_table([HEAD, *map(_row, self.weeks)]), self._summary()])

    def as_json(self) -> str:
        """Return the same for programs, in one line."""
        told = {
            "unique_id": self.unique_id,
            "target": self.target,
            "track": self.track,
            "weeks": [asdict(week) | {"held": week.held} for week in self.weeks],
            "held": self.held,
            "mean_absolute_error": self.error,
            "naive_mean_absolute_error": self.naive_error,
            "weeks_without_forecast": self.without,
        }
        return json.dumps(told, default=lambda moment: moment.isoformat(), ensure_ascii=False)

    def _summary(self) -> str:
        line = f"{self.held} of {_weeks(len(self.weeks))} held (bounds of 80 % are meant to in 8 of 10)"
        line += f"; mean absolute error {self.error:.1f}"
        if self.naive_error is not None:
            line += f", of the naive guess (the last week known then) {self.naive_error:.1f}"
        return line + (f"; {_weeks(self.without)} without a forecast from before" if self.without else "")


def look_back(workload: str, unique_id: str, target: str, *, track: Track, weeks: int) -> LookBack:
    """Put the newest weeks of a series that have matured beside what was answered of each before it began.

    A `RatchetError` that says why if there is nothing to compare.
    """
    from ratchet import observe  # noqa: PLC0415 - coming weeks need none of it
    from ratchet.loop import Loop  # noqa: PLC0415 - see above
    from ratchet.posted import FAMILY  # noqa: PLC0415 - see above

    loop = Loop()
    happened = _happened(loop.actuals(workload), unique_id, target)
    newest = list(happened)[-weeks:]
    log = observe.PostgresTold(loop.settings.database, posted=FAMILY)
    told = log.of(workload, unique_id, target, track=track, until=observe.begins(newest[-1]))
    found = observe.look_back(told, happened, newest)
    if not found:
        raise RatchetError(
            f"nothing to compare: of {unique_id!r}, {target}, {track} was asked for none of the {_weeks(len(newest))} that matured"
            f" up to {newest[-1]} before it began, or the log has it no more"
        )
    return LookBack(
        unique_id=unique_id,
        target=target,
        track=track,
        until=newest[-1],
        weeks=found,
        without=len(newest) - len(found),
    )


def _happened(frame: "pd.DataFrame", unique_id: str, target: str) -> dict[date, float]:
    """What happened in each week of a series, oldest first; a `RatchetError` that names others if none has matured."""
    of_target = frame[frame["target"] == target]
    mine = of_target[of_target["unique_id"] == unique_id].sort_values("ds")
    if mine.empty:
        names = sorted(of_target["unique_id"].unique())[:MANY]
        inside = [name for name in names if unique_id.lower() in name.lower()]
        others = nearest(unique_id, names, inside) if names else "nor of any other series"
        raise RatchetError(f"gold has no week of {unique_id!r}, {target}, that has matured; {others}")
    return dict(zip(mine["ds"].dt.date, mine["y"].astype(float), strict=True))


def _row(week: "PastWeek") -> tuple[str, ...]:
    figures = (f"{figure:.1f}" for figure in (week.median, week.lo_80, week.hi_80, week.happened))
    told = (str(week.week), f"{week.told_at:%Y-%m-%d %H:%M}", week.release, _weeks(week.weeks_ahead))
    return (*told, *figures, "yes" if week.held else "no")


def _weeks(number: int) -> str:
    return f"{number} week{'' if number == 1 else 's'}"
