"""Other processes of this machine, which work on what this one holds.

Each begins with this file and with nothing that its parent was started with: under Airflow that is Airflow itself, which no task may start
again, and which `multiprocessing` would. Where it dies, whoever waits for it is told; `multiprocessing` waits for ever for one that dies
before it has read all that it was given.
"""

import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Final, TypeVar, cast

import cloudpickle

from ratchet.contracts.errors import RatchetError

Answer = TypeVar("Answer")

_COMMAND: Final = (sys.executable, "-P", "-c", f"from {__name__} import work_for_parent; work_for_parent()")
_STDERR: Final = 2


class Colleague:
    """A process that holds a thing, and answers questions about it until this one leaves it or ends, however that is."""

    def __init__(self, held: bytes) -> None:
        """Start it; `held` is the thing, pickled."""
        path = os.pathsep.join(folder for folder in sys.path if folder)
        self._line, theirs = Pipe()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [*_COMMAND, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=_STDERR,
                    env={**os.environ, "PYTHONPATH": path},
                )
            except OSError as error:
                raise RatchetError(
                    f"no other process can be started to share the work of this training: {error}"
                ) from error
        self._to_hand_over: bytes | None = held

    def ask(self, question: Callable[[Any], Answer]) -> Answer:
        """Have it call this with the thing that it holds. What it raises is raised here; `RatchetError` if it was killed."""
        try:
            if self._to_hand_over is not None:
                self._line.send_bytes(self._to_hand_over)
                self._to_hand_over = None
            self._line.send_bytes(cloudpickle.dumps(question))
            well, answer = cloudpickle.loads(self._line.recv_bytes())
        except (OSError, EOFError) as error:
            raise RatchetError("a process of this training was killed, perhaps for want of memory") from error
        if not well:
            raise answer
        return cast("Answer", answer)

    def leave(self) -> None:
        """End it, whatever it is at."""
        self._process.kill()
        self._process.wait()


def ask_each(
    held: object, questions: Sequence[Callable[[Any], Answer]], *, processes: int
) -> Iterator[tuple[int, Answer]]:
    """Share questions about a thing out to so many processes: each one's number with its answer, as they come.

    None is left where one of them fails or is killed, which is raised, or where nobody reads on.
    """
    dumped, colleagues, free = cloudpickle.dumps(held), list[Colleague](), SimpleQueue[Colleague]()

    def ask(question: Callable[[Any], Answer]) -> Answer:
        one = free.get()
        try:
            return one.ask(question)
        finally:
            free.put(one)

    pool = ThreadPoolExecutor(processes)
    try:
        for _ in range(processes):
            colleagues.append(Colleague(dumped))
            free.put(colleagues[-1])
        places = {pool.submit(ask, question): number for number, question in enumerate(questions)}
        for future in as_completed(list(places)):
            yield places.pop(future), future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for colleague in colleagues:
            colleague.leave()


def work_for_parent() -> None:
    """Answer one question after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and says when to end
    line = Connection(int(sys.argv[1]))
    said: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(line, said), daemon=True).start()
    held = cloudpickle.loads(said.get())
    while True:
        line.send_bytes(_answer(held, said.get()))


def _listen(line: Connection, said: "SimpleQueue[bytes]") -> None:
    """Read ahead, so as to notice at once that nobody waits any more: to end then is all that is left to do."""
    with suppress(EOFError, OSError):
        while True:
            said.put(line.recv_bytes())
    os._exit(1)


def _answer(held: object, question: bytes) -> bytes:
    try:
        return _dumps(well=True, answer=cloudpickle.loads(question)(held))
    except Exception as error:  # noqa: BLE001, whoever asked is to know
        error.add_note(f"In another process of this training:\n{traceback.format_exc()}")
        try:
            dumped = _dumps(well=False, answer=error)
            cloudpickle.loads(dumped)
        except Exception:  # noqa: BLE001, some cannot be sent, or not be read again
            return _dumps(well=False, answer=RatchetError(f"{error!r}\n{''.join(error.__notes__)}"))
        return dumped


def _dumps(*, well: bool, answer: object) -> bytes:
    return cast("bytes", cloudpickle.dumps((well, answer)))
