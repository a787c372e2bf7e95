"""Issue a release again: fresh forecasts from newer weeks, the same model, the next number beside the issues before.

Fresh inputs matter more than fresh weights: a pooled model trained a year and a half ago forecast as well as a new one, and both better
than any on old data. So both tracks of an experiment are issued from the same gold, and differ by model and not by the age of their data.
"""

import itertools
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.contracts.errors import DataError, ReleaseError
from ratchet.contracts.release import (
    CARD,
    FAMILY,
    ISSUE,
    NAME_OFFSETS,
    NAMES,
    STATISTICS,
    Card,
    file_digest,
    issue_folder,
)
from ratchet.train import bundle, model
from ratchet.train.panel import WEEK, Panel, accept

Floats = NDArray[np.float64]


def issue_again(folder: Path, history: pd.DataFrame, *, data_hour: datetime) -> Card:
    """Add the issue as of `data_hour` to a release folder and return its card; nothing is done if that issue is there.

    A series of the release that the new weeks do not hold keeps what was said of its coming weeks before, moved along. The card is
    replaced last and at once: until then the release is what it was. `DataError` if the data hour is older than the newest issue's.
    """
    card = bundle.find(folder)
    if card is None:
        raise ReleaseError(f"{folder} is no whole release")
    number, newest = _newest(folder)
    if data_hour <= datetime.fromisoformat(newest["data_hour"]):
        if data_hour == datetime.fromisoformat(newest["data_hour"]):
            return card
        raise DataError(
            f"{folder.name} was already issued as of {newest['data_hour']}, which is newer than {data_hour}"
        )
    panel, _ = accept(history, targets=card.targets, data_hour=data_hour)
    names = _names(folder)
    forecasts = _forecast(folder, panel, names, horizon=card.horizon)
    first_week = (panel.weeks[-1] + WEEK).date()
    _keep_missing(
        forecasts, folder / issue_folder(number), (first_week - date.fromisoformat(newest["first_week"])).days // 7
    )
    issue = {
        "data_hour": data_hour.astimezone(UTC).isoformat(),
        "first_week": first_week.isoformat(),
        "horizon": card.horizon,
    }
    target = issue_folder(number + 1)
    bundle.write_issue(folder / target, issue, forecasts)
    fresh = {f"{target}/{path.name}": file_digest(path) for path in sorted((folder / target).iterdir())}
    issued = replace(card, checksums=card.checksums | fresh)
    draft = folder / f".{CARD}.new"
    draft.write_text(issued.to_json())
    draft.replace(folder / CARD)
    return issued


def _forecast(folder: Path, panel: Panel, names: tuple[str, ...], *, horizon: int) -> dict[str, Floats]:
    """Every statistic in the release's order of series; NaN where the panel does not hold a series."""
    place = {name: row for row, name in enumerate(names)}
    shown = np.array([row for row, name in enumerate(panel.names) if name in place], dtype=np.intp)
    if not len(shown):
        raise DataError(f"{folder.name}: the new weeks hold none of its series")
    rows = np.array([place[panel.names[row]] for row in shown])
    known = panel.only(shown)
    learned = model.read(folder, np.load(folder / FAMILY)[rows], known)
    said = learned.forecast(known, learned.ask(known, horizon=horizon))
    answer = {statistic: np.full((len(names), horizon), np.nan) for statistic in STATISTICS}
    for statistic, values in answer.items():
        values[rows] = said[statistic]
    return answer


def _keep_missing(forecasts: dict[str, Floats], before: Path, weeks: int) -> None:
    missing = np.isnan(forecasts["median"]).any(axis=1)
    for statistic, values in forecasts.items():
        old = np.load(before / f"{statistic}.npy")
        steps = np.minimum(np.arange(values.shape[1]) + weeks, values.shape[1] - 1)
        values[missing] = old[missing][:, steps]


def _newest(folder: Path) -> tuple[int, dict[str, Any]]:
    # By the card, not by the folder: an issue that was cut short is not in the card and is written again.
    card = Card.from_json((folder / CARD).read_bytes())
    number = max(int(name.split("/")[1]) for name in card.checksums if name.endswith(f"/{ISSUE}"))
    known: dict[str, Any] = json.loads((folder / issue_folder(number) / ISSUE).read_bytes())
    return number, known


def _names(folder: Path) -> tuple[str, ...]:
    content, offsets = (folder / NAMES).read_bytes(), np.load(folder / NAME_OFFSETS).astype(int)
    return tuple(content[start:end].decode() for start, end in itertools.pairwise(offsets))
