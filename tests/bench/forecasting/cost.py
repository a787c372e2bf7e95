"""What training costs: CPU seconds a series for a full retrain, with a week more and for a re-issue, from few series to many; peak memory.

Simulated weekly counts (levels of 0.5 to 30 a week, drifting), four targets a thing, three years. One process, BLAS on one thread.
"""

import argparse
import os
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from ratchet import forecasters, workloads
from ratchet.train import folds, remembering, train
from ratchet.train.backtest import blind
from ratchet.train.crew import in_process
from ratchet.train.issue import issue_again
from ratchet.train.panel import Panel

WEEKS = 157


def simulate(series, *, seed=0):
    rng = np.random.default_rng(seed)
    level = rng.choice([0.5, 4.0, 30.0], (series, 1)) * np.exp(np.cumsum(rng.normal(0, 0.03, (series, WEEKS)), axis=1))
    return rng.negative_binomial(2, 2 / (2 + level)).astype(float)


def gold(series, targets):
    values = simulate(series)
    ids = np.array([f"owner/name{row // len(targets):06d}" for row in range(series)], dtype=object)
    return pd.DataFrame(  # each name once, as gold is read from Parquet
        {
            "unique_id": np.repeat(ids, WEEKS),
            "target": np.repeat(np.array(targets, dtype=object)[np.arange(series) % len(targets)], WEEKS),
            "ds": np.tile(pd.date_range(end="2026-05-31", periods=WEEKS, freq="7D"), series),
            "y": values.ravel(),
        }
    )


def a_week_more(history, out, known):
    """CPU seconds of training with a week more, without and with what the training a week before has left."""
    last = history["ds"].max()
    stride = (last - pd.Timestamp(0)).days // 7 % folds.STRIDE
    hours = [last + pd.Timedelta(1 - 7 * stride + 7 * week, "D") for week in (0, 1)]
    first, later = (hour.to_pydatetime().replace(tzinfo=UTC) for hour in hours)
    crew = remembering(in_process, out / "kept", code="bench")
    train(history, data_hour=first, out=out / "first", crew=crew, **known)
    _, without, _ = clock(lambda: train(history, data_hour=later, out=out / "without", **known))
    _, with_it, _ = clock(lambda: train(history, data_hour=later, out=out / "with", crew=crew, **known))
    return without, with_it


def clock(work):
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return result, time.process_time() - cpu, time.perf_counter() - wall


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, nargs="*", default=[100, 400, 2000])
    parser.add_argument("--prophet", action="store_true", help="also the blind procedure with Prophet, on two series")
    options = parser.parse_args()
    workload = workloads.find("github_activity")
    for name in workload.families:
        forecasters.find(name)  # imports are not training
    measured = []
    for series in options.series:
        history = gold(series, workload.targets)
        with tempfile.TemporaryDirectory() as out:
            known = {"workload": workload, "recipe": workload.families, "code_version": "bench", "synthetic": True}
            early, late = datetime(2026, 5, 25, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
            card, cpu, wall = clock(lambda: train(history, data_hour=early, out=Path(out), **known))  # noqa: B023
            less, more = a_week_more(history, Path(out), known)
            folder = Path(out) / card.release_id
            _, again, _ = clock(lambda: issue_again(folder, history, last=1, data_hour=late, out=folder / "new"))  # noqa: B023
        measured.append((series, cpu))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{series:6d} series: retrain {cpu:7.1f} CPU s ({cpu / series:.4f} a series), {wall:.0f} s on the clock; "
            f"issue again {again / series:.4f} CPU s a series; peak {peak:.2f} GiB",
            flush=True,
        )
        print(f"{'':6s}         a week more: {more:.1f} CPU s of {less:.1f} CPU s", flush=True)
    if len(measured) > 2:
        x, y = np.log(np.array(measured, dtype=float).T)
        print(f"cost grows with series to the power of {np.polyfit(x, y, 1)[0]:.2f} (1 is linear)")
    if options.prophet:
        weeks = pd.date_range(end="2026-05-31", periods=WEEKS, freq="7D")
        panel = Panel(names=("a\x1fv", "b\x1fv"), weeks=weeks, values=simulate(2, seed=1))
        _, cpu, _ = clock(lambda: blind(forecasters.find("prophet"), panel, horizon=26))
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = (cpu + children.ru_utime + children.ru_stime) / 2
        print(
            f"naive blind procedure with Prophet, 26 weeks: {cpu:.2f} CPU s a series: {cpu / (measured[-1][1] / measured[-1][0]):.0f} x"
        )


if __name__ == "__main__":
    main()
