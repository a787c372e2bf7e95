import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide.guardrail import Traffic, no_traffic, odds_growth, watch_traffic
from ratchet.decide.mixtures import log_threshold

POLICY = EvidencePolicy()
LINE = log_threshold(POLICY.alpha_guardrail)
COUNTS = st.integers(0, 5000).map(float)


def watched(looks, *, hours_between=1.0):
    guardrail, seen = no_traffic(POLICY), []
    for number, traffic in enumerate(looks):
        guardrail = watch_traffic(guardrail, traffic, elapsed_hours=number * hours_between, policy=POLICY)
        seen.append(guardrail.log_e())
    return guardrail, seen


@given(COUNTS.filter(bool), COUNTS.filter(bool), COUNTS, COUNTS)
def test_growth_is_the_likelihood_ratio_as_written(n0, n1, b0, b1):
    q = 1.5 * n1 / (1.5 * n1 + n0)
    for odds, growth in zip(
        POLICY.bad_odds, odds_growth(Traffic(requests=(n0, n1), bad=(b0, b1)), POLICY), strict=True
    ):
        k = odds * q / (odds * q + 1 - q)
        written = b1 * math.log(k / q) + (b0 + 0.001 * n0) * math.log((1 - k) / (1 - q))
        assert growth == pytest.approx(written, rel=1e-9, abs=1e-9)


@given(COUNTS.filter(bool), COUNTS.filter(bool), st.floats(0, 1), st.floats(0, 1))
def test_minutes_add_up_to_their_hour(n0, n1, f0, f1):
    whole = Traffic(requests=(n0, n1), bad=(n0 * f0, n1 * f1))
    part = Traffic(requests=(n0 / 60, n1 / 60), bad=(n0 * f0 / 60, n1 * f1 / 60))
    by_minute, _ = watched([part] * 60, hours_between=1 / 60)
    by_hour, _ = watched([whole])
    assert by_minute.log_e() == pytest.approx(by_hour.log_e(), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("requests", [(0.0, 100.0), (100.0, 0.0), (0.0, 0.0)])
def test_a_track_without_traffic_proves_nothing(requests):
    assert watched([Traffic(requests=requests, bad=requests)])[0].log_e() == pytest.approx(0.0)


def alarms(rates, *, runs, hours=336, requests=(240, 60), seed=3):
    """The look at which each run crossed the line first; infinite where it never did. `rates` of an hour: production's, candidate's."""
    rng = np.random.default_rng(seed)
    first = []
    for _ in range(runs):
        n = rng.poisson(requests, size=(hours, 2)).astype(float)
        bad = rng.binomial(n.astype(int), [rates(hour) for hour in range(hours)]).astype(float)
        guardrail, found = no_traffic(POLICY), math.inf
        for hour in range(hours):
            traffic = Traffic(requests=tuple(n[hour]), bad=tuple(bad[hour]))
            guardrail = watch_traffic(guardrail, traffic, elapsed_hours=hour, policy=POLICY)
            if guardrail.log_e() >= LINE and guardrail.bad >= POLICY.min_bad:
                found = hour
                break
        first.append(found)
    return np.array(first)


def test_healthy_experiments_hardly_ever_alarm():
    assert np.mean(np.isfinite(alarms(lambda _: (0.005, 0.005), runs=300))) <= 0.01


def test_an_outage_of_both_tracks_is_never_the_candidates():
    assert not np.isfinite(alarms(lambda hour: (0.6, 0.6) if hour in (40, 41) else (0.005, 0.005), runs=60)).any()


@pytest.mark.parametrize(
    ("rates", "looks"),
    [
        pytest.param(lambda _: (0.005, 1.0), 1, id="total failure"),
        pytest.param(lambda _: (0.005, 0.05), 5, id="one in twenty"),
        pytest.param(lambda hour: (0.005, 0.05 if hour >= 100 else 0.005), 110, id="one in twenty, late"),
    ],
)
def test_harm_is_found_soon(rates, looks):
    assert np.median(alarms(rates, runs=60, hours=130)) <= looks - 1
