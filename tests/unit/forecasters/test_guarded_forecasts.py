import warnings

import numpy as np
import pytest

from ratchet.forecasters._guard import each_log

Y = np.array([3.0, 5.0, 4.0, 6.0, 3.0, 5.0, 4.0, 6.0, 3.0, 5.0, 4.0, 6.0])
TYPICAL = np.median(Y)


def run(learn, y, horizon=3):
    return each_log(learn)(np.atleast_2d(y), horizon)[0]


def fails_to_learn(_):
    raise IndexError


def fails_to_answer(_):
    def answer(_):
        raise NotImplementedError

    return answer


@pytest.mark.parametrize(
    "learn",
    [
        pytest.param(fails_to_learn, id="learning-fails"),
        pytest.param(fails_to_answer, id="answering-fails"),
        pytest.param(lambda _: lambda horizon: np.full(horizon, np.nan), id="the-answer-is-not-finite"),
    ],
)
def test_a_model_that_fails_is_replaced_by_a_typical_week(learn):
    np.testing.assert_allclose(run(learn, Y), TYPICAL)


def test_an_explosion_stops_at_about_twice_the_highest_week():
    assert run(lambda _: lambda horizon: np.arange(horizon) * 10.0, Y, 26).max() == pytest.approx(2 * 6 + 1)


def test_warnings_of_a_model_stay_inside():
    def learn(_):
        warnings.warn("did not converge", stacklevel=1)
        return lambda horizon: np.log1p(np.full(horizon, 4.0))

    np.testing.assert_allclose(run(learn, Y), 4.0)


def test_only_the_last_three_years_are_learnt():
    seen = []

    def learn(logs):
        seen.append(len(logs))
        return np.zeros

    run(learn, np.arange(300.0))
    assert seen == [156]


@pytest.mark.parametrize("y", [Y[:9], np.full(50, 3.0)], ids=["too-short", "constant"])
def test_what_cannot_be_learnt_is_not_tried(y):
    np.testing.assert_allclose(run(lambda _: lambda horizon: np.full(horizon, 0.1), y), np.median(y))
