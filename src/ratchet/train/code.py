"""Which code trained a release, and with which libraries."""

import hashlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

LIBRARIES: Final = ("numpy", "scipy", "lightgbm", "statsforecast", "coreforecast", "prophet", "cmdstanpy")
"""Whose arithmetic families are made of."""


def code_version() -> str:
    """The version of the code that shapes a release: its number and a digest of the sources that train it."""
    digest = hashlib.blake2b(digest_size=4)
    here = Path(__file__).parents[1]
    alone = [here / name for name in ("blocks.py", "scores.py", "posted.py", "recent.py", "reference.py")]
    for path in sorted([*here.glob("forecasters/*.py"), *here.glob("train/*.py"), *alone]):
        digest.update(path.read_bytes())
    return f"{version('ratchet')}+{digest.hexdigest()}"


def versions(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of those libraries that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
