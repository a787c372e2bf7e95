"""One line on a terminal that is drawn again and again, and nothing of it where nobody watches."""

import threading
import time
from collections.abc import Callable
from typing import Any, Final, Self

DRAW_EVERY_SECONDS: Final = 0.2
WIDTH: Final = 24
CLEAR: Final = "\r\x1b[K"


class Bar:
    """The line; from any thread."""

    def __init__(self, stream: Any, clock: Callable[[], float] = time.monotonic) -> None:  # noqa: ANN401  # anything with write and isatty
        self._stream, self._clock = stream, clock
        self._guard = threading.Lock()
        self._start = clock()
        self._drawn = float("-inf")
        self.is_shown = bool(stream.isatty())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_shown and self._drawn > float("-inf"):
            self._stream.write("\n")

    def draw(self, line: Callable[[float], str], *, is_last: bool) -> None:
        """Draw what `line` says after so many seconds; five times a second at most, and at the end in any case."""
        if not self.is_shown:
            return
        with self._guard:
            now = self._clock()
            if now - self._drawn < DRAW_EVERY_SECONDS and not is_last:
                return
            self._drawn = now
            self._stream.write(f"{CLEAR}{line(now - self._start)}")
            self._stream.flush()

    def say(self, line: str) -> None:
        """Write a line that stays; the next drawing is below it, and counts its seconds from now."""
        with self._guard:
            self._stream.write(f"{CLEAR}{line}\n")
            self._stream.flush()
            self._start, self._drawn = self._clock(), float("-inf")


def fill(done: int, of: int) -> str:
    """Show how much of it is done."""
    filled = WIDTH * done // of
    return f"[{'█' * filled}{'·' * (WIDTH - filled)}] {done}/{of}"


def seconds_left(done: int, of: int, seconds: float) -> str:
    """Say how long the rest takes if it goes on like this; nothing before anything is done."""
    return f", {seconds / done * (of - done):.0f} s left" if done else ""
