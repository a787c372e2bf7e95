"""`ratchet train`: a release from the newest gold, registered; on a terminal with how far it has come."""

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from ratchet import workloads
from ratchet.asking import at_least, names
from ratchet.bars import Bar, fill, seconds_left

if TYPE_CHECKING:
    from ratchet.train.crew import Step

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # argparse has no public name for it


def add_train(commands: Commands) -> None:
    """Add `train` to the command line."""
    what = "train on the newest gold and register the release"
    command = commands.add_parser("train", help=what, description=what)
    command.set_defaults(command=train)
    command.add_argument("workload", nargs="?", help="default: the first of the setting WORKLOADS")
    command.add_argument(
        "--recipe", type=names, default=(), help="families, separated by commas (default: the workload's own)"
    )
    command.add_argument("--reason", default="by hand", help="kept with the run (default: by hand)")
    command.add_argument("--trials", type=at_least(0), help="other settings of families to try at most (TRAIN_TRIALS)")
    command.add_argument("--seconds", type=float, help="seconds after which no more begin (TRAIN_SECONDS)")


def train(options: argparse.Namespace) -> dict[str, str]:
    """Train and register, and say what became of the release."""
    from ratchet.loop import Loop

    loop = Loop()
    workload = workloads.find(options.workload or loop.settings.workloads.split(",")[0]).name
    budget = loop.budget(trials=options.trials, seconds=options.seconds)
    with Bar(sys.stderr) as bar, _drawing(bar):
        release_id = loop.train(workload, recipe=options.recipe, reason=options.reason, budget=budget)
    return loop.register(workload, release_id)


@contextmanager
def _drawing(bar: Bar) -> Iterator[None]:
    """Have all that is logged meanwhile come through the bar; as it is without a terminal."""
    root = logging.getLogger()
    before = root.handlers[:]
    if bar.is_shown:
        root.handlers = [Drawing(bar, before[0].formatter if before else None)]
    try:
        yield
    finally:
        root.handlers = before


class Drawing(logging.Handler):
    """Draws how far the jobs of a training have come, in one line, and writes all else above it."""

    def __init__(self, bar: Bar, formatter: logging.Formatter | None) -> None:
        super().__init__()
        self._bar = bar
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Show it."""
        from ratchet.train.crew import Step

        if isinstance(step := record.msg, Step):
            self._bar.draw(lambda seconds: draw(step, seconds), is_last=step.done == step.of)
        else:
            self._bar.say(self.format(record))


def draw(step: "Step", seconds: float) -> str:
    """Say how many jobs are done, for how many series, when the rest will be, and what was the last."""
    left = seconds_left(step.done, step.of, seconds)
    return f"{fill(step.done, step.of)} jobs on {step.series:,} series{left}: {step.what}"
