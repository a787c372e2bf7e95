"""A network tells its own bounds, and says so where it has none."""

import numpy as np
import pandas as pd
import pytest

from ratchet import forecasters
from ratchet.train.fit import ENDS, answer, ask, learn
from ratchet.train.panel import Panel


@pytest.fixture(scope="module")
def panel():
    rng = np.random.default_rng(3)
    level = np.resize([2.0, 30.0], 20)[:, None] * np.exp(np.cumsum(rng.normal(0, 0.05, (20, 130)), axis=1))
    counts = rng.poisson(level).astype(float)
    counts[0] = 7.0
    counts[1, :125] = np.nan
    weeks = pd.date_range(end="2026-05-31", periods=130, freq="7D")
    return Panel(names=tuple(f"s{row}\x1fv" for row in range(20)), weeks=weeks, values=counts)


@pytest.fixture(scope="module")
def told(panel):
    family = forecasters.find("neural")
    learned = learn(family, panel)
    return answer(family, learned, panel, horizon=8), ask(family, learned, panel, horizon=8)


def test_the_typical_week_comes_first_and_bounds_in_order(told):
    said, typical = told
    assert said.shape == (1 + len(ENDS), 20, 8)
    np.testing.assert_array_equal(said[0], typical)
    chain = said[[3, 1, 0, 2, 4], 2:]
    assert (np.diff(chain, axis=0) >= 0).all()
    assert (chain[-1] - chain[0] > 0).mean() > 0.9


@pytest.mark.parametrize("row", [0, 1], ids=["always-the-same", "too-young"])
def test_there_are_no_bounds_where_there_was_nothing_to_learn(told, row):
    said, _ = told
    assert np.isfinite(said[0, row]).all()
    assert np.isnan(said[1:, row]).all()


def test_a_network_that_learnt_nothing_tells_no_bounds(panel):
    family = forecasters.find("neural")
    few = panel.only(np.arange(2, 4)).until(60)
    said = answer(family, learn(family, few), few, horizon=8)
    assert np.isfinite(said[0]).all()
    assert np.isnan(said[1:]).all()


def test_other_families_tell_a_typical_week_alone(panel):
    family = forecasters.find("naive")
    assert answer(family, learn(family, panel), panel, horizon=8).shape == (1, 20, 8)
