"""`ratchet backtest`: what it may be asked."""

import argparse
from typing import TypeAlias

from ratchet.asking import at_least, names
from ratchet.settings import Settings

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # argparse has no public name for it


def add_backtest(commands: Commands) -> None:
    """Add `backtest` to the command line."""
    what = (
        "how families would have done on your own history: all weeks at once, and week by week on their own forecasts"
    )
    command = commands.add_parser("backtest", help=what, description=what)
    command.set_defaults(command=_backtest)
    command.add_argument("workload", nargs="?", help="default: the first of the setting WORKLOADS")
    command.add_argument(
        "--recipe", type=names, default=(), help="families, separated by commas (default: the workload's own)"
    )
    command.add_argument("--how", choices=["direct", "blind", "both"], default="both", help="default: both")
    command.add_argument("--horizon", type=at_least(1), default=8, help="weeks ahead (default: 8)")
    command.add_argument("--folds", type=at_least(1), default=4, help="cutoffs, the newest ones (default: 4)")
    command.add_argument("--series", default="", help="only those whose name, or target, has this in it")
    command.add_argument("--gold", help="a folder or file of gold instead of this installation's")


def _backtest(options: argparse.Namespace) -> str:
    from ratchet.backtesting import run

    settings = Settings.load()
    return run(options, settings, workload=str(options.workload or settings.workloads.split(",")[0]))
