"""A release on disk: its layout, its card and how a series is found in it. Written by `train`, read by `serve`.

card.json                       what it is, with a SHA-256 of every other file
scores.json                     each series' family and validation scores
series/keys.npy                 uint64, sorted: one key per series
series/names.npy, names.bin     where each series' name starts, and the names themselves
series/family.npy               uint8: index into the card's families
series/weeks.npy                int32: how many weeks of history each series was trained on
series/levels.npy               float32 [series, 2]: its usual week, and how wrong a naive forecast of it is
reference.json                  what it remembers of its data, to tell drift by (`ratchet.reference`)
families/<family>.npy           float32 [series, week]: what each family would have said, for people to compare
posted.json                     how wrong a bare level is, for histories that are posted (`ratchet.posted`)
model.json, models/             what is needed to forecast again from newer weeks (`train.model`)
forecasts/0001/issue.json       data hour and first week of this issue
forecasts/0001/<statistic>.npy  float32 [series, week], memory-mapped by every worker
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

CARD = "card.json"
SCORES = "scores.json"
KEYS = "series/keys.npy"
NAME_OFFSETS = "series/names.npy"
NAMES = "series/names.bin"
FAMILY = "series/family.npy"
WEEKS = "series/weeks.npy"
LEVELS = "series/levels.npy"
POSTED = "posted.json"
REFERENCE = "reference.json"
ISSUE = "issue.json"
STATISTICS = ("mean", "median", "lo_80", "hi_80", "lo_95", "hi_95")

_SEPARATOR = "\x1f"


def issue_folder(number: int) -> str:
    """Where issue `number` of a release lives, relative to the release."""
    return f"forecasts/{number:04d}"


def family_file(family: str) -> str:
    """Where a release keeps what a family would have said."""
    return f"families/{family}.npy"


def series_name(unique_id: str, target: str) -> str:
    """One string for a series; the separator cannot occur in either part."""
    return f"{unique_id}{_SEPARATOR}{target}"


def split_name(name: str) -> tuple[str, str]:
    """The `unique_id` and target behind a series' name."""
    unique_id, _, target = name.partition(_SEPARATOR)
    return unique_id, target


def series_key(unique_id: str, target: str) -> int:
    """The 64-bit key by which a release finds a series: stable across machines and versions."""
    digest = hashlib.blake2b(series_name(unique_id, target).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a release is. `release_id` is its identity; its names `CO{n}` and `BO{m}` are given by the registry."""

    release_id: str
    workload: str
    id_name: str
    targets: tuple[str, ...]
    horizon: int
    data_hour: datetime
    code_version: str
    recipe: tuple[str, ...]
    series: int
    synthetic: bool
    families: dict[str, int] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    coverage: dict[str, float] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    ensemble: tuple[str, ...] = ()
    """The families whose median the family `ensemble` is."""
    expects: str = ""
    """The family whose expected week is half of the mean; empty if the mean is the median's own, corrected."""

    def to_json(self) -> str:
        """The card as it is written: sorted keys, so that equal cards are equal bytes."""
        return json.dumps({**asdict(self), "data_hour": self.data_hour.isoformat()}, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The card that `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        values["data_hour"] = datetime.fromisoformat(values["data_hour"])
        values["targets"] = tuple(values["targets"])
        values["recipe"] = tuple(values["recipe"])
        values["ensemble"] = tuple(values.get("ensemble", ()))
        return cls(**values)
