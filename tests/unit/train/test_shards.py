"""Shards of series: everybody is in one, nobody moves for others, and what comes out is the same as of all at once."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from ratchet import forecasters
from ratchet.contracts.release import series_name
from ratchet.train.fit import answer, learn
from ratchet.train.folds import Fold, plan
from ratchet.train.panel import Panel
from ratchet.train.shards import SERIES, cut
from ratchet.train.validation import lay_out, validate

TARGETS = ("visits", "sales", "returns", "calls")


def panel_of_things(count, weeks=2, *, young=0):
    """Make four targets of so many things; of each `young` series one is three weeks old."""
    names = tuple(series_name(f"thing/{row}", target) for row in range(count) for target in TARGETS)
    dates = pd.date_range(end="2026-05-31", periods=weeks, freq="7D")
    values = np.random.default_rng(3).poisson(2, (len(names), weeks)).astype(float)
    if young:
        values[::young, :-3] = np.nan
    return Panel(names=names, weeks=dates, values=values)


def members(panel):
    """Return which shard of how many each series is in."""
    return {panel.names[row]: shard.number for shard in cut(panel) for row in shard.rows}


@pytest.mark.parametrize("things", [1, 60, 127, 128, 500, 2500])
def test_everybody_is_in_one_shard_of_a_bearable_size(things):
    panel = panel_of_things(things)
    shards = cut(panel)
    rows = np.concatenate([shard.rows for shard in shards])
    assert sorted(rows) == list(range(len(panel.names)))
    sizes = [len(shard.rows) for shard in shards]
    if len(panel.names) < 2 * SERIES:
        assert len(sizes) == 1
    else:
        assert SERIES / 2 < min(sizes) <= max(sizes) < 3 * SERIES


def test_all_series_of_a_thing_are_in_one_shard():
    at = members(panel_of_things(400))
    assert len({(name.split("\x1f")[0], number) for name, number in at.items()}) == 400
    assert len(Counter(at.values())) > 2


def test_a_new_thing_moves_nobody():
    before, after = members(panel_of_things(300)), members(panel_of_things(310))
    assert {name: after[name] for name in before} == before


def test_a_shard_that_nobody_is_in_is_none():
    one = panel_of_things(1)
    many = Panel(
        names=tuple(series_name("the same", f"t{number}") for number in range(3 * SERIES)),
        weeks=one.weeks,
        values=np.ones((3 * SERIES, 2)),
    )
    assert [len(shard.rows) for shard in cut(many)] == [3 * SERIES]


@pytest.mark.parametrize("name", ["naive", "window_median", "tsb", "farima"])
def test_shards_say_what_all_at_once_say(name):
    """To the last bit, also where some series are too young."""
    panel = panel_of_things(150, weeks=60, young=7)
    family, folds = forecasters.find(name), plan(60, horizon=6)[-2:]
    assert len(cut(panel)) > 1
    _, found = validate(panel, [family], folds, say=lambda _: None)
    for fold, said in zip(folds, found.forecasts[0], strict=True):
        known = fold.known(panel)
        whole = answer(family, learn(family, known), known, horizon=fold.horizon)[0]
        np.testing.assert_array_equal(said, whole)


def test_what_learns_from_everybody_gets_everybody_and_goes_first():
    panel = panel_of_things(300)
    families = [forecasters.find("naive"), forecasters.find("trees")]
    pieces = lay_out(panel, families, (Fold(cutoff=1, horizon=1),))
    assert [piece.job.family.name for piece in pieces] == ["trees"] + ["naive"] * len(cut(panel))
    assert pieces[0].job.own(panel) is panel
    assert pieces[1].job.own(panel).names == tuple(panel.names[row] for row in pieces[1].job.rows)
