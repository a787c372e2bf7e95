"""What series are told to be like is what they were made to be."""

from dataclasses import replace

import numpy as np
import pytest

from ratchet.forecasters.farima import autoregression
from ratchet.train.shape import describe


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(1).normal(0, 0.3, (40, 156))


def remembering(d, count, weeks):
    """ARFIMA(0, d, 0): noise put through the inverse of its own autoregression."""
    steps = np.random.default_rng(2).normal(0, 0.3, (count, weeks + 1000))
    kept = autoregression(np.full(1, -d), np.zeros(1), np.zeros(1), steps.shape[1])[0]
    spectrum = np.fft.rfft(steps, 2 * steps.shape[1]) * np.fft.rfft(kept, 2 * steps.shape[1])
    return np.fft.irfft(spectrum)[:, 1000 : steps.shape[1]]


def test_noise_has_neither_trend_nor_season_nor_memory(panel_of, noise):
    shape = describe(panel_of(np.expm1(4 + noise)))
    assert shape.trend.mean() < 0.012
    assert shape.seasonal.mean() < 0.015
    assert abs(shape.memory.mean()) < 0.05
    assert (shape.zeros == 0).all()
    assert (shape.length == 156).all()


def test_a_season_is_a_season_and_no_trend(panel_of, noise):
    wave = 0.6 * np.sin(2 * np.pi * np.arange(156) / 52)  # twice the noise's variance
    shape = describe(panel_of(np.expm1(4 + wave + noise)))
    assert shape.seasonal.mean() == pytest.approx(2 / 3, abs=0.06)
    assert shape.trend.mean() < 0.15


def test_a_trend_is_a_trend_and_no_season(panel_of, noise):
    line = np.linspace(0, 2, 156)
    shape = describe(panel_of(np.expm1(4 + line + noise)))
    assert shape.trend.mean() > 0.7
    assert shape.seasonal.mean() < 0.1


@pytest.mark.parametrize("d", [0.2, 0.4])
def test_long_memory_is_as_long_as_it_was_made(panel_of, d):
    shape = describe(panel_of(np.expm1(5 + remembering(d, 60, 156))))
    assert shape.memory.mean() == pytest.approx(d, abs=0.07)


def test_zeros_are_counted_in_the_newest_weeks(panel_of):
    values = np.ones((2, 300))
    values[0, -78:] = 0
    values[1, :144] = 0
    np.testing.assert_allclose(describe(panel_of(values)).zeros, [0.5, 0.0])


def test_what_is_too_short_or_never_changes_has_no_strengths(panel_of, counts):
    values = counts(3, 120, seed=1)
    values[0, :-90] = np.nan
    values[1] = 7.0
    shape = describe(panel_of(values))
    assert shape.length.tolist() == [90, 120, 120]
    assert (shape.trend[:2] == 0).all()
    assert (shape.seasonal[:2] == 0).all()
    assert shape.memory[1] == 0


def test_a_series_is_described_alike_whoever_is_beside_it(panel_of, counts):
    values = counts(9, 200, seed=3)
    values[:4, :60] = np.nan
    both = describe(panel_of(values))
    alone = describe(replace(panel_of(values[6:7]), names=("x\x1fvisits",)))
    assert both.trend[6] == pytest.approx(alone.trend[0])
    assert both.memory[6] == pytest.approx(alone.memory[0])
