"""Rules by scenarios, counted over many seeded experiments, with intervals that say how far to trust the counts."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from ratchet.contracts.policy import Verdict
from ratchet.decide.simulation.rules import Ending, Rule
from ratchet.decide.simulation.scenarios import Scenario
from ratchet.decide.simulation.world import World, make

Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One rule under one scenario."""

    scenario: str
    rule: str
    endings: tuple[Ending, ...]

    def rate(self, *verdicts: Verdict) -> float:
        """The fraction that ended so."""
        return sum(ending.verdict in verdicts for ending in self.endings) / len(self.endings)

    def interval(self, *verdicts: Verdict) -> tuple[float, float]:
        """Wilson's 95 % interval of that fraction."""
        return wilson(sum(ending.verdict in verdicts for ending in self.endings), len(self.endings))

    def hours(self, verdict: Verdict, quantile: float = 0.5) -> float:
        """Hours by which this fraction of all experiments ended so; infinite where fewer ever did."""
        hours = sorted(ending.hour if ending.verdict is verdict else math.inf for ending in self.endings)
        return hours[min(math.ceil(quantile * len(hours)), len(hours)) - 1]


def wilson(found: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a proportion (Wilson 1927, JASA 22)."""
    p, z2 = found / of, Z95**2
    middle = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = Z95 * math.sqrt(p * (1 - p) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def compare(scenarios: Sequence[Scenario], rules: Mapping[str, Rule], *, runs: int, seed: int) -> Iterator[Cell]:
    """Every rule on the same experiments of each scenario, one cell after another."""
    for scenario in scenarios:
        endings: dict[str, list[Ending]] = {name: [] for name in rules}
        for world in worlds(scenario, runs=runs, seed=seed):
            for name, rule in rules.items():
                endings[name].append(rule(world))
        for name, ended in endings.items():
            yield Cell(scenario=scenario.name, rule=name, endings=tuple(ended))


def worlds(scenario: Scenario, *, runs: int, seed: int) -> Iterator[World]:
    """So many different experiments; the same seed, the same ones."""
    return (make(scenario, seed + run) for run in range(runs))


def table(cells: Sequence[Cell]) -> str:
    """Rows of percentages with their 95 % intervals, and median hours to a verdict."""
    lines = [
        "| scenario | rule | promoted | rolled back | neither | median h to promote | to roll back |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_row, cells)])


def _row(cell: Cell) -> str:
    neither = (Verdict.INCONCLUSIVE, Verdict.HOLD)
    figures = [_percent(cell, *verdicts) for verdicts in ((Verdict.PROMOTE,), (Verdict.ROLLBACK,), neither)]
    hours = [_median_hours(cell, verdict) for verdict in (Verdict.PROMOTE, Verdict.ROLLBACK)]
    return "| " + " | ".join([cell.scenario, cell.rule, *figures, *hours]) + " |"


def _percent(cell: Cell, *verdicts: Verdict) -> str:
    low, high = cell.interval(*verdicts)
    return f"{100 * cell.rate(*verdicts):.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _median_hours(cell: Cell, verdict: Verdict) -> str:
    hours = [ending.hour for ending in cell.endings if ending.verdict is verdict]
    return f"{median(hours):g}" if hours else "-"
