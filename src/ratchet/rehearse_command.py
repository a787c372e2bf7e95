"""`ratchet rehearse`: what it may be asked."""

import argparse
from typing import TypeAlias

from ratchet import workloads
from ratchet.asking import at_least, names
from ratchet.settings import Settings

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # argparse has no public name for it


def add_rehearse(commands: Commands) -> None:
    """Add `rehearse` to the command line."""
    what = "live through your own history with the loop, and say what it did"
    rehearse = commands.add_parser("rehearse", help=what, description=what)
    rehearse.set_defaults(command=_rehearse)
    rehearse.add_argument("workload", nargs="?", help="default: the first of the setting WORKLOADS")
    rehearse.add_argument("--from", dest="first", help="a day of the first week (default: a year before the last)")
    rehearse.add_argument("--to", dest="last", help="a day of the last week (default: the last one there is)")
    rehearse.add_argument("--gold", help="a folder or file of gold instead of this installation's")
    rehearse.add_argument("--targets", type=names, default=(), help="only these, separated by commas (default: all)")
    rehearse.add_argument(
        "--policy",
        default="",
        help="spec, spec_guarded, evidence, or JSON as in POLICY, laid over the policy in force here",
    )
    rehearse.add_argument(
        "--recipe", type=names, default=(), help="families, separated by commas (default: the workload's own)"
    )
    rehearse.add_argument(
        "--plant", action="append", default=[], help="biased|slow|erroring|drifting@week: a bad candidate"
    )
    rehearse.add_argument(
        "--no-refresh", action="store_true", help="let forecasts age: issue no release again (default: every week)"
    )
    rehearse.add_argument("--seed", type=at_least(0), default=1, help="another one, other users (default: 1)")
    rehearse.add_argument("--processes", type=at_least(1), help="default: one a core")
    rehearse.add_argument("--out", help="folder of the report (default: DATA_HOME/rehearsals/<workload>)")


def _rehearse(options: argparse.Namespace) -> str:
    from ratchet.rehearsal.command import run

    settings = Settings.load()
    return run(options, settings, workload=workloads.find(options.workload or settings.workloads.split(",")[0]).name)
