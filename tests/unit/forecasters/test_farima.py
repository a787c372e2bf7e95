"""FARIMA against series whose memory is known, and against exact likelihood."""

import warnings

import numpy as np
import pytest
from statsmodels.tsa.arima.model import ARIMA

from ratchet import forecasters
from ratchet.contracts.forecaster import Known
from ratchet.forecasters.farima import autoregression, estimate


def simulate(d, *, series, points, seed, ar=0.0):
    """Draw ARFIMA(1, d, 0) by its moving-average weights, after a long warm-up."""
    rng, warm = np.random.default_rng(seed), 2000
    weights = np.ones(points + warm)
    for lag in range(1, len(weights)):
        weights[lag] = weights[lag - 1] * (lag - 1 + d) / lag
    noise = rng.normal(size=(series, points + warm))
    size = 2 * noise.shape[1]
    path = np.fft.irfft(np.fft.rfft(noise, size) * np.fft.rfft(weights, size), size)[:, : noise.shape[1]]
    for at in range(1, path.shape[1]):
        path[:, at] += ar * path[:, at - 1]
    return path[:, warm:]


@pytest.mark.parametrize("d", [-0.2, 0.0, 0.2, 0.4])
def test_local_whittle_recovers_d_within_two_standard_errors(d):
    memory = estimate(simulate(d, series=40, points=1024, seed=1))
    assert abs(memory.d.mean() - d) < 2 * memory.d_error / np.sqrt(40) + 0.02  # its own finite-sample bias
    assert np.mean(np.abs(memory.d - d) < 2 * memory.d_error) > 0.85
    assert memory.d.std() == pytest.approx(memory.d_error, rel=0.4)


def test_gph_agrees_with_local_whittle():
    memory = estimate(simulate(0.3, series=40, points=1024, seed=2))
    assert abs((memory.gph - memory.d).mean()) < 0.05


def test_orders_are_those_of_exact_likelihood():
    """An AR(1) without long memory: statsmodels' exact fit finds the coefficient that Whittle's likelihood picked, to a grid step."""
    path = simulate(0.0, series=6, points=600, seed=3, ar=0.6)
    memory = estimate(path)
    for row, series in enumerate(path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exact = ARIMA(series, order=(1, 0, 0)).fit().arparams[0]
        weights = autoregression(memory.d[[row]], memory.ar[[row]], memory.ma[[row]], 8)[0]
        plain = autoregression(np.zeros(1), np.array([exact]), np.zeros(1), 8)[0]
        assert np.abs(weights - plain).max() < 0.2


def test_the_autoregressive_form_is_the_definition():
    np.testing.assert_allclose(
        autoregression(np.array([0.4]), np.zeros(1), np.zeros(1), 4)[0], [1, -0.4, -0.12, -0.064]
    )
    np.testing.assert_allclose(
        autoregression(np.zeros(1), np.array([0.5]), np.array([0.3]), 4)[0], [1, -0.8, 0.24, -0.072]
    )


def test_long_memory_matters_where_there_is_long_memory():
    """A series with d = 0.45: FARIMA forecasts the next 13 weeks better than ETS and than no memory at all."""
    logs = simulate(0.45, series=60, points=169, seed=4) * 0.3 + 3
    counts = np.round(np.expm1(np.maximum(logs, 0)))
    known, actual = counts[:, :156], counts[:, 156:]
    shown = Known(
        names=tuple(f"s{row}" for row in range(60)),
        weeks=np.datetime64("2026-05-31", "ns") - np.arange(156)[::-1] * np.timedelta64(7, "D"),
        counts=known,
    )
    errors = {
        name: np.abs(forecasters.find(name).learn(shown).forecast(shown, horizon=13) - actual).mean()
        for name in ("farima", "ets", "naive")
    }
    no_memory = np.abs(np.median(known, axis=1, keepdims=True) - actual).mean()
    assert errors["farima"] < errors["naive"]
    assert errors["farima"] < errors["ets"]
    assert errors["farima"] < no_memory
