"""The numbers that the policy has to reach, over at least 1,000 seeded experiments each: `make bench-deciding`.

python tests/bench/deciding/bench_deciding.py [--runs N] [--seed S] [--seconds PER_CELL] [--cell WORDS]
"""

import argparse
import hashlib
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ratchet import decide
from ratchet.contracts import look, policy
from ratchet.contracts.policy import EvidencePolicy, Verdict
from ratchet.decide.simulation.compare import Cell, wilson
from ratchet.decide.simulation.rules import Ending, judge_by_evidence, judge_plainly, on_trial
from ratchet.decide.simulation.scenarios import Scenario
from ratchet.decide.simulation.world import World, make, minutes
from ratchet.decide.state import Stage
from ratchet.decide.step import step

SAME = Scenario(name="identical")
CALLED_OFF = (Verdict.ROLLBACK, Verdict.REVERT)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One truth, and what the policy has to reach under it; a line without a limit is only reported."""

    scenario: Scenario
    lines: tuple[tuple[str, Callable[[Cell], float], float | None], ...]
    judge: Callable[[World, int], Ending] = lambda world, _: judge_by_evidence(world)
    has_plain: bool = True


def rate(*verdicts: Verdict) -> Callable[[Cell], float]:
    return lambda cell: cell.rate(*verdicts)


def hours(verdict: Verdict, quantile: float = 0.5) -> Callable[[Cell], float]:
    return lambda cell: cell.hours(verdict, quantile)


def first_minute(world: World, seed: int) -> Ending:
    """After how many minutes the guardrail ends it, in the unit of hours."""
    recorded = on_trial(EvidencePolicy())
    for number, seen in enumerate(minutes(world, seed), start=1):
        _, decision = step(recorded, seen, EvidencePolicy())
        if decision.verdict is Verdict.ROLLBACK:
            return Ending(verdict=decision.verdict, hour=number)
    return Ending(verdict=Verdict.INCONCLUSIVE, hour=60)


FALSE_PROMOTION = ("promoted", rate(Verdict.PROMOTE), 0.05)
FALSE_ROLLBACK = ("rolled back", rate(*CALLED_OFF), 0.085)
ALIKE = (FALSE_PROMOTION, FALSE_ROLLBACK)

BENCHES = [
    Bench(scenario=SAME, lines=(*ALIKE, ("split alarm", rate(Verdict.HOLD), 0.01))),
    Bench(scenario=replace(SAME, name="identical, mood +0.4", drift=0.4), lines=ALIKE),
    Bench(scenario=replace(SAME, name="identical, mood -0.4", drift=-0.4), lines=ALIKE),
    Bench(scenario=replace(SAME, name="identical, 300 people rate again and again", pool=300), lines=ALIKE),
    Bench(scenario=replace(SAME, name="identical, 5 ratings/h", ratings=5.0), lines=ALIKE),
    Bench(scenario=replace(SAME, name="identical, weekly shock 0.05", shock=0.05, series=200), lines=ALIKE),
    Bench(
        scenario=replace(SAME, name="0.5 worse", effect=-0.5),
        lines=(("median h", hours(Verdict.ROLLBACK), 24), ("p90 h", hours(Verdict.ROLLBACK, 0.9), 36)),
    ),
    Bench(
        scenario=replace(SAME, name="0.5 better", effect=0.5),
        lines=(("median h", hours(Verdict.PROMOTE), 60), ("p90 h", hours(Verdict.PROMOTE, 0.9), None)),
    ),
    Bench(
        scenario=replace(SAME, name="0.2 better", effect=0.2),
        lines=(("median h", hours(Verdict.PROMOTE), 96), ("p90 h", hours(Verdict.PROMOTE, 0.9), None)),
    ),
    Bench(
        scenario=replace(SAME, name="5 % bad requests", bad=(0.005, 0.05)),
        lines=(("median looks", hours(Verdict.ROLLBACK), 5), ("p90 looks", hours(Verdict.ROLLBACK, 0.9), None)),
    ),
    Bench(
        scenario=replace(SAME, name="total failure, minutes", bad=(0.005, 1.0), hours=1),
        judge=first_minute,
        lines=(("median min", hours(Verdict.ROLLBACK), 10), ("p90 min", hours(Verdict.ROLLBACK, 0.9), None)),
        has_plain=False,
    ),
    Bench(
        scenario=replace(
            SAME, name="identical, 100 requests/s, candidate once down for 3 s", requests=360_000.0, burst=60, hours=1
        ),
        judge=first_minute,
        lines=(("rolled back", rate(Verdict.ROLLBACK), 0.01),),
        has_plain=False,
    ),
    Bench(
        scenario=replace(SAME, name="0.5 better, metrics away", effect=0.5, dark=(0, 336)),
        lines=(("verdicts", rate(Verdict.PROMOTE, *CALLED_OFF), 0.0),),
        has_plain=False,
    ),
    Bench(
        scenario=replace(SAME, name="both tracks out in hour 30", both_out=30, hours=60),
        lines=(("rolled back", rate(*CALLED_OFF), None),),
    ),
    Bench(
        scenario=replace(SAME, name="5 to 20 to 50 % with mood +0.4", ramp=(0.05, 0.2, 0.5), drift=0.4),
        lines=(("promoted", rate(Verdict.PROMOTE), None), ("held", rate(Verdict.HOLD), None)),
    ),
    Bench(
        scenario=replace(SAME, name="weak: 72 fake five-star raters in a day", fakes=72),
        lines=(("promoted", rate(Verdict.PROMOTE), None),),
    ),
    Bench(
        scenario=replace(SAME, name="weak: 72 fake one-star raters in a day", fakes=-72),
        lines=(("rolled back", rate(*CALLED_OFF), None),),
    ),
    Bench(
        scenario=replace(SAME, name="weak: 0.2 better, a tenth of its clients lost", effect=0.2, lost=0.1),
        lines=(("promoted", rate(Verdict.PROMOTE), None), ("held", rate(Verdict.HOLD), None)),
    ),
    Bench(
        scenario=replace(SAME, name="weak: watch, 0.5 worse at 5 ratings/h", effect=-0.5, share=0.9, ratings=5.0),
        judge=lambda world, _: judge_by_evidence(world, stage=Stage.WATCH),
        lines=(("reverted", rate(Verdict.REVERT), None), ("median h", hours(Verdict.REVERT), None)),
        has_plain=False,
    ),
    Bench(
        scenario=replace(SAME, name="watch, 0.5 worse at 30 ratings/h", effect=-0.5, share=0.9, hours=72),
        judge=lambda world, _: judge_by_evidence(world, stage=Stage.WATCH),
        lines=(("reverted", rate(Verdict.REVERT), None), ("median h", hours(Verdict.REVERT), None)),
        has_plain=False,
    ),
]


def run(bench: Bench, *, runs: int, seed: int, seconds: float, keep: Path | None) -> tuple[Cell, Cell | None]:
    """Both rules on the same experiments; fewer of them where the time is up. What is kept is not run again."""
    done = read(bench, keep)
    end = time.monotonic() + seconds
    for number in range(seed, seed + runs):
        if time.monotonic() > end and done:
            break
        if number not in done:
            world = make(bench.scenario, number)
            done[number] = (bench.judge(world, number), judge_plainly(world) if bench.has_plain else None)
    write(bench, keep, done)
    mine = [both for number, both in sorted(done.items()) if seed <= number < seed + runs]
    plain = tuple(other for _, other in mine if other)
    name = bench.scenario.name
    return (
        Cell(scenario=name, rule="evidence", endings=tuple(ours for ours, _ in mine)),
        Cell(scenario=name, rule="spec", endings=plain) if plain else None,
    )


def kept(bench: Bench, keep: Path) -> Path:
    """Named by the code and the scenario: another code's experiments are others."""
    name = hashlib.blake2b(repr(bench.scenario).encode(), digest_size=6)
    sources = sorted([*Path(decide.__file__).parent.rglob("*.py"), Path(policy.__file__), Path(look.__file__)])
    for source in sources:
        name.update(source.read_bytes())
    return keep / f"{name.hexdigest()}.json"


def read(bench: Bench, keep: Path | None) -> dict[int, tuple[Ending, Ending | None]]:
    if keep is None or not kept(bench, keep).exists():
        return {}
    rows = json.loads(kept(bench, keep).read_text())
    return {
        int(number): tuple(one and Ending(verdict=Verdict(one[0]), hour=one[1]) for one in row)
        for number, row in rows.items()
    }


def write(bench: Bench, keep: Path | None, done: dict[int, tuple[Ending, Ending | None]]) -> None:
    if keep is None:
        return
    keep.mkdir(parents=True, exist_ok=True)
    rows = {number: [one and [one.verdict.value, one.hour] for one in both] for number, both in done.items()}
    kept(bench, keep).write_text(json.dumps(rows))


def show(value: float, cell: Cell, label: str) -> str:
    if "median" in label or "p90" in label:
        return "never" if math.isinf(value) else f"{value:g}"
    low, high = wilson(round(value * len(cell.endings)), len(cell.endings))
    return f"{100 * value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=150.0, help="per cell; fewer experiments where it is up")
    parser.add_argument("--cell", default="", help="only cells whose name holds these words")
    parser.add_argument(
        "--keep", type=Path, help="a folder: experiments in it are not run again, so a run may be continued"
    )
    options = parser.parse_args()
    missed = 0
    print("| truth | experiments | what | to reach | evidence | plain rule |\n|---|---|---|---|---|---|")
    for bench in BENCHES:
        if options.cell not in bench.scenario.name:
            continue
        ours, plain = run(bench, runs=options.runs, seed=options.seed, seconds=options.seconds, keep=options.keep)
        for label, measure, limit in bench.lines:
            value = measure(ours)
            missed += limit is not None and value > limit
            reach = "-" if limit is None else f"{limit:g}" if limit >= 1 else f"{100 * limit:g} %"
            verdict = "" if limit is None else " ok" if value <= limit else " MISSED"
            other = show(measure(plain), plain, label) if plain else "-"
            print(
                f"| {bench.scenario.name} | {len(ours.endings)} | {label} | {reach} "
                f"| {show(value, ours, label)}{verdict} | {other} |",
                flush=True,
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
