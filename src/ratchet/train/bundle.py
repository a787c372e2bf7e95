"""Write a release: a whole folder or nothing, and the same bytes for the same content."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.errors import ReleaseError
from ratchet.contracts.release import (
    CARD,
    EVALUATION,
    FAMILY,
    ISSUE,
    KEYS,
    LEVELS,
    NAME_OFFSETS,
    NAMES,
    POSTED,
    REFERENCE,
    SCORES,
    STATISTICS,
    WEEKS,
    Card,
    Issue,
    family_file,
    file_digest,
    issue_folder,
    series_key,
    split_name,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What goes into a release, series by series in one order; `card` still lacks its checksums."""

    card: Card
    names: tuple[str, ...]
    family: NDArray[np.intp]
    """Index into the card's families, in the order of their names."""
    forecasts: dict[str, NDArray[np.float64]]
    first_week: date
    series: list[dict[str, Any]]
    weeks: NDArray[np.intp] | None = None
    """How many weeks of history each series has."""
    by_family: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """What each family would have said, beside the one that was chosen."""
    posted: dict[str, Any] | None = None
    """What `train.unseen` learnt."""
    kept: Mapping[str, bytes] = field(default_factory=dict)
    """What the model keeps to forecast again, by file name."""
    reference: dict[str, Any] | None = None
    """What `train.reference` learnt,"""
    yardsticks: NDArray[np.float64] | None = None
    """and by series: its usual week, and how wrong a naive forecast of it is."""
    evaluation: dict[str, Any] | None = None
    """What `train.evaluation` shows of the folds."""


def find(folder: Path) -> Card | None:
    """Read the card of a release that is there with every file as its checksum says; None otherwise."""
    try:
        card = Card.from_json((folder / CARD).read_bytes())
        sound = bool(card.checksums) and all(
            file_digest(folder / name) == digest for name, digest in card.checksums.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return card if sound else None


@contextmanager
def clear_errors(folder: Path) -> Iterator[None]:
    """Have a full disk, and whatever else keeps a folder from being written, said in one line."""
    try:
        yield
    except OSError as error:
        raise ReleaseError(f"{folder} cannot be written, is the disk full? {error}") from error


def write(content: Content, folder: Path) -> Card:
    """Write the release and return its card with checksums. What was there and does not verify is replaced."""
    with clear_errors(folder):
        return _write(content, folder)


def _write(content: Content, folder: Path) -> Card:
    keys = _keys(content.names)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        draft.chmod(0o755)  # mkdtemp keeps others out; serving may run as another user
        order = np.argsort(keys, kind="stable")
        _write_series(content, draft, keys=keys, order=order)
        _write_issue(content, draft / issue_folder(1), order=order)
        _write_reference(content, draft, order=order)
        (draft / SCORES).write_text(json.dumps(content.series, indent=1, sort_keys=True) + "\n")
        for name, kept in content.kept.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_bytes(kept)
        card = replace(content.card, checksums=checksums(draft))
        (draft / CARD).write_text(card.to_json())
        return _publish(draft, folder, card)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _keys(names: tuple[str, ...]) -> NDArray[np.uint64]:
    keys = np.array([series_key(*split_name(name)) for name in names], dtype=np.uint64)
    unique, counts = np.unique(keys, return_counts=True)
    if (counts > 1).any():
        twins = [name for name, key in zip(names, keys, strict=True) if key in unique[counts > 1]]
        raise ReleaseError(f"series share a key and could not be told apart: {twins}")
    return keys


def _write_series(content: Content, draft: Path, *, keys: NDArray[np.uint64], order: NDArray[np.intp]) -> None:
    encoded = [content.names[row].encode() for row in order]
    (draft / KEYS).parent.mkdir()
    np.save(draft / KEYS, keys[order])
    # One offset more than there are names: name i is names.bin[offsets[i]:offsets[i + 1]].
    np.save(draft / NAME_OFFSETS, np.cumsum([0, *(len(name) for name in encoded)]).astype(np.uint64))
    (draft / NAMES).write_bytes(b"".join(encoded))
    np.save(draft / FAMILY, content.family[order].astype(np.uint8))
    if content.weeks is not None:
        np.save(draft / WEEKS, content.weeks[order].astype(np.int32))
    for family, forecasts in content.by_family.items():
        save(draft / family_file(family), forecasts[order])
    if content.posted is not None:
        (draft / POSTED).write_text(json.dumps(content.posted, indent=1, sort_keys=True) + "\n")


def _write_reference(content: Content, draft: Path, *, order: NDArray[np.intp]) -> None:
    if content.yardsticks is not None:
        np.save(draft / LEVELS, content.yardsticks[order].astype(np.float32))
    if content.reference is not None:
        (draft / REFERENCE).write_text(json.dumps(content.reference, sort_keys=True) + "\n")
    if content.evaluation is not None:
        (draft / EVALUATION).write_text(json.dumps(content.evaluation, sort_keys=True) + "\n")


def _write_issue(content: Content, folder: Path, *, order: NDArray[np.intp]) -> None:
    issue = Issue(
        number=1, data_hour=content.card.data_hour, first_week=content.first_week, horizon=content.card.horizon
    )
    folder.mkdir(parents=True)
    for statistic in STATISTICS:
        save(folder / f"{statistic}.npy", content.forecasts[statistic][order])
    (folder / ISSUE).write_text(issue.to_json())


def save(path: Path, figures: NDArray[np.float64]) -> None:
    """Write figures as workers map them."""
    path.parent.mkdir(exist_ok=True)
    np.save(path, np.ascontiguousarray(figures, dtype=np.float32))


def checksums(draft: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder, by its name there."""
    files = sorted(path for path in draft.rglob("*") if path.is_file())
    return {path.relative_to(draft).as_posix(): file_digest(path) for path in files}


def _publish(draft: Path, folder: Path, card: Card) -> Card:
    try:
        draft.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        if there := find(folder):
            return there  # another process wrote the same release meanwhile
        spoilt = draft.with_name(f"{draft.name}.spoilt")
        folder.rename(spoilt)
        draft.rename(folder)
        shutil.rmtree(spoilt, ignore_errors=True)
    return card
