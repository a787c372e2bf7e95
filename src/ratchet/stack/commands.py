"""The shell commands about the stack: up, status, logs, restart, down, clean."""

import os
import shutil
import sys
from collections.abc import Callable

from ratchet.contracts.errors import RatchetError
from ratchet.settings import Settings
from ratchet.stack import preflight, secrets, table, turn
from ratchet.stack.paths import Home
from ratchet.stack.services import Stack
from ratchet.stack.supervised import Supervisor


def status(settings: Settings) -> int:
    """Print what runs; 0 if all of it does, 3 if nothing or only a part does."""
    home = Home(settings.home)
    supervisor = Supervisor(home)
    if not supervisor.is_running():
        left = len(supervisor.leftovers())
        print(
            f"The supervisor was killed and left {left} process{'es' * (left > 1)} without it. `make up` starts anew, `make down` ends it."
            if left
            else "Ratchet is stopped. `make up` starts it."
        )
        return 3
    table.status(_stack(home, settings), supervisor)
    return 0 if all(state.state == "RUNNING" for state in supervisor.states()) else 3


def logs(settings: Settings, service: str, *, follow: bool = False) -> None:
    """Show a person a service's newest log lines and what comes; anything else that reads gets all there is, and what comes to `follow`."""
    folder = Home(settings.home).logs
    path = folder / f"{service}.log"
    if not path.exists():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.log")))
        there = f"make logs S=… with one of: {known}" if known else "nothing has been logged yet, `make up` starts all"
        raise RatchetError(f"there is no log of {service}: {there}" if service else f"whose log? {there}")
    watched = sys.stdout.isatty()
    how = ["-n", "40" if watched else "+1", *(["-F"] if watched or follow else [])]
    os.execvp("tail", ["tail", *how, str(path)])  # noqa: S606  # becomes tail


def restart(settings: Settings, service: str) -> None:
    """Restart one service."""
    supervisor = Supervisor(Home(settings.home))
    if not supervisor.is_running():
        raise RatchetError("Ratchet is stopped. `make up` starts it.")
    names = [state.name for state in supervisor.states()]
    if service not in names:
        what = f"there is no service {service}" if service else "which service?"
        raise RatchetError(f"{what}: make restart S=… with one of: {', '.join(names)}".replace("?:", "?"))
    supervisor.restart(service)
    print(f"{service} was restarted")


def down(settings: Settings) -> None:
    """Stop everything of this home; all data stays."""
    turn.stop(Home(settings.home))
    print("Ratchet is stopped; its data stays. `make up` goes on from here, `make clean` forgets.")


def clean(settings: Settings, *, yes: bool, ask: Callable[[str], str] = input) -> None:
    """Stop and delete all local state, after asking."""
    home = Home(settings.home)
    if not home.folder.exists():
        print("There is nothing to forget.")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise RatchetError("make clean asks before it deletes; where nobody can answer, say `ratchet clean --yes`")
        if ask(
            f"Delete {home.folder}: every release, log, database and key of this loop? [y/N] "
        ).strip().lower() not in ("y", "yes"):
            print("Nothing was deleted.")
            return
    if not (home.run.is_dir() and home.logs.is_dir()):
        raise RatchetError(f"{home.folder} does not look like Ratchet's own folder; nothing was deleted")
    if held := preflight.folder(home.folder):
        raise RatchetError("\n".join(held))
    turn.stop(home)
    shutil.rmtree(home.folder)
    print(f"{home.folder} is gone.")


def _stack(home: Home, settings: Settings) -> Stack:
    return Stack(settings=settings, secrets=secrets.load(home.secrets), home=home)
