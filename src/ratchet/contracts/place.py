"""Where files are kept for others to reach: a folder or a bucket, told apart by nobody who uses one."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A file as its place knows it."""

    bytes: int
    tag: str
    """Never the same for other content."""
    at: datetime


class ChangedError(OSError):
    """Somebody else has written the file meanwhile."""


class Place(Protocol):
    """Somewhere for files. Each is there whole or not at all; failures are `OSError`, with the file's address and the reason."""

    @property
    def location(self) -> str:
        """How people write it: `s3://bucket/prefix`, or a folder."""

    def under(self, name: str) -> Self:
        """A place within this one."""

    def listing(self) -> dict[str, Kept]:
        """Every file, by its name relative to here."""

    def put(self, path: Path, name: str) -> Kept:
        """Have a copy of this file there, in place of what was; when this returns, no crash can take it away."""

    def fetch(self, name: str, path: Path) -> None:
        """Bring a file here."""

    def read(self, name: str) -> tuple[bytes, str] | None:
        """A small file and its tag; None if there is none."""

    def replace(self, name: str, content: bytes, *, known: str) -> str:
        """Write a small file unless it is no longer the one of this tag (empty: none), which is a `ChangedError`. The new tag."""

    def delete(self, name: str) -> None:
        """Have a file gone, whether it was there or not."""
