"""How much traffic the candidate gets: flag files that nginx looks at for each request, so no reload drops a client."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import RatchetError

SHARES: Final = (0, 5, 10, 20, 50)


class FlagFileSplit:
    """`TrafficSplit` over a folder: one empty file named by the percent; none means 0, and of two the larger counts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def share(self) -> int:
        """Percent of clients assigned to the candidate, as nginx reads it."""
        return max((percent for percent in SHARES if percent and self._flag(percent).is_file()), default=0)

    def set_share(self, percent: int) -> None:
        """Change it: the new flag comes before the old one goes, so no request ever finds none."""
        if percent not in SHARES:
            raise RatchetError(f"the candidate's share can be {', '.join(map(str, SHARES))} percent, not {percent}")
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._one_writer():
            if percent:
                self._flag(percent).touch()
            for other in SHARES:
                if other and other != percent:
                    self._flag(other).unlink(missing_ok=True)

    def _flag(self, percent: int) -> Path:
        return self._folder / str(percent)

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        """Two changes at once would each remove the other's flag."""
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
