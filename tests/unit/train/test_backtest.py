import numpy as np
import pytest

from ratchet import forecasters
from ratchet.train.backtest import PROCEDURES, backtest, blind, score
from ratchet.train.fit import predict
from ratchet.train.folds import plan


@pytest.mark.parametrize("procedure", PROCEDURES)
@pytest.mark.parametrize("name", ["naive", "farima", "window_median"])
def test_neither_procedure_sees_past_the_cutoff(name, procedure, panel_of, counts):
    values, folds = counts(4, 120, seed=20), plan(120, horizon=6)[:2]
    planted = values.copy()
    planted[:, folds[0].cutoff :] = 1e6
    family = forecasters.find(name)
    honest, garbage = (backtest(family, panel_of(some), folds[:1], procedure=procedure) for some in (values, planted))
    assert honest.tobytes() == garbage.tobytes()


def test_a_blind_forecast_is_built_on_its_own_forecasts(panel_of):
    """A window mean of 13 over 1…13 is 7, then the mean of 2…13 and 7, and so on."""
    panel = panel_of(np.arange(1.0, 14.0)[None, :])
    path = blind(forecasters.find("window_average"), panel, horizon=3)[0]
    second = (np.arange(2, 14).sum() + 7) / 13
    np.testing.assert_allclose(path, [7, second, (np.arange(3, 14).sum() + 7 + second) / 13])


def test_the_first_blind_week_is_the_direct_one(panel_of, counts):
    panel, family = panel_of(counts(5, 120, seed=21)), forecasters.find("farima")
    direct, path = predict(family, panel, horizon=5), blind(family, panel, horizon=5)
    np.testing.assert_array_equal(path[:, 0], direct[:, 0])
    assert not np.array_equal(path, direct)


def test_a_whole_path_is_scored(panel_of):
    values = np.array([[0.0, 2.0] * 15])
    folds = plan(30, horizon=4)
    forecasts = np.array([fold.actual(panel_of(values)) + 1 for fold in folds])
    told = score(panel_of(values), folds, forecasts)
    assert told == {"mase": 0.5, "rmsse": 0.5, "bias": 0.5, "smape": 120.0, "mae": 1.0}
