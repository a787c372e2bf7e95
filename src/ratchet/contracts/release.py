"""A release on disk: its layout, its card and how a series is found in it. Written by `train`, read by `serve`.

card.json                       what it is, with a SHA-256 of every other file
scores.json                     each series' family and validation scores
series/keys.npy                 uint64, sorted: one key per series
series/names.npy, names.bin     where each series' name starts, and the names themselves
series/family.npy               uint8: index into the card's families
series/weeks.npy                int32: how many weeks of history each series was trained on
series/levels.npy               float32 [series, 2]: its usual week, and how wrong a naive forecast of it is
evaluation.json                 a few series and figures of its folds, for people to look at (`train.evaluation`)
reference.json                  what it remembers of its data, to tell drift by (`ratchet.reference`)
families/<family>.npy           float32 [series, week]: what each family would have said, for people to compare
posted.json                     how wrong a bare level is, for histories that are posted (`ratchet.posted`)
model.json, models/             what is needed to forecast again from newer weeks (`train.model`)
training.json                   how long its training took, and where it was trained; in no checksum, and it may be missing
forecasts/0001/issue.json       data hour and first week of this issue
forecasts/0001/<statistic>.npy  float32 [series, week], memory-mapped by every worker

Nothing of this ever changes. What is issued later from newer weeks is put beside it, one folder an issue, each with its own checksums:

forecasts/0002/issue.json       as above, and the SHA-256 of the issue's other files
forecasts/0002/<statistic>.npy
forecasts/0002/families/        as above, from the same weeks
forecasts/0002/behind.npy       int32: how many of the newest weeks each series' forecast does not know; only if there is such a series
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from itertools import pairwise
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
EVALUATION = "evaluation.json"
TRAINING = "training.json"
ISSUE = "issue.json"
BEHIND = "behind.npy"
STATISTICS = ("mean", "median", "lo_80", "hi_80", "lo_95", "hi_95")

LAYOUT = 1
"""Raised when what a release holds, or what its answers mean, changes: the major of a release's version changes with it."""

SEPARATOR = "\x1f"
_IF_ANY = frozenset({"trials", "seconds", "options", "explains"})


def issue_folder(number: int) -> str:
    """Where issue `number` of a release lives, relative to the release."""
    return f"forecasts/{number:04d}"


def family_file(family: str, number: int = 1) -> str:
    """Where a release keeps what a family would have said at issue `number`."""
    return f"{issue_folder(number)}/families/{family}.npy" if number > 1 else f"families/{family}.npy"


def is_trained(name: str) -> bool:
    """Whether a file of a release's folder came with its training, and not with a later issue."""
    return not name.startswith("forecasts/") or name.startswith(issue_folder(1))


def issues_in(folder: Path) -> list[int]:
    """The numbers of the issues in a release's folder, oldest first."""
    found = (path.parent.name for path in folder.glob(f"forecasts/*/{ISSUE}"))
    return sorted(int(name) for name in found if name.isdecimal())


def series_name(unique_id: str, target: str) -> str:
    """One string for a series; the separator cannot occur in either part."""
    return f"{unique_id}{SEPARATOR}{target}"


def read_names(folder: Path) -> tuple[str, ...]:
    """The names of a release's series, in the order of its arrays."""
    import numpy as np  # noqa: PLC0415 - every command line reads this module, few read names

    starts = np.load(folder / NAME_OFFSETS, allow_pickle=False).tolist()
    content = (folder / NAMES).read_bytes()
    return tuple(content[start:end].decode() for start, end in pairwise(starts))


def split_name(name: str) -> tuple[str, str]:
    """The `unique_id` and target behind a series' name."""
    unique_id, _, target = name.partition(SEPARATOR)
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
class Issue:
    """When the newest data of an issue is from, and the first week that it forecasts."""

    number: int
    data_hour: datetime
    first_week: date
    horizon: int
    checksums: dict[str, str] = field(default_factory=dict)
    """By file name within the issue; those of the first issue are in the release's card."""

    def to_json(self) -> str:
        """The issue as it is written."""
        known = {"data_hour": self.data_hour.isoformat(), "first_week": self.first_week.isoformat()}
        body = {**known, "horizon": self.horizon, **({"checksums": self.checksums} if self.checksums else {})}
        return json.dumps(body, indent=1, sort_keys=True) + "\n"

    @classmethod
    def read(cls, folder: Path, number: int) -> Self:
        """Read issue `number` in a release's folder; `OSError`, `ValueError`, `KeyError` or `TypeError` if there is no such issue."""
        values: dict[str, Any] = json.loads((folder / issue_folder(number) / ISSUE).read_bytes())
        return cls(
            number=number,
            data_hour=datetime.fromisoformat(values["data_hour"]),
            first_week=date.fromisoformat(values["first_week"]),
            horizon=int(values["horizon"]),
            checksums=dict(values.get("checksums", {})),
        )


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
    """The family whose expected week most of the mean is made of; empty if the mean is the median's own, corrected."""
    layout: int = 1
    """Which form it has and what its answers mean: `LAYOUT` at its training."""
    gold: str = ""
    """The digest of the data that it was trained on."""
    seen: float = 1.0
    """How much of the newest weeks of that data had been seen, of all that there was to see."""
    trials: int = 0
    """How many other settings of its families could be tried,"""
    seconds: float = 0.0
    """and for how long; 0: without a limit."""
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What differs from a family's defaults, by family: settings that turned out better."""
    explains: dict[str, dict[str, float]] = field(default_factory=dict)
    """What families tell of what they learnt, by family and figure: the median over series, such as FARIMA's d and its standard error."""

    @property
    def make(self) -> str:
        """A name for the way in which it was made: the same for releases whose answers mean the same."""
        made = json.dumps([self.layout, sorted(self.recipe), sorted(self.targets), self.horizon])
        return hashlib.blake2b(made.encode(), digest_size=4).hexdigest()

    def to_json(self) -> str:
        """The card as it is written: sorted keys, so that equal cards are equal bytes. Some of it only if there is any."""
        known = {**asdict(self), "data_hour": self.data_hour.isoformat()}
        shown = {name: value for name, value in known.items() if value or name not in _IF_ANY}
        return json.dumps(shown, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The card that `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        values["data_hour"] = datetime.fromisoformat(values["data_hour"])
        values["targets"] = tuple(values["targets"])
        values["recipe"] = tuple(values["recipe"])
        values["ensemble"] = tuple(values.get("ensemble", ()))
        return cls(**values)
