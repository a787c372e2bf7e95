"""The errors that cross a stage's border. Each message says what is wrong and, where it can, what to do."""

from collections.abc import Iterator
from contextlib import contextmanager


class RatchetError(Exception):
    """Base of every error that a caller is expected to handle or show."""


class DataError(RatchetError):
    """Data at rest breaks its contract: a frame's columns, a manifest's checksum, a gold partition that is not there."""


class ReleaseError(RatchetError):
    """A release is refused: a file is missing, its checksum differs, or it cannot answer."""


class UnknownSeriesError(RatchetError):
    """A release holds no forecast for the series that was asked for."""


class NotReadyError(RatchetError):
    """Nothing can be answered yet: no release is loaded."""


class RegistryError(RatchetError):
    """The model registry is away or answered something that makes no sense."""


class MetricsError(RatchetError):
    """The live metrics are away; what they would have said is unknown, never zero."""


class JournalError(RatchetError):
    """The journal is away or refuses a contradiction: what could not be written down must not be acted on."""


class BusyError(JournalError):
    """Another run is at work on the same workload: nothing was done, and trying again later may do it."""


class DamagedError(DataError):
    """What a source gave is no whole file of its kind."""


class SourceError(RatchetError):
    """A source is away or refuses; what has landed stays, and a later run goes on there."""

    def __init__(self, message: str, *, lasting: bool = False, wait_seconds: float = 0) -> None:
        super().__init__(message)
        self.lasting = lasting
        """True: asking again would be answered the same."""
        self.wait_seconds = wait_seconds
        """How long the source itself wants to be left alone."""


class NotThereError(SourceError):
    """The source answers, and does not have what was asked for."""

    def __init__(self, message: str) -> None:
        super().__init__(message, lasting=True)


@contextmanager
def noting(failed: list[str], name: str) -> Iterator[None]:
    """Whatever is wrong with one of many is a line for the end: it keeps no other from its turn."""
    try:
        yield
    except (RatchetError, OSError) as error:
        failed.append(f"{name}: {error}")
