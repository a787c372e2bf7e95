"""Airflow's LocalExecutor, with an end: Airflow 3.3's waits for ever for a worker that has missed its word to stop.

A scheduler that has lost its database ends, to be started anew. One that hangs at its end runs nothing and is told by nobody (its
issue 67870; docs/decisions/0001).
"""

import os
import signal
import threading
from contextlib import suppress
from typing import Final

import psutil
from airflow.executors import local_executor

PATIENCE_SECONDS: Final = 10.0
"""A worker that is idle has ended long before."""


class LocalExecutor(local_executor.LocalExecutor):
    """Waits for tasks that run, as Airflow does, and not for workers that have none."""

    def end(self) -> None:
        """Return once no task runs."""
        is_over = threading.Event()
        threading.Thread(target=self._kill_idle, args=(is_over,), daemon=True).start()
        try:
            super().end()
        finally:
            is_over.set()

    def _kill_idle(self, is_over: threading.Event) -> None:
        forked = psutil.Process().cmdline()  # the title of a worker that has not come to give itself one
        while not is_over.wait(PATIENCE_SECONDS):
            for pid in tuple(self.workers):
                with suppress(psutil.Error, ProcessLookupError):
                    title = psutil.Process(pid).cmdline()
                    if title == forked or "<idle>" in " ".join(title):
                        os.kill(pid, signal.SIGKILL)
