"""How a process that we started has ended, in words."""

from signal import SIGKILL, Signals


def ending(what: str, code: int, said: str) -> str:
    """Why it ended with a code that is not 0: what it said, or what ended it before it could say anything."""
    if code >= 0:
        return said or f"{what} ended with {code} and said nothing"
    by = Signals(-code)
    why = ", as a machine that runs out of memory ends one" if by == SIGKILL else ""
    return f"{what} was ended by {by.name}{why}"
