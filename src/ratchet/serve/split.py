"""How much traffic the candidate's track gets: flag files that nginx looks at for each request, so no reload drops a client."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import RatchetError

SHARES: Final = (0, 5, 10, 20, 50)
SALT_BITS: Final = (1, 2, 4, 8)
SALTS: Final = 16


class FlagFileSplit:
    """`TrafficSplit` over a folder: an empty file named by the percent (none: 0; of two the larger counts), and four for the salt."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def share(self) -> int:
        """Percent of clients assigned to the candidate's track, as nginx reads it."""
        return max((percent for percent in SHARES if percent and self._flag(percent).is_file()), default=0)

    def salt(self) -> int:
        """Which of sixteen splits is in force."""
        return sum(bit for bit in SALT_BITS if self._bit(bit).is_file())

    def set_share(self, percent: int, *, salt: int | None = None) -> None:
        """Change it: the new flag comes before the old one goes, so no request ever finds none.

        Another salt picks other people: it changes while nobody is on the candidate's track.
        """
        if percent not in SHARES:
            raise RatchetError(f"the candidate's share can be {', '.join(map(str, SHARES))} percent, not {percent}")
        if salt is not None and not 0 <= salt < SALTS:
            raise RatchetError(f"there are {SALTS} splits, from 0 on: {salt} is none")
        self._bit(1).parent.mkdir(parents=True, exist_ok=True)
        with self._one_writer():
            if salt is not None and salt != self.salt():
                self._set_flag(0)
                for bit in SALT_BITS:
                    self._bit(bit).touch() if salt & bit else self._bit(bit).unlink(missing_ok=True)
            self._set_flag(percent)

    def _set_flag(self, percent: int) -> None:
        if percent:
            self._flag(percent).touch()
        for other in SHARES:
            if other and other != percent:
                self._flag(other).unlink(missing_ok=True)

    def _flag(self, percent: int) -> Path:
        return self._folder / str(percent)

    def _bit(self, bit: int) -> Path:
        return self._folder / "salt" / str(bit)

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        """Two changes at once would each remove the other's flag."""
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
