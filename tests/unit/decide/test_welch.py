import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ratchet.decide.intervals import SampleMean
from ratchet.decide.welch import student_p, welch


def sample(values):
    return SampleMean(count=len(values), total=math.fsum(values), squares=math.fsum(v * v for v in values))


@pytest.mark.parametrize(("n0", "n1", "effect"), [(2, 2, 0.1), (10, 40, 0.5), (2000, 500, 0.05), (30, 30, 4.0)])
def test_it_is_scipys(n0, n1, effect):
    rng = np.random.default_rng(n0)
    old, new = rng.normal(3, 1, n0), rng.normal(3 + effect, 2, n1)
    found, expected = welch(sample(old), sample(new)), stats.ttest_ind(new, old, equal_var=False)
    assert (found.t, found.degrees, found.p) == pytest.approx(
        (expected.statistic, expected.df, expected.pvalue), rel=1e-8
    )


@given(st.floats(-30, 30), st.floats(1, 1e5))
def test_p_is_students(t, degrees):
    assert student_p(t, degrees) == pytest.approx(2 * stats.t.sf(abs(t), degrees), rel=1e-6, abs=1e-15)


@pytest.mark.parametrize(("old", "new"), [([4.0], [1.0, 2.0]), ([4.0, 4.0], [5.0, 5.0]), ([], [])])
def test_nothing_to_test_with_is_none(old, new):
    assert welch(sample(old), sample(new)) is None
