"""What a release holds of single series beyond its forecast: each family's own forecast and its record on held-out weeks."""

import math
from typing import Any

import numpy as np

from inference.tell import find_row
from ratchet.contracts.release import family_file
from ratchet.serve.release import DIGITS, OpenRelease

Row = dict[str, Any]


def tell(opened: OpenRelease, unique_id: str, target: str) -> Row:
    """Return the family that answers, every family's weeks and scores, or raise the problem that the release does not know it."""
    row = find_row(opened, unique_id, target, history_may_be_posted=False)
    said = {name: _weeks(opened, name, row) for name in sorted({*opened.card.families, *opened.card.ensemble})}
    record = opened.scores.of(unique_id, target)
    return {
        opened.card.id_name: unique_id,
        "target": target,
        "family": None if opened.family is None else sorted(opened.card.families)[opened.family[row]],
        "weeks_known": None if opened.history is None else int(opened.history[row]),
        "mase": record.get("mase", {}),
        "scores": record.get("scores", {}),
        "explained": record.get("explained", {}),
        "families": {name: weeks for name, weeks in said.items() if weeks},
    }


def rank(opened: OpenRelease, *, worst: bool, target: str | None, limit: int) -> list[Row]:
    """Return series in the order of their chosen family's MASE; those that could not be validated are left out."""
    return [
        {
            opened.card.id_name: record["unique_id"],
            "target": record["target"],
            "family": record["family"],
            "mase": record["mase"][record["family"]],
        }
        for record in opened.scores.ranked(worst=worst, target=target, limit=limit)
    ]


def _weeks(opened: OpenRelease, family: str, row: int) -> list[Row]:
    path = opened.folder / family_file(family, opened.issue)
    if not path.exists():
        return []
    values = np.load(path, mmap_mode="r", allow_pickle=False)[row]
    return [
        {"week": week, "value": round(float(value), DIGITS)}
        for week, value in zip(opened.weeks, values, strict=False)
        if math.isfinite(value)
    ]
