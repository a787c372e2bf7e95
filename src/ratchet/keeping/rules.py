"""Which releases and which of their issues are needed still, from what is known of them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from ratchet.contracts.ports import GONE, KEPT, Release

GRACE: Final = timedelta(hours=1)
"""Who read of a release or an issue just before it was let go may fetch it still: serving polls every few seconds, looks take minutes."""
PLACED: Final = ("registered", "queued", "trial", "production")
"""States in which something is still to be done with a release."""
WAITING: Final = ("queued", "trial")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """Whether the files of a release stay, and why."""

    release: Release
    stays: bool
    why: str


def decide(
    releases: Sequence[Release],
    *,
    keep: int,
    aliased: frozenset[int],
    needed: Mapping[str, str],
    served: Mapping[str, str],
    now: datetime,
) -> list[Fate]:
    """Say what becomes of each release, oldest first. `needed` and `served` give the reason by release id."""
    newest, reasons = {release.version for release in releases[-keep:]}, {**served, **needed}

    def fate(release: Release) -> Fate:
        if release.files != KEPT:
            return Fate(
                release=release, stays=False, why="was removed" if release.files == GONE else "is being removed"
            )
        holds = [
            (release.version in aliased, "an alias names it"),
            (release.release_id in reasons, reasons.get(release.release_id, "")),
            (release.state in PLACED, f"is {release.state}"),
            (release.version in newest, f"one of the newest {keep}"),
            (release.archived_at is None or now - release.archived_at < GRACE, "archived just now"),
        ]
        why = next((why for holds_it, why in holds if holds_it), "")
        return Fate(release=release, stays=bool(why), why=why or f"{release.state}, older than the newest {keep}")

    return [fate(release) for release in releases]


def first_scored_week(
    releases: Sequence[Release],
    *,
    compared: Iterable[tuple[str, str]],
    gold: datetime,
    drift_weeks: int,
) -> date:
    """The first week that anyone may still measure a forecast of: nothing that forecast it or a later one may go.

    Drift measures the newest weeks of gold, an experiment every week since both its releases were trained, and whatever
    waits for its turn will be compared with production from its own data hour on.
    """
    hours = {release.release_id: release.data_hour or gold for release in releases}
    moments = [gold - timedelta(weeks=drift_weeks)]
    moments += [max(hours.get(side, gold) for side in pair) for pair in compared]
    moments += [release.data_hour or gold for release in releases if release.state in WAITING]
    # A week begins up to six days before the hour that it is asked about.
    return (min(moments) - timedelta(days=7)).date()


def needed_issues(first_weeks: Mapping[int, date], *, newest: int, since: date) -> tuple[int, ...]:
    """Keep the issues that score any week from `since` on, the first one, which is part of the release, and the one that is served.

    Each week is scored by the newest issue that began no later: of several that began with the same week, the last.
    """
    needed = {1, newest}
    last = {week: number for number, week in sorted(first_weeks.items())}
    needed |= {number for week, number in last.items() if week > since}
    before = [number for week, number in last.items() if week <= since]
    needed |= {max(before)} if before else set()
    return tuple(sorted(needed))
