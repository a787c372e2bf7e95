"""Where raw files are kept, exactly as received: a folder, or a bucket with a folder for its manifests."""

from pathlib import Path
from typing import Protocol

from ratchet.contracts.folders import on_this_machine
from ratchet.ingest.durable import make_folder, sync
from ratchet.ingest.manifest import Landed


class Bronze(Protocol):
    """A place for raw files. A file is in it whole or not at all."""

    @property
    def folder(self) -> Path:
        """Where manifests, locks and arriving files are, one folder per source; raw files too, if they are local."""

    def begin(self, source: str) -> None:
        """Be up to date on what has landed, before anything else is."""

    def keep(self, arriving: Path, source: str, file: str) -> None:
        """Put a complete file in its place; when this returns, no crash can take it away."""

    def finish(self, source: str) -> None:
        """Have what has landed known wherever the files are."""

    def path_for_reading(self, entry: Landed) -> Path:
        """The file on this machine, fetched if need be; its size is checked by whoever reads."""

    def forget_copy(self, entry: Landed) -> None:
        """Remove this machine's copy of a file that is safe elsewhere; nothing if there is no other."""


class FolderBronze:
    """Bronze in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, source: str) -> None:
        """Nothing to do: the manifest is here."""

    def keep(self, arriving: Path, source: str, file: str) -> None:
        """Rename the file into its place."""
        settle(arriving, self.folder / source / file)

    def finish(self, source: str) -> None:
        """Nothing to do: the manifest is here."""

    def path_for_reading(self, entry: Landed) -> Path:
        """The file itself."""
        return self.folder / entry.source / entry.file

    def forget_copy(self, entry: Landed) -> None:
        """Nothing to do: the file is no copy."""


def open_bronze(location: str, *, home: Path, kms_key: str = "") -> Bronze:
    """Return what the setting BRONZE names: a folder, `s3://bucket/prefix` (encrypted by `kms_key`), or, if empty, a folder in the home."""
    if location.startswith("s3://"):
        from ratchet.ingest.bucket import BucketBronze  # noqa: PLC0415  # a folder needs no S3 client

        return BucketBronze(location, folder=home / "bronze", kms_key=kms_key)
    return FolderBronze(on_this_machine(location).resolve() if location else home / "bronze")


def settle(arriving: Path, path: Path) -> None:
    """Rename a complete, synced file into its place and have the disk know."""
    make_folder(path.parent)
    arriving.replace(path)
    sync(path.parent)
