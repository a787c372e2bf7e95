"""One `make up` of a home at a time, which ends in order when it is told to; and stopping it with all that it has started."""

import fcntl
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ratchet.contracts.errors import RatchetError
from ratchet.stack.paths import Home
from ratchet.stack.supervised import Supervisor

_TOLD_TO_END: Final = (signal.SIGTERM, signal.SIGHUP)
_LOOK_AGAIN_SECONDS: Final = 0.3


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """Be the only one at work on a home, or a `RatchetError`; one that was killed lets go."""
    with home.turn.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RatchetError("another `make up` is at work on this home; wait for it") from None
        yield


@contextmanager
def told_to_end() -> Iterator[None]:
    """Have a signal to end, or a terminal that is closed, end this as Ctrl-C does; one that is ignored (`nohup`) still is."""
    heard = [number for number in _TOLD_TO_END if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _end) for number in heard}
    try:
        yield
    finally:
        for number, how in before.items():
            signal.signal(number, how)


def stop(home: Home) -> None:
    """Stop everything of a home, and return when no `make up` that was at work can start any of it again."""
    supervisor = Supervisor(home)
    while _is_anyone_at_work(home):
        supervisor.shut_down()
        time.sleep(_LOOK_AGAIN_SECONDS)
    supervisor.shut_down()


def _end(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _is_anyone_at_work(home: Home) -> bool:
    if not home.turn.exists():
        return False
    with home.turn.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
