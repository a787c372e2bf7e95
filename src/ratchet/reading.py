"""Whoever reads what a command says: in lines and columns; and they may go away before its end, as `head` does once it has its lines."""

import errno
import io
import os
import select
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Final, ParamSpec

P = ParamSpec("P")
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def while_read(main: Callable[P, int]) -> Callable[P, int]:
    """Have commands end without a word once nobody reads on, and with one line where what they say finds no room."""

    @wraps(main)
    def run(*arguments: P.args, **named: P.kwargs) -> int:
        _open_ends()
        code = 0
        try:
            code = main(*arguments, **named)
            sys.stdout.flush()
        except OSError as problem:
            if problem.errno in _NO_ROOM:
                sys.stderr.write(f"ratchet: what it says cannot be written: {problem.strerror}\n")
                code = 1
            elif not isinstance(problem, BrokenPipeError) or not _nobody_reads():
                raise  # it was a neighbour who went away
            # What is left to say goes nowhere: at its end the interpreter would try again, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code

    return run


def as_table(rows: Sequence[Sequence[str]]) -> str:
    """Put rows, the first of them a heading, into columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(padded)


def as_lines(told: Mapping[str, Any]) -> str:
    """Put what became of something into lines, a name and what it is in each; lists with commas, truth as yes or no."""
    return "\n".join(f"{name}: {_shown(value)}" for name, value in told.items())


def _shown(value: object) -> object:
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value in (None, "") else value


def _open_ends() -> None:
    """Who closed an end, as `>&-` does, wants to hear nothing from it; one that lacks a letter is told its number."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _nobody_reads() -> bool:
    asked = select.poll()
    asked.register(sys.stdout.fileno(), 0)
    return bool(asked.poll(0))  # nothing but that the other end is closed
