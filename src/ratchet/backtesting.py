"""Families on one's own history, forecasting directly and blind, side by side in a table. Nothing is kept of it."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ratchet import forecasters, workloads
from ratchet.bars import Bar, fill, seconds_left
from ratchet.contracts.errors import DataError
from ratchet.contracts.forecaster import Forecaster
from ratchet.contracts.release import SEPARATOR
from ratchet.contracts.workload import Workload
from ratchet.ingest import read_series, read_vintages
from ratchet.reading import as_table
from ratchet.rehearsal import read_folder
from ratchet.settings import Settings
from ratchet.train.accepting import accept
from ratchet.train.backtest import PROCEDURES, Procedure, backtest, score
from ratchet.train.folds import Fold, plan
from ratchet.train.panel import Panel
from ratchet.wiring import Wired

SCORES: Final = {"mase": "MASE", "rmsse": "RMSSE", "bias": "bias", "smape": "sMAPE", "mae": "MAE"}
UNITS: Final = "MASE, RMSSE and bias are in units of each series' naive error; means over folds, then over series."
DIGITS: Final = 3


class Row(NamedTuple):
    """How one family did in one way."""

    family: str
    how: Procedure
    told: Mapping[str, float]
    seconds: float

    def place(self) -> tuple[bool, float]:
        """Where it is among others: the best first, what could not be measured last."""
        return not np.isfinite(self.told["mase"]), self.told["mase"]

    def cells(self) -> list[str]:
        """Return what a table shows of it."""
        figures = [f"{self.told[name]:.{DIGITS}f}" if np.isfinite(self.told[name]) else "-" for name in SCORES]
        return [self.family, self.how, *figures, f"{self.seconds:.1f}"]


def run(options: argparse.Namespace, settings: Settings, *, workload: str) -> str:
    """Return the table under what it is of; a `DataError` where that makes no sense."""
    found = workloads.find(workload)
    families = [forecasters.find(name, season_length=found.season_length) for name in options.recipe or found.families]
    panel, head = _read(options, settings, found)
    folds = plan(len(panel.weeks), horizon=options.horizon, count=min(options.folds, len(panel.weeks)))
    if not folds or folds[0].horizon < options.horizon:
        raise DataError(
            f"of {len(panel.weeks)} weeks no {options.horizon} can be held out: three times as many are needed"
        )
    ways = [how for how in PROCEDURES if options.how in (how, "both")]
    with Bar(sys.stderr) as bar:
        rows = _measure(panel, folds, [(family, how) for family in families for how in ways], bar)
    first, last = (f"{panel.weeks[fold.cutoff - 1]:%Y-%m-%d}" for fold in (folds[0], folds[-1]))
    when = f"{len(folds)} folds of {options.horizon} weeks: after {first}" + (f" to {last}" if first != last else "")
    table = as_table(
        [("family", "how", *SCORES.values(), "seconds"), *(row.cells() for row in sorted(rows, key=Row.place))]
    )
    return "\n".join([*head, when, table, UNITS])


def _read(options: argparse.Namespace, settings: Settings, found: Workload) -> tuple[Panel, list[str]]:
    """What there is to learn from, and lines that say what it is and what is left out of it."""
    if options.gold:
        history = read_folder(Path(options.gold))
        source = history.source
        panel, rejected = accept(history.frame, targets=history.targets, data_hour=history.complete_at(-1))
    else:
        gold = Wired(settings).required_gold(found.name)
        source = f"gold as of {gold.data_hour:%Y-%m-%d %H:00}"
        told = read_vintages(gold)
        panel, rejected = accept(read_series(gold), targets=found.targets, data_hour=gold.data_hour, vintages=told)
    wanted = [row for row, name in enumerate(panel.names) if options.series in name.replace(SEPARATOR, " ")]
    if not wanted:
        raise DataError(f"none of {len(panel.names)} series has {options.series!r} in its name")
    left_out = [f"left out, {count}: {why}" for why, count in Counter(rejected.values()).most_common()]
    return panel.only(np.array(wanted)), [f"{source}: {len(wanted)} series", *left_out]


def _measure(panel: Panel, folds: tuple[Fold, ...], asked: list[tuple[Forecaster, Procedure]], bar: Bar) -> list[Row]:
    fits = {"direct": 1, "blind": folds[0].horizon}
    done, of = 0, sum(fits[how] for _, how in asked) * len(folds)
    rows = []
    for family, how in asked:
        begun, said = time.perf_counter(), list[Any]()
        for fold in folds:
            said.append(backtest(family, panel, (fold,), procedure=how)[0])
            done += fits[how]
            line = f"fits: {family.name}, {how}"
            bar.draw(lambda seconds: f"{fill(done, of)} {line}{seconds_left(done, of, seconds)}", is_last=done == of)  # noqa: B023  # drawn at once
        told = score(panel, folds, np.array(said))
        rows.append(Row(family=family.name, how=how, told=told, seconds=time.perf_counter() - begun))
    return rows
