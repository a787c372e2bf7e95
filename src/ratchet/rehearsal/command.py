"""`ratchet rehearse`: from the words of a command line to a report on disk."""

import argparse
import json
import sys
import time
from concurrent.futures import BrokenExecutor
from datetime import date
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ratchet import forecasters, workloads
from ratchet.contracts.errors import DataError
from ratchet.contracts.policy import EvidencePolicy, Mode
from ratchet.rehearsal import History, Plan, Plant, publish, read_folder, read_gold, rehearse, show_progress, to_text
from ratchet.rehearsal.history import only
from ratchet.settings import Settings
from ratchet.train import code_version

YEAR = 52


def run(options: argparse.Namespace, settings: Settings, *, workload: str) -> str:
    """Rehearse and write the report; its text."""
    history = read_folder(Path(options.gold)) if options.gold else read_gold(settings, workload)
    if options.targets:
        history = only(history, tuple(options.targets.split(",")))
    plan = read_plan(options, history, workload=workload)
    begin = time.monotonic()
    sys.stderr.write(f"rehearsing {plan.last - plan.first + 1} weeks of {len(history.names)} series\n")
    folder = Path(options.out) if options.out else settings.home / "rehearsals" / workload
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


def read_plan(options: argparse.Namespace, history: History, *, workload: str) -> Plan:
    """What was asked for, checked; a `DataError` says what makes no sense."""
    last = history.place(_day(options.last)) if options.last else len(history.weeks) - 1
    first = history.place(_day(options.first)) if options.first else max(0, last - YEAR + 1)
    recipe = tuple(name for name in options.recipe.split(",") if name) or workloads.find(workload).families
    if unknown := set(recipe) - set(forecasters.names()):
        raise DataError(f"no family {', '.join(sorted(unknown))}; there are: {', '.join(forecasters.names())}")
    return Plan(
        workload=workload,
        first=first,
        last=last,
        recipe=recipe,
        seed=options.seed,
        policy=read_policy(options.policy),
        plants=tuple(Plant.parse(text) for text in options.plant),
        renew=not options.no_refresh,
    )


def read_policy(text: str) -> EvidencePolicy:
    """A mode's name, or JSON of some of the policy's fields; the rest is as ever."""
    if not text or text in set(Mode):
        return EvidencePolicy(mode=Mode(text or Mode.EVIDENCE))
    try:
        given = json.loads(text)
        if unknown := set(given) - set(EvidencePolicy.__dataclass_fields__):
            raise DataError(f"--policy: EvidencePolicy has no {', '.join(sorted(unknown))}")
        return TypeAdapter(EvidencePolicy).validate_python(given)
    except (ValueError, TypeError, ValidationError) as error:
        modes = ", ".join(Mode)
        raise DataError(f"--policy is one of {modes}, or JSON of EvidencePolicy's fields: {error}") from error


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise DataError(f"not a day as YYYY-MM-DD: {text!r}") from error
