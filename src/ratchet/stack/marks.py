"""How a process of the stack is recognised: by two variables in its environment or by the folder it works in, never by its name alone."""

import os
from collections.abc import Sequence
from pathlib import Path

import psutil

HOME_MARK = "RATCHET_STACK"
"""Names the home that a process belongs to."""
SERVICE_MARK = "RATCHET_SERVICE"
"""Names the service that a process belongs to."""
_TITLED = ("nginx", "gunicorn", "airflow")


def processes(home: str, *, service: str | None = None) -> list[psutil.Process]:
    """Every process of a home, or of one of its services; never the caller or those that started it."""
    own = psutil.Process()
    spared = {own.pid, *(parent.pid for parent in own.parents())}
    return [found for found in psutil.process_iter() if found.pid not in spared and _belongs(found, home, service)]


def stop(found: Sequence[psutil.Process], *, patience: float) -> None:
    """Ask them to end, wait, and kill those that have not."""
    for process in found:
        _signal(process, kill=False)
    _, alive = psutil.wait_procs(found, timeout=patience)
    for process in alive:
        _signal(process, kill=True)
    psutil.wait_procs(alive, timeout=5)


def _belongs(process: psutil.Process, home: str, service: str | None) -> bool:
    try:
        values, folder, name = process.environ(), process.cwd(), process.name()
    except (psutil.Error, OSError):
        return False
    if values.get(HOME_MARK) == home:
        return service in (None, values.get(SERVICE_MARK))
    # Some write their titles over their environment; the folder each service works in still tells whose they are.
    return name.startswith(_TITLED) and folder.startswith(f"{home}/run/") and service in (None, Path(folder).name)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.Error:
        return


def own_home() -> str:
    """The home that this process was started for."""
    return os.environ[HOME_MARK]
