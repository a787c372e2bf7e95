"""What a release is now and what it is called: its lifecycle and its version, from aliases, states and order alone. Pure.

Nothing here counts: whoever computes it, and however often, gets the same answer. So nothing can be counted twice or lost.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from ratchet.contracts.errors import RegistryError
from ratchet.contracts.ports import KEPT, Release, Track

TRAINED: Final = "trained"
CANDIDATE: Final = "candidate"
PRODUCTION: Final = "production"
ARCHIVED: Final = "archived"

WAITING: Final = ("queued", "trial")


def lifecycle(release: Release, aliases: Mapping[str, int]) -> str:
    """Follow the aliases; a release without one is in waiting, not placed yet, or archived."""
    if aliases.get(Track.PRODUCTION.value) == release.version:
        return PRODUCTION
    if aliases.get(Track.CANDIDATE.value) == release.version or release.state in WAITING:
        return CANDIDATE
    return TRAINED if release.state == "registered" else ARCHIVED


def lines(makes: Sequence[str]) -> list[str]:
    """Give each release, oldest first and told by how it was made, its `major.minor`.

    A way of making releases gets the next major when it is first seen, and keeps it; the minor counts the releases made so.
    """
    majors: dict[str, int] = {}
    counts: dict[str, int] = {}
    given = []
    for make in makes:
        majors.setdefault(make, len(majors) + 1)
        counts[make] = counts.get(make, -1) + 1
        given.append(f"{majors[make]}.{counts[make]}")
    return given


def require_files(release: Release) -> None:
    """Pass a release that can be served."""
    if release.files != KEPT:
        raise RegistryError(
            f"the files of {release.release_id} were removed (RELEASES_KEEP): it cannot be served; train another"
        )
