"""Which release answers now, and the thread that follows the registry without a request noticing."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import RatchetError, RegistryError, ReleaseError
from ratchet.contracts.ports import LiveReleases, Release, Track
from ratchet.serve.cache import ReleaseCache
from ratchet.serve.release import OpenRelease, open_release

logger = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS: Final = 300.0
DOUBLINGS: Final = 9
"""Of the wait for a release that is refused: more of them change nothing, and a thousand are no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """An open release under the name it has on this track. A request takes it once and keeps it to its end."""

    release: Release
    name: str
    opened: OpenRelease


class ReleaseSlot:
    """What one workload's track serves: read by every request, replaced in one assignment by the refresher."""

    def __init__(self, workload: str, track: Track) -> None:
        self.workload = workload
        self.track = track
        self.current: Serving | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A release that could not go live, how often it was tried and when it may be tried again."""

    release: Release
    tries: int
    retry_at: float


class Refresher:
    """Keeps slots equal to the registry: follows a moved alias, refuses what is broken, survives every neighbour."""

    def __init__(  # noqa: PLR0913  # three neighbours and three that are told
        self,
        slots: Iterable[ReleaseSlot],
        *,
        live: LiveReleases,
        cache: ReleaseCache,
        on_load: Callable[[Serving, Track], None],
        on_refuse: Callable[[Release, Track], None],
        on_empty: Callable[[str, Track], None] = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slots = tuple(slots)
        self._live = live
        self._cache = cache
        self._on_load = on_load
        self._on_refuse = on_refuse
        self._on_empty = on_empty
        self._clock = clock
        self._refused: dict[str, Refusal] = {}
        self._registry_away = False
        self._unnoted: set[str] = set()

    def restore(self) -> None:
        """Load what was last good from the cache: all that a start needs when the registry is away."""
        for slot in self._slots:
            release = self._cache.last_good(slot.workload, slot.track)
            if release is not None and self._cache.folder_of(release).is_dir():
                self._try_load(slot, release)

    def run(self, stop: threading.Event, *, poll_seconds: float) -> None:
        """Refresh every slot until told to stop; nothing that happens inside ends the thread."""
        while not stop.is_set():
            for slot in self._slots:
                try:
                    self.refresh(slot)
                except Exception:
                    logger.exception("refreshing %s failed; what is loaded stays", slot.workload)
            stop.wait(poll_seconds)

    def refresh(self, slot: ReleaseSlot) -> None:
        """Look once: load what is behind the alias now, empty the slot if there is none, else change nothing."""
        try:
            release = self._live.live(slot.workload, slot.track)
        except RegistryError as error:
            self._note_registry(error)
            return
        self._note_registry(None)
        if release is None:
            self._empty(slot)
        elif slot.current is None or slot.current.release != release:
            self._follow(slot, release)
        else:
            self._note(slot, release)

    def _note_registry(self, error: RegistryError | None) -> None:
        if (error is not None) != self._registry_away:
            self._registry_away = error is not None
            logger.warning("the registry %s", f"is away, serving goes on: {error}" if error else "is back")

    def _empty(self, slot: ReleaseSlot) -> None:
        if slot.current is not None:
            logger.warning("no release is behind %s@%s any more", slot.workload, slot.track)
        slot.current = None
        self._on_empty(slot.workload, slot.track)
        self._refused.pop(slot.workload, None)
        self._note(slot, None)

    def _follow(self, slot: ReleaseSlot, release: Release) -> None:
        refusal = self._refused.get(slot.workload)
        if refusal and refusal.release == release and self._clock() < refusal.retry_at:
            return
        if self._try_load(slot, release):
            self._refused.pop(slot.workload, None)
            self._note(slot, release)
            self._cache.prune(now=time.time())

    def _note(self, slot: ReleaseSlot, release: Release | None) -> None:
        """Note what a start is to go on with; what the disk does not take now is noted at a later look."""
        try:
            self._cache.note_good(slot.workload, slot.track, release)
            self._unnoted.discard(slot.workload)
        except OSError as error:
            if slot.workload not in self._unnoted:
                logger.error("%s@%s cannot be noted for the next start: %s", slot.workload, slot.track, error)  # noqa: TRY400
            self._unnoted.add(slot.workload)

    def _try_load(self, slot: ReleaseSlot, release: Release) -> bool:
        try:
            opened = self._open(slot, release)
        except (RatchetError, OSError) as error:
            self._refuse(slot, release, error)
            return False
        serving = Serving(release=release, name=release.name_on(slot.track), opened=opened)
        self._on_load(serving, slot.track)
        slot.current = serving
        logger.info(
            "%s@%s serves %s (%s, issue %d)", slot.workload, slot.track, serving.name, release.release_id, release.issue
        )
        return True

    def _open(self, slot: ReleaseSlot, release: Release) -> OpenRelease:
        current = slot.current
        if current is not None and _identity(current.release) == _identity(release):
            return current.opened  # only its name or its state changed
        folder = self._cache.fetch(release)
        try:
            return _checked(folder, release)
        except ReleaseError:
            self._cache.drop(release)  # the copy may be what is broken; next time it is fetched afresh
            raise

    def _refuse(self, slot: ReleaseSlot, release: Release, error: Exception) -> None:
        last = self._refused.get(slot.workload)
        tries = last.tries + 1 if last and last.release == release else 1
        retry_at = self._clock() + min(2.0 ** min(tries, DOUBLINGS), LONGEST_WAIT_SECONDS)
        self._refused[slot.workload] = Refusal(release=release, tries=tries, retry_at=retry_at)
        logger.error("%s@%s refuses %s: %s", slot.workload, slot.track, release.release_id, error)
        self._on_refuse(release, slot.track)


def _checked(folder: Path, release: Release) -> OpenRelease:
    try:
        opened = open_release(folder, verify=True, issue=release.issue)
        opened.smoke()
    except RatchetError:
        raise
    except Exception as error:  # whatever it is made of, it is no release
        raise ReleaseError(f"{folder}: cannot be opened: {error!r}") from error
    if (opened.card.workload, opened.card.release_id) != (release.workload, release.release_id):
        raise ReleaseError(f"{opened.folder}: the card is of {opened.card.workload} {opened.card.release_id}")
    return opened


def _identity(release: Release) -> tuple[str, int]:
    return release.release_id, release.issue
