"""The loop on its own history, before anyone trusts it: week by week through the real stages, with the clock as an argument.

history ──► releases (real `train`, what was known each week) ──► renewals (issued again each week)
        ──► replay (people, hourly looks by the real `decide.step`) ──► report
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ratchet.contracts.errors import DataError
from ratchet.rehearsal.history import History, read_folder, read_gold
from ratchet.rehearsal.page import render
from ratchet.rehearsal.plan import Bad, People, Plan, Plant
from ratchet.rehearsal.releases import train_all
from ratchet.rehearsal.renewals import renew_all
from ratchet.rehearsal.replay import Replay
from ratchet.rehearsal.report import summarise, to_json, to_text

__all__ = ["Bad", "History", "People", "Plan", "Plant", "publish", "read_folder", "read_gold", "rehearse", "to_text"]

Say = Callable[[str, int, int], None]
"""What is done, how often so far, and of how many."""

LEAST_HISTORY = 12
"""Weeks before the first one that is lived through."""


def rehearse(
    history: History, plan: Plan, *, releases: Path, code_version: str, say: Say, processes: int | None = None
) -> dict[str, Any]:
    """Train what a plan needs (releases that are in `releases` already are used again), live through it, and report."""
    if plan.first < LEAST_HISTORY or plan.last < plan.first or plan.last >= len(history.weeks):
        raise DataError(
            f"a rehearsal needs {LEAST_HISTORY} weeks of history before it, and weeks that there are: "
            f"weeks {plan.first} to {plan.last} of {len(history.weeks)} were asked for"
        )
    late = [item for item in plan.plants if item.week > plan.last - plan.first]
    if late:
        raise DataError(f"nothing is trained in week {late[0].week} of {plan.last - plan.first + 1}: plant earlier")
    issued = train_all(
        history, plan, folder=releases, code_version=code_version, say=partial(say, "trained"), processes=processes
    )
    if plan.renew:
        issued = renew_all(history, issued, folder=releases, say=partial(say, "issued again"), processes=processes)
    return summarise(history, plan, Replay(history, plan, issued).run())


def publish(body: dict[str, Any], folder: Path) -> None:
    """Write `report.json`, `report.md` and `report.html`: all of them or none. Whatever else is in the folder stays."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".report.", dir=folder))
    try:
        for name, text in (("report.json", to_json(body)), ("report.md", to_text(body)), ("report.html", render(body))):
            (draft / name).write_text(text, encoding="utf-8")
        for written in draft.iterdir():
            written.replace(folder / written.name)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def show_progress(what: str, done: int, of: int) -> None:
    """A bar on the terminal, or a line for each tenth where there is none."""
    if sys.stderr.isatty():
        filled = 30 * done // of
        sys.stderr.write(
            f"\r  {what:12} {'█' * filled}{'░' * (30 - filled)} {done} of {of}{chr(10) if done == of else ''}"
        )
    elif done == of or done % max(1, of // 10) == 0:
        sys.stderr.write(f"  {what} {done} of {of}\n")
    sys.stderr.flush()
