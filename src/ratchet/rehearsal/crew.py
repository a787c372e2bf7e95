"""Weeks do not need each other, so they share the cores: a task each, in processes that die with whoever asked."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

Task = TypeVar("Task")
Say = Callable[[int, int], None]


def share(work: Callable[[Task], str], tasks: Sequence[Task], *, say: Say, processes: int | None = None) -> list[str]:
    """What the work answered to each task, in the order of the tasks."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = processes or min(len(tasks), cores)
    if count <= 1:
        done = []
        for number, task in enumerate(tasks, 1):
            done.append(work(task))
            say(number, len(tasks))
        return done
    pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"), initializer=_ignore_interrupts)
    try:
        running = {pool.submit(work, task): place for place, task in enumerate(tasks)}
        answers = [""] * len(tasks)
        for number, future in enumerate(as_completed(running), 1):
            answers[running[future]] = future.result()
            say(number, len(tasks))
    except BaseException:
        # Nothing is left running behind somebody who has had enough.
        for process in (getattr(pool, "_processes", None) or {}).values():
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()
    return answers


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
