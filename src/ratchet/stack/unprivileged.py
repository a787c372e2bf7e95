"""How a process that refuses or should not have root runs when the stack itself was started by root."""

import os
import pwd
import shutil
from pathlib import Path

from ratchet.contracts.errors import RatchetError

_USER = "nobody"
_NEEDED = (1 << 1) | (1 << 8)  # CAP_DAC_OVERRIDE, and CAP_SETPCAP to hand it on: linux/capability.h
# Without the secure bit, access(2) ignores the right for a user other than root, and PostgreSQL would not find its own programs.
_PASS_CLOSED_FOLDERS = [
    "--securebits=+no_setuid_fixup",
    "--inh-caps=-all,+dac_override",
    "--ambient-caps=-all,+dac_override",
]


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
    rights = _PASS_CLOSED_FOLDERS if _may_pass_closed_folders() else ["--inh-caps=-all"]
    return [setpriv, *identity, *rights, *command]


def _may_pass_closed_folders() -> bool:
    """Whether this root has the right itself, and may hand it on: in a container it may not."""
    lines = Path("/proc/self/status").read_text().splitlines()
    effective = next(line.split()[1] for line in lines if line.startswith("CapEff:"))
    return int(effective, 16) & _NEEDED == _NEEDED


def hand_over(folder: Path) -> None:
    """Make the folder, and all that is in it, belong to whoever `wrap` runs a command as."""
    if os.geteuid() != 0:
        return
    entry = pwd.getpwnam(_USER)
    if folder.stat().st_uid != entry.pw_uid:
        for path in (*folder.rglob("*"), folder):  # last of all itself: a kill on the way leaves all to do again
            os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
