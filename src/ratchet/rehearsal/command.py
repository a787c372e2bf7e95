"""`ratchet rehearse`: from the words of a command line to a report on disk."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from datetime import date
from pathlib import Path

from ratchet import forecasters, workloads
from ratchet.contracts.errors import DataError, RatchetError
from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide.overrides import override
from ratchet.rehearsal import History, Plan, Plant, publish, read_folder, read_gold, rehearse, show_progress, to_text
from ratchet.rehearsal.history import only
from ratchet.settings import Settings
from ratchet.train import code_version
from ratchet.wiring import Wired

YEAR = 52


def run(options: argparse.Namespace, settings: Settings, *, workload: str) -> str:
    """Rehearse and write the report; its text."""
    history = read_folder(Path(options.gold)) if options.gold else read_gold(settings, workload)
    if options.targets:
        history = only(history, options.targets)
    plan = read_plan(options, history, settings, workload=workload)
    begin = time.monotonic()
    sys.stderr.write(f"rehearsing {plan.last - plan.first + 1} weeks of {len(history.names)} series\n")
    folder = Path(options.out) if options.out else settings.home / "rehearsals" / workload
    _look_for_room(folder.resolve())
    try:
        body = rehearse(
            history,
            plan,
            releases=settings.home / "rehearsals" / ".releases" / workload,
            code_version=code_version(),
            say=show_progress,
            processes=options.processes,
        )
        publish(body, folder.resolve())
    except OSError as error:
        raise DataError(f"the rehearsal stopped, and there is no report: {error}") from error
    except BrokenExecutor as error:
        raise DataError(
            "a process that trained was killed: is there memory enough? --processes 1 needs least"
        ) from error
    sys.stderr.write(f"{time.monotonic() - begin:.0f} s; {folder.resolve() / 'report.html'}\n")
    return to_text(body)


def _look_for_room(folder: Path) -> None:
    """Say before an hour's training what would keep its report from being written."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not there.is_dir():
        raise DataError(f"{there} is a file, so there can be no report in {folder}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise DataError(f"{there} may not be written to, so there can be no report in {folder}")


def read_plan(options: argparse.Namespace, history: History, settings: Settings, *, workload: str) -> Plan:
    """What was asked for, checked; a `DataError` says what makes no sense."""
    last = history.place(_day(options.last)) if options.last else len(history.weeks) - 1
    first = history.place(_day(options.first)) if options.first else max(0, last - YEAR + 1)
    if first > last:
        raise DataError(f"--from {options.first} is after the last week, {history.weeks[last]}")
    recipe = options.recipe or workloads.find(workload).families
    if unknown := set(recipe) - set(forecasters.names()):
        raise DataError(f"no family {', '.join(sorted(unknown))}; there are: {', '.join(forecasters.names())}")
    return Plan(
        workload=workload,
        first=first,
        last=last,
        recipe=recipe,
        seed=options.seed,
        policy=read_policy(options.policy, settings, workload=workload),
        plants=read_plants(options.plant, weeks=last - first + 1),
        renew=not options.no_refresh,
    )


def read_plants(words: Sequence[str], *, weeks: int) -> tuple[Plant, ...]:
    """Each bad candidate that is asked for, one a week; a `DataError` where the rehearsal would not meet one of them."""
    plants = {plant.week: plant for plant in map(Plant.parse, words)}
    if late := [week for week in plants if week >= weeks]:  # what is trained in the last week is met by nobody
        raise DataError(
            f"--plant: a rehearsal of {weeks} weeks tries no candidate of week {late[0]}; the last is that of {weeks - 1}"
        )
    if len(plants) < len(words):
        raise DataError("--plant: a week has one candidate, so nothing else can be planted in the same one")
    return tuple(plants.values())


def read_policy(text: str, settings: Settings, *, workload: str) -> EvidencePolicy:
    """The policy that is in force here, with the mode or the parameters that are asked for laid over it as POLICY would be."""
    wired = Wired(settings)
    if not text.lstrip().startswith("{"):
        return wired.policy(workload, mode=text)
    in_force = wired.policy(workload)
    try:
        return override(in_force, text, workload=workload, workloads=frozenset(workloads.names()))
    except RatchetError as error:
        raise DataError(f"--policy: {error}") from error


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise DataError(f"not a day as YYYY-MM-DD: {text!r}") from error
