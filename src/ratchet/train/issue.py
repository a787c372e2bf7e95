"""Issue a release again: fresh forecasts from newer weeks, the same model.

Fresh inputs matter more than fresh weights: a pooled model trained a year and a half ago forecast as well as a new one, and both better
than any on old data. So both tracks of an experiment are issued from the same gold, and differ by model and not by the age of their data.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.contracts.errors import DataError, ReleaseError
from ratchet.contracts.release import (
    BEHIND,
    FAMILY,
    ISSUE,
    SEPARATOR,
    STATISTICS,
    Issue,
    family_file,
    file_digest,
    issue_folder,
    read_names,
)
from ratchet.train import bundle, model
from ratchet.train.accepting import accept
from ratchet.train.panel import WEEK, Panel

log = logging.getLogger("ratchet.issuing")

SHOWN: Final = 5
"""Series that a line of the log names."""

Floats = NDArray[np.float64]


def issue_again(folder: Path, history: pd.DataFrame, *, last: int, data_hour: datetime, out: Path) -> Issue:
    """Write what the release in `folder` says as of `data_hour` into the new folder `out`, as the issue after number `last`.

    A series of the release that the new weeks do not hold, or hold in a way that makes no sense, keeps what was said of its coming weeks
    before, moved along, and the issue says how far behind it is. The release's folder is only read.
    `DataError` if the data hour is no newer than the last issue's.
    """
    card = bundle.find(folder)
    if card is None:
        raise ReleaseError(f"{folder} is no whole release")
    before = read_issue(folder, last)
    _require_whole(folder, before)
    if data_hour <= before.data_hour:
        raise DataError(f"{folder.name} was already issued as of {before.data_hour}, no older than {data_hour}")
    panel, rejected = accept(history, targets=card.targets, data_hour=data_hour)
    first_week = (panel.weeks[-1] + WEEK).date()
    moved = (first_week - before.first_week).days // 7
    if moved < 0:
        raise DataError(f"{folder.name} was already issued from the week {before.first_week}, later than {first_week}")
    names = read_names(folder)
    forecasts, by_family = _forecast(folder, panel, names, horizon=card.horizon)
    behind = _keep_missing(forecasts, folder / issue_folder(last), moved)
    _report(folder.name, names, behind, rejected)
    with bundle.clear_errors(out):
        out.mkdir()
        for statistic in STATISTICS:
            bundle.save(out / f"{statistic}.npy", forecasts[statistic])
        if behind.any():
            np.save(out / BEHIND, behind)
        for family, said in by_family.items():
            bundle.save(out / "families" / Path(family_file(family)).name, said)
        issue = Issue(
            number=last + 1,
            data_hour=data_hour.astimezone(UTC),
            first_week=first_week,
            horizon=card.horizon,
            checksums=bundle.checksums(out),
        )
        (out / ISSUE).write_text(issue.to_json())
    return issue


def read_issue(folder: Path, number: int) -> Issue:
    """Read issue `number` of the release in `folder`; `ReleaseError` if it cannot be read."""
    try:
        return Issue.read(folder, number)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"{folder}: issue {number} cannot be read: {error!r}") from error


def _require_whole(folder: Path, issue: Issue) -> None:
    """Pass an issue that is as it was written: a series that the new weeks do not hold goes on with what it says."""
    place = folder / issue_folder(issue.number)
    for name, digest in issue.checksums.items():
        if not (place / name).is_file() or file_digest(place / name) != digest:
            raise ReleaseError(f"{folder}: {name} of issue {issue.number} is not as it was written")


def _forecast(
    folder: Path, panel: Panel, names: tuple[str, ...], *, horizon: int
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Every statistic, and every family, in the release's order of series; NaN where the panel does not hold a series."""
    place = {name: row for row, name in enumerate(names)}
    shown = np.array([row for row, name in enumerate(panel.names) if name in place], dtype=np.intp)
    if not len(shown):
        raise DataError(f"{folder.name}: the new weeks hold none of its series")
    rows = np.array([place[panel.names[row]] for row in shown])
    known = panel.only(shown)
    learned = model.read(folder, np.load(folder / FAMILY)[rows], known)
    said = learned.ask(known, horizon=horizon)

    def all_series(figures: dict[str, Floats]) -> dict[str, Floats]:
        spread = {name: np.full((len(names), horizon), np.nan) for name in figures}
        for name, values in spread.items():
            values[rows] = figures[name]
        return spread

    return all_series(learned.forecast(known, said)), all_series(learned.by_family(said))


def _keep_missing(forecasts: dict[str, Floats], before: Path, weeks: int) -> NDArray[np.int32]:
    """Put what was said before where nothing new is said, and return how many weeks each series is behind."""
    missing = np.isnan(forecasts["median"]).any(axis=1)
    earlier = np.load(before / BEHIND) if (before / BEHIND).exists() else 0
    for statistic, values in forecasts.items():
        old = np.load(before / f"{statistic}.npy")
        steps = np.minimum(np.arange(values.shape[1]) + weeks, values.shape[1] - 1)
        values[missing] = old[missing][:, steps]
    return np.where(missing, earlier + weeks, 0).astype(np.int32)


def _report(release_id: str, names: tuple[str, ...], behind: NDArray[np.int32], rejected: Mapping[str, str]) -> None:
    """Name in the log what no new weeks are known of: answers say so too, and go on."""
    late = [names[row] for row in np.flatnonzero(behind)]
    if late:
        told = [f"{name.replace(SEPARATOR, ' ')}: {rejected.get(name, 'gold has it no more')}" for name in late[:SHOWN]]
        log.warning(
            "%s: no new weeks are known of %d series (%s%s)",
            release_id,
            len(late),
            "; ".join(told),
            "; …" * (len(late) > SHOWN),
        )
