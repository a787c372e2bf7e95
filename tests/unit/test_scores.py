"""Scores agree with figures worked out by hand, and say NaN where nothing supports a figure."""

import numpy as np
import pytest

from ratchet import scores

NAN = np.nan


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        pytest.param(scores.mae([1, 2, 3], [2, 2, 5]), 1.0, id="mae"),
        pytest.param(scores.rmse([0, 0], [3, 4]), np.sqrt(12.5), id="rmse"),
        pytest.param(scores.mase([4, 6], [5, 5], [1, 3, 1, 3]), 0.5, id="mase"),
        pytest.param(scores.smape([1, 0], [3, 0]), 50.0, id="smape-zero-as-zero-is-no-error"),
        pytest.param(scores.smape([0], [2]), 200.0, id="smape-worst"),
        pytest.param(scores.pinball([10], [8], 0.9), 1.8, id="pinball-under"),
        pytest.param(scores.pinball([8], [10], 0.9), 0.2, id="pinball-over"),
        pytest.param(scores.pinball([8, 10], [10, 8], 0.5), 1.0, id="pinball-median-is-half-the-mae"),
        pytest.param(scores.coverage([1, 2, 3, 4], [1, 3, 0, 0], [1, 4, 2, 9]), 0.5, id="coverage-includes-bounds"),
        pytest.param(scores.naive_scale([3, 3, 3]), 0.0, id="scale-of-a-constant-is-zero"),
        pytest.param(scores.mae([1, NAN, 3], [2, 2, NAN]), 1.0, id="unknown-pairs-are-left-out"),
        pytest.param(scores.coverage([1, NAN], [0, 0], [2, 2]), 1.0, id="coverage-leaves-unknown-out"),
        pytest.param(scores.naive_scale([NAN, NAN, 1, 4]), 3.0, id="scale-of-a-young-series"),
    ],
)
def test_scores_agree_with_figures_worked_out_by_hand(score, expected):
    assert float(score) == pytest.approx(expected)


@pytest.mark.parametrize(
    "score",
    [
        pytest.param(scores.mae([], []), id="mae-of-nothing"),
        pytest.param(scores.rmse([NAN], [1]), id="rmse-of-unknown"),
        pytest.param(scores.smape([], []), id="smape-of-nothing"),
        pytest.param(scores.pinball([], [], 0.5), id="pinball-of-nothing"),
        pytest.param(scores.coverage([], [], []), id="coverage-of-nothing"),
        pytest.param(scores.mase([1], [2], [5, 5, 5]), id="mase-after-a-constant"),
        pytest.param(scores.mase([1], [2], [5]), id="mase-after-one-point"),
        pytest.param(scores.mase([1], [2], []), id="mase-after-nothing"),
    ],
)
def test_a_score_that_nothing_supports_is_nan(score):
    assert np.isnan(float(score))


def test_leading_axes_are_kept():
    actual, forecast = np.zeros((2, 3, 4)), np.arange(24.0).reshape(2, 3, 4)
    assert scores.mae(actual, forecast).shape == (2, 3)
    assert scores.mae(actual, forecast)[1, 2] == pytest.approx(21.5)
    assert scores.mase(actual, forecast, np.ones((2, 3, 9)) * np.arange(9)).shape == (2, 3)


def test_the_true_quantile_has_the_least_pinball_loss():
    draws = np.random.default_rng(4).exponential(size=20_000)
    losses = {
        q: float(scores.pinball(draws, np.full_like(draws, np.quantile(draws, q)), 0.9)) for q in (0.8, 0.9, 0.97)
    }
    assert min(losses, key=losses.__getitem__) == 0.9
