"""What two releases expect of the coming weeks, beside what came lately: a faulty one shows before anybody has met it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.look import Level
from ratchet.contracts.release import series_key
from ratchet.observe.issued import SERIES, Actual, Issued

Floats = NDArray[np.float64]

COMING: Final = 8
"""So many weeks, of those that the newest issues of both forecast,"""
LATELY: Final = 13
"""beside so many that came last."""


def compare_levels(production: Issued, candidate: Issued, actuals: Iterable[Actual]) -> tuple[Level, ...]:
    """What both expect, by target, of series that both know; nothing where they forecast no week in common."""
    keys = np.intersect1d(production.keys, candidate.keys)[:SERIES]
    first = max(release.issues[-1].first_week for release in (production, candidate))
    coming = [release.coming(keys, first)[:, :COMING] for release in (production, candidate)]
    weeks = min(said.shape[1] for said in coming)
    if not weeks:
        return ()
    old, new = (said[:, :weeks].mean(axis=1) for said in coming)
    return tuple(
        Level(target=target, production=relative(old[rows], came), candidate=relative(new[rows], came))
        for target, rows, came in _by_target(actuals, {key: row for row, key in enumerate(keys.tolist())})
    )


def relative(expected: Floats, came: Floats) -> float:
    """How many times as much is expected as came, in the middle of all series; nothing of nothing is as much."""
    size = np.abs(expected) + np.abs(came)
    lean = float(np.median(np.divide(expected - came, size, out=np.zeros_like(size), where=size > 0)))
    return (1 + lean) / (1 - lean) if lean < 1 else float("inf")


def _by_target(actuals: Iterable[Actual], rows: Mapping[int, int]) -> list[tuple[str, list[int], Floats]]:
    """Each target's series, and what came of them in the last weeks that are known: medians, as the forecasts are."""
    weeks: defaultdict[str, defaultdict[int, list[tuple[object, float]]]] = defaultdict(lambda: defaultdict(list))
    for unique_id, target, week, y in actuals:
        row = rows.get(series_key(unique_id, target))
        if row is not None:
            weeks[target][row].append((week, y))
    return [
        (
            target,
            list(series),
            np.array([np.median([y for _, y in sorted(came)[-LATELY:]]) for came in series.values()]),
        )
        for target, series in sorted(weeks.items())
    ]
