"""Files of releases taken away from where they lie, a folder or a bucket. A kill at any step leaves what the next call finishes.

In a folder what goes is renamed first, in a bucket the file that vouches for the rest goes first: nobody can copy half of it.
"""

import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from ratchet.bucket import Bucket
from ratchet.contracts.errors import RegistryError
from ratchet.contracts.release import CARD, ISSUE, issue_folder
from ratchet.register.package import FOLDER

GOING: Final = ".going"
DRAFT: Final = ".issue."
LEFT_SECONDS: Final = 86400.0
"""What is so old is written by nobody any more."""


def discard_release(location: str) -> None:
    """Remove a release's folder with all that it issued."""
    _require_release(location)
    if urlsplit(location).scheme == "s3":
        Bucket(location).clear(first=CARD)
        return
    folder = _path(location)
    _remove(folder, folder.with_name(f".{folder.name}{GOING}"))
    for left in folder.parent.glob(f"{DRAFT}*"):
        shutil.rmtree(left)


def discard_issues(location: str, numbers: Iterable[int]) -> None:
    """Remove these issues of a release."""
    _require_release(location)
    for number in numbers:
        if urlsplit(location).scheme == "s3":
            Bucket(f"{location}/{issue_folder(number)}").clear(first=ISSUE)
        else:
            folder = _path(location) / issue_folder(number)
            _remove(folder, _path(location).with_name(f"{DRAFT}{folder.name}{GOING}"))


def discard_drafts(place: Path) -> None:
    """Remove what killed runs left of issues that they were writing beside a release."""
    for draft in place.glob(f"{DRAFT}*"):
        with suppress(FileNotFoundError):  # whoever wrote it has just ended
            if not draft.name.endswith(GOING) and time.time() - draft.stat().st_mtime > LEFT_SECONDS:
                shutil.rmtree(draft)


def stored_issues(location: str) -> list[int]:
    """The numbers of the issues that have any file there, also half a folder that a killed run left."""
    if urlsplit(location).scheme == "s3":
        found = {name.partition("/")[0] for name in Bucket(f"{location}/forecasts").listing()}
    else:
        folder = _path(location)
        found = {path.name for path in (folder / "forecasts").glob("*")}
        left = folder.parent.glob(f"{DRAFT}*{GOING}")
        found |= {path.name.removeprefix(DRAFT).removesuffix(GOING) for path in left}
    return sorted(int(name) for name in found if name.isdecimal())


def read_file(location: str, name: str) -> bytes | None:
    """A small file of a release; None if it is not there."""
    if urlsplit(location).scheme == "s3":
        found = Bucket(location).read(name)
        return found[0] if found else None
    path = _path(location) / name
    return path.read_bytes() if path.is_file() else None


def _remove(folder: Path, going: Path) -> None:
    if going.exists():
        shutil.rmtree(going)
    if folder.exists():
        folder.rename(going)
        shutil.rmtree(going)


def _path(location: str) -> Path:
    return Path(unquote(urlsplit(location).path))


def _require_release(location: str) -> None:
    """Nothing but a release that this registry wrote is ever removed."""
    if urlsplit(location).scheme not in ("file", "s3") or not location.endswith(f"/{FOLDER}"):
        raise RegistryError(f"{location} is no place that releases are kept in: nothing was removed")
