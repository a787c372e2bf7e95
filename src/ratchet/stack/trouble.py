"""What ended a command of `ratchet`, in the one line that a person is told."""

import errno
from typing import Final

from pydantic import ValidationError

from ratchet.contracts.errors import RatchetError
from ratchet.settings import Settings, complaint
from ratchet.stack.paths import Home

_OF_THE_DISK: Final = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
"""What a person mends by rights or space: its name says all that a traceback would."""


def in_a_line(problem: BaseException) -> str:
    """What ended a command, as a person is told; empty for what only a traceback explains."""
    if isinstance(problem, ValidationError):
        return complaint(problem)
    if isinstance(problem, RatchetError):
        return f"{problem}{_because_stopped() if ' is away' in str(problem) else ''}"
    if isinstance(problem, ModuleNotFoundError):
        needed = str(problem.name).partition(".")[0]
        return f"this needs {needed}, which is not installed here: a container has what its own service needs"
    if isinstance(problem, KeyboardInterrupt):
        return "interrupted"
    if isinstance(problem, OSError) and (isinstance(problem.filename, str) or problem.errno in _OF_THE_DISK):
        return f"{problem.filename or 'the disk'}: {problem.strerror}"
    return ""


def _because_stopped() -> str:
    """Who is away because `make down` stopped all of it is no riddle."""
    home = Home(Settings().home)
    if not home.environment.exists():
        return ""
    from ratchet.stack.supervised import Supervisor  # noqa: PLC0415  # a container has no supervisor

    return "" if Supervisor(home).is_running() else "; Ratchet is stopped. `make up` starts it."
