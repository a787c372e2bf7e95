"""Releases on this machine, so that serving starts and goes on when the registry and the artifact store are away."""

import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter

from ratchet.contracts.errors import ReleaseError
from ratchet.contracts.ports import KEPT, Release, Track
from ratchet.contracts.release import CARD, ISSUE, file_digest, is_trained, issue_folder, issues_in
from ratchet.serve.release import is_whole

logger = logging.getLogger(__name__)

NOTE: Final = TypeAdapter(Release)
UNUSED_SECONDS: Final = 3600.0
SAFE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class ReleaseCache:
    """Whole releases under `releases/<release_id>`; per track a note of the last good one. Shared by all workers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._looked_at: set[Release] = set()

    def folder_of(self, release: Release) -> Path:
        """Where a release is kept, whether it is there or not."""
        if not SAFE_NAME.fullmatch(release.release_id):
            raise ReleaseError(f"{release.release_id!r} cannot name a folder")
        return self._folder / "releases" / release.release_id

    def fetch(self, release: Release) -> Path:
        """Return the release's folder, copied here unless it is, with what it issued since: each whole or not there, however many ask."""
        folder = self.folder_of(release)
        if not folder.is_dir():
            if release.files != KEPT:
                raise ReleaseError(f"the files of {release.release_id} were removed (RELEASES_KEEP); train another")
            folder.parent.mkdir(parents=True, exist_ok=True)
            self._copy(release.location, folder, last=CARD, wanted=is_trained)
        with suppress(OSError):  # another user's copy, or a read-only one: nobody here prunes that
            os.utime(folder)  # `prune` goes by it
        for number in release.issues:
            issue = issue_folder(number)
            if number > 1 and not (folder / issue).is_dir():
                self._copy(f"{release.location}/{issue}", folder / issue, last=ISSUE, wanted=lambda _: True)
        return folder

    def fetch_whole(self, release: Release) -> Path:
        """Do what `fetch` does, for a reader that compares no checksums: what is damaged of the copy is copied anew.

        A copy is looked at once by a process. `ReleaseError` where it is damaged and the store has no better one, or is away.
        """
        folder = self.fetch(release)
        if release in self._looked_at:
            return folder
        if not is_whole(folder):
            logger.warning("the copy %s is damaged; it is fetched anew", folder)
            self._copy(release.location, folder, last=CARD, wanted=is_trained, instead_if=is_whole)
            self.fetch(release)
        for issue in map(issue_folder, filter(lambda number: number > 1, release.issues)):
            if not _is_whole_issue(folder / issue):
                logger.warning("the copy %s is damaged; it is fetched anew", folder / issue)
                source = f"{release.location}/{issue}"
                self._copy(source, folder / issue, last=ISSUE, wanted=lambda _: True, instead_if=_is_whole_issue)
        self._looked_at.add(release)
        return folder

    def _copy(
        self,
        location: str,
        folder: Path,
        *,
        last: str,
        wanted: Callable[[str], bool],
        instead_if: Callable[[Path], bool] | None = None,
    ) -> None:
        """Put a copy where none is; or in place of the one that is there, if the new one is good."""
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=self._folder / "releases") as draft:
            whole = Path(draft) / "whole"
            _bring(location, whole, last=last, wanted=wanted)
            if instead_if is not None:
                if not instead_if(whole):
                    raise ReleaseError(f"{folder} is damaged, and so is what {location} holds")
                _remove(folder)
            _publish(whole, folder)

    def drop(self, release: Release) -> None:
        """Forget what is broken of a copy, so that the next `fetch` copies it afresh. Who has it open keeps it.

        Of a release that is whole only the issue is broken: with the store away, the issues before it are all that there is to go on with.
        """
        folder = self.folder_of(release)
        _remove(folder / issue_folder(release.issue) if release.issue > 1 and is_whole(folder) else folder)

    def prune(self, *, now: float) -> None:
        """Remove what no track has noted and nobody fetched within the last hour: old releases, left-over drafts."""
        noted = (_read(note) for track in Track for note in (self._folder / track.value).glob("*.json"))
        kept = {release.release_id for release in noted if release is not None}
        for folder in (self._folder / "releases").glob("*"):
            with suppress(FileNotFoundError):  # another worker was faster
                if folder.name not in kept and folder.stat().st_ctime < now - UNUSED_SECONDS:
                    _remove(folder)

    def last_good(self, workload: str, track: Track) -> Release | None:
        """Return the release that was noted for this track; None if there is no note that makes sense."""
        return _read(self._note(workload, track))

    def note_good(self, workload: str, track: Track, release: Release | None) -> None:
        """Note what to start with next time, and let go of issues that it replaces; None takes the note away."""
        path = self._note(workload, track)
        if release is None:
            path.unlink(missing_ok=True)
        elif release != self.last_good(workload, track):
            write_whole(path, NOTE.dump_json(release, indent=1) + b"\n")
            folder = self.folder_of(release)
            for number in issues_in(folder):
                if number < release.issue and number not in release.issues:
                    _remove(folder / issue_folder(number))

    def _note(self, workload: str, track: Track) -> Path:
        return self._folder / track.value / f"{workload}.json"


def _read(note: Path) -> Release | None:
    """What is noted; None where that makes no sense: nothing is started from such a note either."""
    try:
        return NOTE.validate_json(note.read_bytes())
    except (OSError, ValueError):
        return None


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file that only its owner may read: readers see all of the old or all of the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _bring(location: str, target: Path, *, last: str, wanted: Callable[[str], bool]) -> None:
    """Copy a release or an issue from where its location says; `ReleaseError` if that is no place to copy from, or away."""
    address = urlsplit(location)
    if address.scheme not in {"file", "s3"}:
        raise ReleaseError(f"{location}: serving can fetch file:// and s3:// locations, not {address.scheme or 'this'}")
    try:
        if address.scheme == "file":
            source = Path(unquote(address.path))

            def unwanted(folder: str, names: list[str]) -> list[str]:
                place = Path(folder).relative_to(source)
                return [name for name in names if not wanted((place / name).as_posix())]

            shutil.copytree(source, target, ignore=unwanted)
            if not (target / last).is_file():
                raise FileNotFoundError(f"{last} is not there: this was never written to its end")
        else:
            from ratchet.bucket import Bucket  # noqa: PLC0415  # where releases lie in a folder, nobody pays for an S3 client

            Bucket(location).download(target, last=last, wanted=wanted)
    except (OSError, shutil.Error) as error:
        raise ReleaseError(f"{location}: cannot be copied: {error}") from error


def _publish(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError as error:
        if not folder.is_dir():
            raise ReleaseError(f"{folder}: cannot be put in place: {error}") from error
        # Another worker was faster; both copies are of the same immutable release.


def _is_whole_issue(place: Path) -> bool:
    """Tell whether a copy of an issue has all that was issued, as it was written."""
    try:
        checksums: dict[str, str] = json.loads((place / ISSUE).read_bytes()).get("checksums", {})
        return all(file_digest(place / name) == digest for name, digest in checksums.items())
    except (OSError, ValueError, AttributeError):
        return False


def _remove(folder: Path) -> None:
    """Take a folder away in one step; only then delete what was in it."""
    doomed = folder.with_name(f".{folder.name.lstrip('.')}.{os.getpid()}.doomed")
    try:
        folder.rename(doomed)
    except OSError:
        return  # another worker did it
    shutil.rmtree(doomed, ignore_errors=True)
