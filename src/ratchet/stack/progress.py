"""What a person sees while the stack works: one line a step, with its time, and a sign of life at least every eight seconds."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_SIGN_OF_LIFE_SECONDS = 8.0


class Progress:
    """Prints steps as they begin and end. The clock starts when it is made."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._lock = threading.Lock()

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show that `what` has begun, that it still goes on, and how long it took."""
        begin = time.monotonic()
        self._say(f"{what} …")
        done = threading.Event()
        threading.Thread(target=self._signs_of_life, args=(what, begin, done), daemon=True).start()
        try:
            yield
        except BaseException:
            done.set()
            self._say(f"{what}: failed after {time.monotonic() - begin:.1f} s")
            raise
        done.set()
        self._say(f"{what}: {time.monotonic() - begin:.1f} s")

    def note(self, text: str) -> None:
        """A line between steps."""
        self._say(text)

    def _signs_of_life(self, what: str, begin: float, done: threading.Event) -> None:
        while not done.wait(_SIGN_OF_LIFE_SECONDS):
            self._say(f"  still: {what} ({time.monotonic() - begin:.0f} s)")

    def _say(self, text: str) -> None:
        with self._lock:
            sys.stdout.write(f"{time.monotonic() - self._start:7.1f} s  {text}\n")
            sys.stdout.flush()
