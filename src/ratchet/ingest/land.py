"""Source to bronze: each piece once, exactly as received."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import DamagedError, DataError, NotThereError, SourceError
from ratchet.contracts.source import Clock, Piece, Source, Trouble, utc_now
from ratchet.ingest import troubles
from ratchet.ingest.bronze import Bronze, FolderBronze
from ratchet.ingest.durable import exclusive, make_folder
from ratchet.ingest.manifest import Landed, Manifest
from ratchet.ingest.receive import arriving_path, forget, receive

QUARANTINE: Final = "quarantine"
_LOCKS: Final = 64
_SECONDS_AN_HOUR: Final = 3600
_FAILED: Final = "failed"
_GIVE_UP_AFTER_FAILURES: Final = 3
_GIVE_UP_AFTER_MISSING: Final = 48
_FINISH_EVERY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run has come; `pieces` is 0 while the source cannot tell how many there are."""

    done: int
    pieces: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LandReport:
    """What one call of `land` found and did."""

    source: str
    already: int
    landed: int
    bytes: int
    seconds: float
    troubles: tuple[Trouble, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a run goes about it."""

    at_once: int = 4
    """Hours read at the same time, at most."""
    again: bool = False
    """Ask for missing hours too whose turn has not come."""
    now: Clock = utc_now
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] | None = None
    """Waits between tries; None: a wait that ends when the run is stopped."""


def land(
    source: Source,
    *,
    bronze: Bronze | Path,
    progress: Callable[[Progress], None] | None = None,
    pace: Pace | None = None,
) -> LandReport:
    """Bring every piece that the source offers into bronze; killed at any step and run again, it goes on where it was.

    What is missing, damaged or refused is named in the report and tried again by a later run; everything else lands.
    A `SourceError` says that the source as a whole is away; what landed stays.
    """
    place = FolderBronze(bronze) if isinstance(bronze, Path) else bronze
    try:
        return _Landing(source, place, progress or (lambda _: None), pace or Pace()).run()
    except OSError as error:
        raise DataError(f"bronze of {source.name}: {error}; mend it, then land again") from error


class _Landing:
    """One call of `land`."""

    def __init__(self, source: Source, bronze: Bronze, progress: Callable[[Progress], None], pace: Pace) -> None:
        self.source, self.bronze, self.progress, self.pace = source, bronze, progress, pace
        self.folder = bronze.folder / source.name
        self.manifest = Manifest(self.folder)
        self.stopping = threading.Event()
        self.counting = threading.Lock()
        self.done, self.pieces, self.landed, self.bytes, self.heard_bytes = 0, 0, 0, 0, 0
        self.troubles: list[Trouble] = []
        self.failures_in_a_row, self.missing_in_a_row = 0, 0
        self.failed_before: set[str] = set()

    def run(self) -> LandReport:
        started = self.finished = self.pace.clock()
        make_folder(self.folder)
        self.bronze.begin(self.source.name)
        already = len(self.manifest.entries())
        self.failed_before = {name for name, row in troubles.read(self.folder).items() if row.trouble.what == _FAILED}
        alone = nullcontext() if self.source.by_hour else exclusive(self.folder / ".run.lock")
        try:
            with alone:
                if self.source.by_hour:
                    self._land_hours(already)
                else:
                    self._land_in_turn(self.source.offers(self.manifest))
                    met = {trouble.name for trouble in self.troubles}
                    troubles.settle(self.folder, troubles.read(self.folder).keys() - met, at=self.pace.now())
            self._require_an_answer()
        finally:
            if self.landed:
                self.bronze.finish(self.source.name)
        return LandReport(
            source=self.source.name,
            already=already,
            landed=self.landed,
            bytes=self.bytes,
            seconds=self.pace.clock() - started,
            troubles=tuple(self.troubles),
        )

    def _land_in_turn(self, offers: Iterable[Piece | Trouble]) -> None:
        for offer in offers:
            if isinstance(offer, Trouble):
                self._meet(offer)
                self._require_presence(1)
            else:
                result = self._try(offer)
                self._settle(result)
                if isinstance(result, Trouble):  # going on would leave a hole behind the next cursor
                    raise SourceError(
                        f"{self.source.name}: {result.name}: {result.reason}; run it again to go on there"
                    )

    def _land_hours(self, already: int) -> None:
        waiting = list(self._due())
        self.pieces = len(waiting)
        todo = iter(waiting)
        with ThreadPoolExecutor(max_workers=self.pace.at_once, thread_name_prefix="land") as pool:
            under_way: set[Future[Landed | Trouble | None]] = set()
            try:
                while self._fill(pool, todo, under_way):
                    over, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                    for future in over:
                        self._settle(future.result())
                    self._require_presence(already)
            except BaseException:
                self.stopping.set()
                raise

    def _fill(
        self, pool: ThreadPoolExecutor, todo: Iterator[Piece], under_way: set[Future[Landed | Trouble | None]]
    ) -> int:
        while len(under_way) < self.pace.at_once and (piece := next(todo, None)):
            under_way.add(pool.submit(self._try, piece))
        return len(under_way)

    def _due(self) -> Iterator[Piece]:
        known, now = troubles.read(self.folder), self.pace.now()
        landed = self.manifest.hours()
        for offer in self.source.offers(self.manifest):
            if isinstance(offer, Trouble):
                self._meet(offer)
            elif offer.hour not in landed and (
                self.pace.again or troubles.is_due(known.get(_name(offer)), offer.hour, now=now)
            ):
                yield offer

    def _try(self, piece: Piece) -> Landed | Trouble | None:
        """Land the piece; a `Trouble` if its source did not give it whole, None if another process has landed it."""
        try:
            return self._land(piece)
        except NotThereError as error:
            return Trouble(what="missing", name=_name(piece), reason=str(error))
        except DamagedError as error:
            self._quarantine(piece)
            return Trouble(what="damaged", name=_name(piece), reason=str(error))
        except SourceError as error:
            return Trouble(what=_FAILED, name=_name(piece), reason=str(error))
        except OSError as error:
            raise DataError(f"bronze {self.source.name} {piece.file}: {error}; mend it, then land again") from error

    def _land(self, piece: Piece) -> Landed | None:
        stripe = int(piece.hour.timestamp()) // _SECONDS_AN_HOUR % _LOCKS
        with exclusive(self.folder / ".locks" / str(stripe)) if self.source.by_hour else nullcontext():
            if self.source.by_hour and piece.hour in self.manifest.hours():
                return None
            started = self.pace.clock()
            arriving = arriving_path(self.folder, piece)
            make_folder(arriving.parent)
            size, digest = receive(piece, arriving, heard=self._hear, sleep=self.pace.sleep or self._rest)
            self.bronze.keep(arriving, self.source.name, piece.file)
            forget(arriving)
            landed = Landed(
                source=self.source.name,
                hour=piece.hour,
                file=piece.file,
                bytes=size,
                sha256=digest,
                seconds=round(self.pace.clock() - started, 6),
                part=piece.part,
                kept_at=self.pace.now().astimezone(UTC),
                cursor=piece.cursor,
            )
            self.manifest.append(landed)
            return landed

    def _quarantine(self, piece: Piece) -> None:
        """Put what came where a person can look at it; the next damaged one of this name replaces it."""
        arriving, place = arriving_path(self.folder, piece), self.folder / QUARANTINE / piece.file
        make_folder(place.parent)
        arriving.replace(place)
        forget(arriving)

    def _settle(self, result: Landed | Trouble | None) -> None:
        if isinstance(result, Trouble):
            self._meet(result)
        else:
            self.failures_in_a_row = self.missing_in_a_row = 0
        with self.counting:
            self.done += 1
            if isinstance(result, Landed):
                self.landed += 1
                self.bytes += result.bytes
            told = Progress(done=self.done, pieces=self.pieces, bytes=self.heard_bytes)
        self.progress(told)
        if self.pace.clock() - self.finished > _FINISH_EVERY_SECONDS:
            self.bronze.finish(self.source.name)
            self.finished = self.pace.clock()

    def _meet(self, trouble: Trouble) -> None:
        self.troubles.append(trouble)
        troubles.remember(self.folder, trouble, at=self.pace.now())
        if trouble.what != _FAILED:
            self.failures_in_a_row = 0
        elif (
            trouble.name not in self.failed_before
        ):  # what failed last time too would else stand before all that follows it, for ever
            self.failures_in_a_row += 1
        self.missing_in_a_row = self.missing_in_a_row + 1 if trouble.what == "missing" else 0

    def _require_presence(self, already: int) -> None:
        """A `SourceError` if the source as a whole seems to be away: asking on would only take time."""
        if self.failures_in_a_row >= _GIVE_UP_AFTER_FAILURES:
            raise self._away()
        if self.missing_in_a_row >= _GIVE_UP_AFTER_MISSING and not already and not self.landed:
            raise SourceError(
                f"{self.source.name}: none of the first {self.missing_in_a_row} hours is there; is the address right? "
                f"{self.troubles[-1].reason}"
            )

    def _require_an_answer(self) -> None:
        """A `SourceError` if there was none at all, though of nothing that failed it was news."""
        failed = sum(trouble.what == _FAILED for trouble in self.troubles)
        if _GIVE_UP_AFTER_FAILURES <= failed == len(self.troubles) and not self.landed:
            raise self._away()

    def _away(self) -> SourceError:
        told = f"{self.landed} landed in this run and stay; run it again to go on"
        return SourceError(f"{self.source.name} is away: {self.troubles[-1].name}: {self.troubles[-1].reason}; {told}")

    def _rest(self, seconds: float) -> None:
        self.stopping.wait(seconds)

    def _hear(self, size: int) -> None:
        if self.stopping.is_set():
            raise SourceError("stopped", lasting=True)
        with self.counting:
            self.heard_bytes += size
            told = Progress(done=self.done, pieces=self.pieces, bytes=self.heard_bytes)
        self.progress(told)


def _name(piece: Piece) -> str:
    return f"{piece.part} {_hour_name(piece.hour)}".strip()


def _hour_name(hour: datetime) -> str:
    return f"{hour:%Y-%m-%d} hour {hour.hour}"
