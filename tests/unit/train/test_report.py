from dataclasses import replace

import numpy as np
import pytest

from ratchet.train.calibrate import HeldOut, Nature
from ratchet.train.choose import Choice
from ratchet.train.folds import Fold
from ratchet.train.hindsight import rehearse
from ratchet.train.report import describe_series, measure, summarise
from ratchet.train.validation import Validation


@pytest.fixture
def validation():
    """Two families, two folds, three series, two steps; the last series is too young for both folds."""
    actual = np.full((2, 3, 2), 10.0)
    forecasts = np.stack([actual + 2, actual - 4])
    forecasts[:, :, 2] = np.nan
    folds = (Fold(cutoff=5, horizon=2), Fold(cutoff=6, horizon=2))
    return Validation(families=("a", "b"), folds=folds, forecasts=forecasts, actual=actual, scale=np.full((2, 3), 2.0))


def choice_of(*family, families=("a", "b"), members=(0,)):
    return Choice(families=families, family=np.array(family), members=members, expects=None)


def held_of(validation, choice):
    shape = validation.scale.shape
    nature = Nature(size=np.ones(shape, dtype=int), spread=np.ones(shape))
    return HeldOut(point=choice.point(validation.forecasts), actual=validation.actual, nature=nature)


def measured(validation, choice):
    held = held_of(validation, choice)
    return measure(validation, choice, held, rehearse(held))


NAMES = ("s0\x1fvisits", "s1\x1fsales", "s2\x1fvisits")


def test_scores_are_given_for_each_family_and_for_the_choice(validation):
    choice = choice_of(0, 1, 0)
    report = summarise(validation, choice, measured(validation, choice), NAMES)
    expected = {"mase": 1.0, "rmsse": 1.0, "bias": 1.0, "smape": pytest.approx(200 * 2 / 22, abs=1e-4)}
    assert report["a"] == expected | {"mae": 2.0, "rmse": 2.0}
    assert report["b"]["mase"] == 2.0
    assert report["b"]["bias"] == -2.0
    assert report["release"]["mase"] == 1.5
    assert report["release/visits"]["mase"] == 1.0
    assert report["release/sales"]["mase"] == 2.0


def test_a_release_with_bounds_is_scored_on_them(validation):
    choice = choice_of(0, 1, 0)
    report = summarise(validation, choice, measured(validation, choice), NAMES)["release"]
    assert {"spl", "rmsse_mean", "bias_mean", "coverage_80", "coverage_95"} <= set(report)


def test_the_mean_that_is_scored_is_the_one_that_is_answered(validation):
    alone = choice_of(0, 1, 0)
    ways = (alone, replace(alone, expects=1), replace(alone, expects=1, in_ratio=False))
    biases = [summarise(validation, way, measured(validation, way), NAMES)["release"]["bias_mean"] for way in ways]
    assert len(set(biases)) == len(ways)


def test_the_ensemble_is_scored_where_there_is_one(validation):
    choice = choice_of(2, 2, 2, families=("a", "b", "ensemble"), members=(0, 1))
    report = summarise(validation, choice, measured(validation, choice), NAMES)
    assert report["ensemble"]["bias"] == report["release"]["bias"] == -0.5


def test_what_nobody_measured_is_left_out(panel_of):
    empty = Validation(
        families=("a",),
        folds=(),
        forecasts=np.empty((1, 0, 3, 0)),
        actual=np.empty((0, 3, 0)),
        scale=np.empty((0, 3)),
    )
    choice = choice_of(0, 0, 0, families=("a",))
    report = summarise(empty, choice, measured(empty, choice), ("a\x1fv", "b\x1fv", "c\x1fv"))
    assert report == {"a": {}, "release": {}}
    [record, *_] = describe_series(
        panel_of(np.ones((3, 5))), empty, measured(empty, choice), choice=choice, size=np.ones(3, int)
    )
    assert (record["mase"], "scores" in record) == ({}, False)


def test_each_series_has_a_record_and_a_young_one_a_note(validation, panel_of):
    choice = choice_of(0, 1, 0)
    records = describe_series(
        panel_of(np.ones((3, 8))), validation, measured(validation, choice), choice=choice, size=np.array([0, 1, 2])
    )
    own = records[1].pop("scores")
    assert records[1] == {
        "unique_id": "s001",
        "target": "visits",
        "family": "b",
        "size": "mid",
        "mase": {"a": 1.0, "b": 2.0},
    }
    plain = {"mase": 2.0, "rmsse": 2.0, "bias": -2.0, "smape": 50.0, "mae": 4.0, "rmse": 4.0}
    assert {name: own[name] for name in plain} == plain
    assert {"spl", "rmsse_mean", "bias_mean", "coverage_80", "coverage_95"} == set(own) - set(plain)
    assert records[2]["mase"] == {}
    assert "scores" not in records[2]
    assert "too young" in records[2]["note"]


def test_scores_of_series_and_of_the_release_are_one_measurement(validation, panel_of):
    choice = choice_of(0, 1, 0)
    release = measured(validation, choice)
    records = describe_series(panel_of(np.ones((3, 8))), validation, release, choice=choice, size=np.zeros(3, int))
    whole = summarise(validation, choice, release, NAMES)["release"]
    scored = [record["scores"] for record in records if "scores" in record]
    assert set(whole) - set(scored[0]) == {"coverage_80_error", "coverage_95_error"}
    for score in scored[0]:
        assert whole[score] == pytest.approx(np.mean([one[score] for one in scored]), abs=1e-4), score


def test_coverage_is_told_with_its_standard_error_over_things_whose_series_are_wrong_together():
    """Of forty things some are covered in nine tenths of their weeks, others in six; four targets of one know no more than one does."""
    rng = np.random.default_rng(2)

    def summary(targets, things=40):
        share = rng.choice([0.9, 0.6], things)
        covered = rng.binomial(50, np.repeat(share, targets)) / 50
        names = tuple(f"t{thing:02}\x1fv{target}" for thing in range(things) for target in range(targets))
        rows = np.zeros(len(names), dtype=int)
        shape = (1, 1, len(names), 1)
        nothing = Validation(
            families=("a",),
            folds=(Fold(cutoff=5, horizon=1),),
            forecasts=np.ones(shape),
            actual=np.ones(shape[1:]),
            scale=np.ones(shape[1:3]),
        )
        choice = Choice(families=("a",), family=rows, members=(0,), expects=None)
        told = summarise(nothing, choice, {"coverage_80": covered[None]}, names)["release"]
        return told["coverage_80"], told.get("coverage_80_error")

    for targets in (1, 4):
        seen, errors = np.array([summary(targets) for _ in range(300)]).T
        assert errors.mean() == pytest.approx(seen.std(), rel=0.15)
    assert summary(4, things=1)[1] is None
