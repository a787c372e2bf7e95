"""What a bound is made of, and that it is stretched by what weeks left out have needed."""

import numpy as np
import pytest

from ratchet.train import blend

POOLED = np.array([[1.0, 4.0, 0.0, 6.0]])
OWN = np.array([[4.0, 7.0, 3.0, 9.0]])
TOLD = np.array([[1.0, 10.0, 0.0, 12.0]])
UNKNOWN = np.full((1, 4), np.nan)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param((None, None), POOLED, id="pool-alone"),
        pytest.param((OWN, None), (2 * POOLED + OWN) / 3, id="no-family-tells"),
        pytest.param((OWN, UNKNOWN), (2 * POOLED + OWN) / 3, id="the-family-does-not-know-this-series"),
        pytest.param((OWN, TOLD), (POOLED + OWN + TOLD) / 3, id="all-three"),
    ],
)
def test_what_is_not_known_is_the_pools_part(others, expected):
    np.testing.assert_allclose(blend.blend(POOLED, *others), expected)


def test_wider_bounds_enclose_narrower_ones_and_all_the_point():
    crossed = np.array([[5.0, 6.0, 4.0, 4.5], [1.0, 2.0, 1.5, 9.0]])
    enclosed = blend.enclose(crossed, np.array([4.0, 3.0]))
    np.testing.assert_array_equal(enclosed, [[4.0, 6.0, 4.0, 6.0], [1.0, 3.0, 1.0, 9.0]])


def test_what_a_week_needed_is_how_far_out_it_was():
    ends = np.array([[8.0, 14.0, 6.0, 20.0]] * 5 + [[10.0, 14.0, 10.0, 20.0]])
    actual = np.array([10.0, 7.0, 12.0, 20.0, np.nan, 9.0])
    found = blend.needed(ends, point=np.full(6, 10.0), actual=actual)
    np.testing.assert_allclose(found, [[0, 0], [1.5, 0.75], [0.5, 0.2], [2.5, 1], [np.nan, np.nan], [np.inf, np.inf]])


@pytest.mark.parametrize("width", [0.7, 1.0, 1.3])
def test_half_of_what_weeks_needed_is_believed(width):
    """Bounds of `width` times the right width of normal noise: stretched by its inverse they would hold, and half of that is done."""
    off = np.abs(np.random.default_rng(1).normal(0, 1, 50_000))
    assert blend.stretch(off / (1.2816 * width), 0.8) ** (1 / blend.TRUST) == pytest.approx(1 / width, rel=0.02)


@pytest.mark.parametrize(("needed", "found"), [(np.inf, blend.MOST), (0.0, 1 / blend.MOST)])
def test_nothing_is_stretched_or_drawn_in_without_end(needed, found):
    assert blend.stretch(np.full(200, needed), 0.8) == pytest.approx(found**blend.TRUST)
