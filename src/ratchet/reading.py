"""Whoever reads what a command says, and may go away before its end, as `head` does once it has its lines."""

import os
import select
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

P = ParamSpec("P")


def while_read(main: Callable[P, int]) -> Callable[P, int]:
    """Have commands end without a word once nobody reads on."""

    @wraps(main)
    def run(*arguments: P.args, **named: P.kwargs) -> int:
        code = 0
        try:
            code = main(*arguments, **named)
            sys.stdout.flush()
        except BrokenPipeError:
            if not _nobody_reads():
                raise  # it was a neighbour who went away
            # What is left to say goes nowhere: at its end the interpreter would try again, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code

    return run


def _nobody_reads() -> bool:
    asked = select.poll()
    asked.register(sys.stdout.fileno(), 0)
    return bool(asked.poll(0))  # nothing but that the other end is closed
