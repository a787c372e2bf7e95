"""A small history, and rehearsals of it in one process."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from histories import FIRST, WEEKS

from ratchet.contracts.policy import EvidencePolicy
from ratchet.rehearsal import Plan, Plant, rehearse
from ratchet.rehearsal.history import arrange


@pytest.fixture(scope="session")
def small():
    """Twelve series of 90 weeks, most of them steady, one that begins late."""
    rng = np.random.default_rng(5)
    weeks = pd.date_range(end="2026-05-31", periods=WEEKS, freq="7D")
    rows = []
    for number in range(12):
        level = (8.0, 25.0, 60.0)[number % 3] * np.exp(np.cumsum(rng.normal(0, 0.03, WEEKS)))
        part = pd.DataFrame({"unique_id": f"thing/{number:02d}", "target": "commits", "ds": weeks})
        rows.append(part.assign(y=rng.poisson(level).astype(float)).iloc[60 if number == 11 else 0 :])
    return arrange(pd.concat(rows, ignore_index=True), synthetic=True, source="a test")


@pytest.fixture(scope="session")
def plan():
    return Plan(
        workload="github_activity",
        first=FIRST,
        last=WEEKS - 1,
        recipe=("seasonal_naive", "theta"),
        seed=3,
        policy=EvidencePolicy(),
    )


@pytest.fixture(scope="session")
def releases(tmp_path_factory):
    """Where rehearsals of this session share what is trained twice."""
    return tmp_path_factory.mktemp("releases")


@pytest.fixture(scope="session")
def live(small, plan, releases):
    """Rehearse: `live(plants=("biased@2",), …)` on the small history or another."""

    def live(history=None, *, plants=(), folder=None, **changes):
        chosen = replace(plan, plants=tuple(Plant.parse(text) for text in plants), **changes)
        where = folder or releases
        return rehearse(history or small, chosen, releases=where, code_version="t", say=lambda *_: None, processes=1)

    return live
