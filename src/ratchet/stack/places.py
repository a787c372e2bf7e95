"""What `ratchet doctor` finds at the places where releases, bronze, gold and silver are kept."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ratchet.contracts.errors import RatchetError
from ratchet.contracts.folders import on_this_machine
from ratchet.settings import Settings


def artifacts(settings: Settings) -> str:
    """Look at the place of releases, which MLflow must understand too."""
    address = urlsplit(settings.artifact_root)
    if address.scheme == "s3":
        return _bucket(settings.artifact_root, settings)
    if address.scheme != "file":
        raise RatchetError(f"ARTIFACTS is {settings.artifact_root}: write file:///folder or s3://bucket/prefix")
    return _folder(Path(unquote(address.path)), "releases")


def bronze(settings: Settings) -> str:
    """Look at the place of raw files."""
    return _place(settings, settings.bronze_root, "BRONZE")


def gold(settings: Settings) -> str:
    """Look at the place where gold is put for other machines."""
    return _place(settings, settings.gold, "GOLD") if settings.gold else "on this machine only"


def silver(settings: Settings) -> str:
    """Look at the place where silver is kept for other engines."""
    return _place(settings, settings.silver, "SILVER") if settings.silver else "in the warehouse only"


def _place(settings: Settings, location: str, name: str) -> str:
    if location.startswith("s3://"):
        return _bucket(location, settings)
    if "://" in location:
        raise RatchetError(f"{name} is {location}: write a folder or s3://bucket/prefix")
    return _folder(on_this_machine(location).resolve(), name.lower())


def _bucket(location: str, settings: Settings) -> str:
    from ratchet.bucket import Bucket  # noqa: PLC0415  # only who keeps something in S3 needs its client

    try:
        Bucket(location, kms_key=settings.artifacts_kms_key).probe()
    except OSError as error:
        raise RatchetError(
            f"{error}; look at the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID or a role), AWS_DEFAULT_REGION and the bucket's policy"
        ) from error
    return f"{location}: written, read and deleted"


def _folder(folder: Path, what: str) -> str:
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise RatchetError(f"{existing} cannot be written: {what} would not be kept")
    return f"the folder {folder}"
