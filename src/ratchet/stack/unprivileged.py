"""How a process that refuses or should not have root runs when the stack itself was started by root."""

import os
import pwd
import shutil
from pathlib import Path

from ratchet.contracts.errors import RatchetError

_USER = "nobody"
_CAPABILITIES = "-all,+dac_override,+dac_read_search"


def wrap(command: list[str]) -> list[str]:
    """The command as an ordinary user: unchanged for a user, as `nobody` for root.

    `nobody` keeps the right to pass closed folders, so that a checkout in root's home works without opening it to others.
    """
    if os.geteuid() != 0:
        return command
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise RatchetError("setpriv is missing (package util-linux): PostgreSQL does not run as root without it")
    entry = pwd.getpwnam(_USER)
    identity = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    return [setpriv, *identity, f"--inh-caps={_CAPABILITIES}", f"--ambient-caps={_CAPABILITIES}", *command]


def hand_over(folder: Path) -> None:
    """Make the folder belong to whoever `wrap` runs a command as."""
    if os.geteuid() == 0:
        entry = pwd.getpwnam(_USER)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
