"""What may be tried of a family: only what can matter on such series, and all of it can be made."""

import importlib
import inspect

import numpy as np
import pytest
from distributed.protocol.pickle import dumps, loads

from ratchet import forecasters
from ratchet.contracts.forecaster import Known, Shape


def shape(count=40, **figures):
    usual = {"zeros": 0.0, "seasonal": 0.0, "trend": 0.0, "length": 156.0, "memory": 0.3}
    return Shape(
        **{name: np.broadcast_to(np.asarray(value, float), count) for name, value in (usual | figures).items()}
    )


def tried(name, option, known):
    return {options[option] for options in forecasters.variants(name, known) if option in options}


ALL = shape(length=1000, zeros=np.linspace(0, 1, 40), seasonal=0.9, trend=np.linspace(0, 1, 40), memory=0.9)


@pytest.mark.parametrize("name", forecasters.names())
def test_everything_that_may_be_tried_can_be_made_sent_and_asked(name):
    known = Known(
        names=("a", "b"),
        weeks=np.arange("2024-01-07", "2026-01-04", 7, dtype="datetime64[D]").astype("datetime64[ns]"),
        counts=np.random.default_rng(1).poisson(4, (2, 104)).astype(float),
    )
    for options in forecasters.variants(name, ALL):
        family = loads(dumps(forecasters.find(name, **options)))
        assert family.options == {"season_length": 52, **options}
        if name != "prophet":
            assert np.isfinite(family.learn(known).forecast(known, horizon=3)).all()


@pytest.mark.parametrize("name", forecasters.names())
def test_fewest_changes_come_first_and_never_the_default(name):
    found = forecasters.variants(name, ALL)
    assert found == forecasters.variants(name, ALL)
    assert [len(options) for options in found] == sorted(len(options) for options in found)
    usual = inspect.signature(importlib.import_module(f"ratchet.forecasters.{name}").make).parameters
    assert not any(value == usual[option].default for options in found for option, value in options.items())
    assert all(found)
    assert len({str(options) for options in found}) == len(found)


@pytest.mark.parametrize(
    ("name", "option", "known", "values"),
    [
        pytest.param("window_median", "weeks", shape(), {8, 26, 52}, id="window-any"),
        pytest.param("window_median", "weeks", shape(trend=0.9), {8, 26}, id="window-trend"),
        pytest.param("window_median", "weeks", shape(length=20), {8}, id="window-young"),
        pytest.param("window_average", "weeks", shape(length=20), {8}, id="average-young"),
        pytest.param("tsb", "size_rate", shape(), set(), id="tsb-no-zeros"),
        pytest.param("tsb", "size_rate", shape(zeros=0.4), {0.05, 0.2}, id="tsb-zeros"),
        pytest.param("farima", "weeks", shape(), {104}, id="farima-three-years"),
        pytest.param("farima", "weeks", shape(length=400), {104, 260}, id="farima-many-years"),
        pytest.param("farima", "season_pairs", shape(seasonal=0.5), {2}, id="farima-season"),
        pytest.param("farima", "season_pairs", shape(), set(), id="farima-no-season"),
        pytest.param("farima", "prior_error", shape(memory=0.8), {0.05, 0.3}, id="farima-unusual-memory"),
        pytest.param("farima", "prior_error", shape(), set(), id="farima-usual-memory"),
        pytest.param("prophet", "mode", shape(zeros=0.3), set(), id="prophet-zeros"),
        pytest.param("prophet", "mode", shape(), {"multiplicative"}, id="prophet-none-zero"),
        pytest.param("prophet", "changes", shape(trend=0.6), {0.01, 0.2}, id="prophet-trend"),
        pytest.param("trees", "leaves", shape(), {7}, id="trees-few-weeks"),
        pytest.param("trees", "leaves", shape(400), {7, 31}, id="trees-many-weeks"),
        pytest.param("neural", "epochs", shape(), {6}, id="neural-few-weeks"),
        pytest.param("neural", "epochs", shape(400), {6, 20}, id="neural-many-weeks"),
        pytest.param("naive", "season_length", shape(), set(), id="nothing-to-choose"),
    ],
)
def test_the_shape_narrows_what_is_tried(name, option, known, values):
    assert tried(name, option, known) == values


def test_a_value_counts_where_it_matters_to_a_tenth_of_the_series():
    few, enough = np.zeros(40), np.zeros(40)
    few[:3], enough[:4] = 0.5, 0.5
    assert tried("tsb", "size_rate", shape(zeros=few)) == set()
    assert tried("tsb", "size_rate", shape(zeros=enough)) == {0.05, 0.2}
    assert tried("tsb", "size_rate", shape(1, zeros=0.5)) == {0.05, 0.2}
