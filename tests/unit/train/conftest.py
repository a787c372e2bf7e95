"""A workload and a history to train on: counts around slowly moving levels, most of them plain, a few of them odd."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ratchet.contracts.policy import EvidencePolicy
from ratchet.contracts.workload import Records, Workload
from ratchet.train import train
from ratchet.train.panel import Panel

LAST = pd.Timestamp("2026-05-31")
RECIPE = ("seasonal_naive", "ets", "theta")


@pytest.fixture(scope="session")
def workload():
    return Workload(
        name="simulated",
        title="Simulated activity",
        id_name="thing",
        targets=("visits", "sales"),
        season_length=52,
        horizon=26,
        families=("seasonal_naive", "ets", "theta"),
        source_kinds=(),
        records=Records(columns={}, kind=lambda _: "", parse=lambda _, __: "", moment=""),
        sql=Path(),
        policy=EvidencePolicy(),
        first_recipe=("seasonal_naive",),
        sample_actuals=Path(),
    )


@pytest.fixture(scope="session")
def data_hour():
    return datetime(2026, 6, 1, 3, tzinfo=UTC)


@pytest.fixture(scope="session")
def counts():
    """Draw counts: `counts(series, weeks, seed=…)` as [series, week]."""

    def draw(series, weeks, *, seed):
        rng = np.random.default_rng(seed)
        level = rng.choice([0.4, 3.0, 30.0], size=(series, 1)) * np.exp(
            np.cumsum(rng.normal(0, 0.02, (series, weeks)), 1)
        )
        return rng.negative_binomial(3, 3 / (3 + level)).astype(float)

    return draw


@pytest.fixture(scope="session")
def panel_of():
    """Make a panel of an array [series, week] that ends in the common last week."""

    def make(values):
        weeks = pd.date_range(end=LAST, periods=values.shape[1], freq="7D")
        names = tuple(f"s{row:03}\x1fvisits" for row in range(len(values)))
        return Panel(names=names, weeks=weeks, values=values)

    return make


@pytest.fixture(scope="session")
def gold():
    """Gold of an array: `gold(values, target=…, prefix=…, last=…)` as a long frame."""

    def make(values, *, target="visits", prefix="thing", last=LAST):
        parts = [
            pd.DataFrame(
                {
                    "unique_id": f"{prefix}/{row:03}",
                    "target": target,
                    "ds": pd.date_range(end=last, periods=len(y), freq="7D"),
                    "y": y,
                }
            )
            for row, y in enumerate(np.atleast_2d(values))
        ]
        return pd.concat(parts, ignore_index=True)

    return make


@pytest.fixture(scope="session")
def told():
    """Vintages by hand: `told((thing, week, known_at, y), …)`."""

    def make(*rows, target="visits"):
        names, ds, known_at, y = zip(*rows, strict=True)
        known = pd.to_datetime(list(known_at), utc=True)
        return pd.DataFrame(
            {"unique_id": names, "target": target, "ds": pd.to_datetime(list(ds)), "known_at": known, "y": y}
        )

    return make


@pytest.fixture(scope="session")
def history(counts, gold):
    """Two targets of ten things over 110 weeks."""
    return pd.concat([gold(counts(10, 110, seed=1)), gold(counts(10, 110, seed=2), target="sales")], ignore_index=True)


@pytest.fixture(scope="module")
def run(workload, data_hour):
    def call(history, out, **changes):
        arguments = {
            "workload": workload,
            "recipe": RECIPE,
            "data_hour": data_hour,
            "code_version": "abc",
            "synthetic": True,
        }
        return train(history, out=out, **(arguments | changes))

    return call
