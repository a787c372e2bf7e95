import numpy as np
import pytest

from ratchet.train.fit import Validation
from ratchet.train.folds import Fold
from ratchet.train.report import chosen, describe_series, summarise


@pytest.fixture
def validation():
    """Two families, two folds, three series, two steps; the last series is too young for both folds."""
    actual = np.full((2, 3, 2), 10.0)
    forecasts = np.stack([actual + 2, actual - 4])
    forecasts[:, :, 2] = np.nan
    folds = (Fold(cutoff=5, horizon=2), Fold(cutoff=6, horizon=2))
    return Validation(families=("a", "b"), folds=folds, forecasts=forecasts, actual=actual, scale=np.full((2, 3), 2.0))


def test_scores_are_given_for_each_family_and_for_the_choice(validation):
    report = summarise(validation, np.array([0, 1, 0]))
    assert report["a"] == {"mase": 1.0, "rmsse": 1.0, "bias": 1.0, "smape": pytest.approx(200 * 2 / 22, abs=1e-4)}
    assert report["b"]["mase"] == 2.0
    assert report["b"]["bias"] == -2.0
    assert report["release"]["mase"] == 1.5


def test_what_nobody_measured_is_left_out(panel_of):
    empty = Validation(
        families=("a",),
        folds=(),
        forecasts=np.empty((1, 0, 3, 0)),
        actual=np.empty((0, 3, 0)),
        scale=np.empty((0, 3)),
    )
    assert summarise(empty, np.zeros(3, dtype=int)) == {"a": {}, "release": {}}
    assert (
        describe_series(panel_of(np.ones((3, 5))), empty, choice=np.zeros(3, int), size=np.ones(3, int))[0]["mase"]
        == {}
    )


def test_each_series_takes_the_forecasts_of_its_family(validation):
    held = chosen(validation, np.array([1, 0, 0]))
    assert held.shape == (2, 3, 2)
    np.testing.assert_array_equal(held[:, 0], 6.0)
    np.testing.assert_array_equal(held[:, 1], 12.0)


def test_each_series_has_a_record_and_a_young_one_a_note(validation, panel_of):
    records = describe_series(
        panel_of(np.ones((3, 8))), validation, choice=np.array([0, 1, 0]), size=np.array([0, 1, 2])
    )
    assert records[1] == {
        "unique_id": "s001",
        "target": "visits",
        "family": "b",
        "size": "mid",
        "mase": {"a": 1.0, "b": 2.0},
    }
    assert records[2]["mase"] == {}
    assert "too young" in records[2]["note"]
