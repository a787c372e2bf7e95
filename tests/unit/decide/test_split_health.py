import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from looks import POLICY, at_stage, look
from ratchet.contracts.look import TrackCounts
from ratchet.contracts.policy import Verdict
from ratchet.decide import step
from ratchet.decide.split_health import log_split_e, split_p
from ratchet.decide.state import Stage

COUNTS = st.integers(0, 20_000)


@pytest.mark.parametrize("clients", [(80, 20), (900, 130), (300, 20)])
def test_the_e_value_is_the_average_likelihood_ratio_over_other_shares(clients):
    n0, n1 = clients
    prior = stats.beta(1000 * 0.2, 1000 * 0.8)

    def ratio(p):
        return prior.pdf(p) * math.exp(n1 * math.log(p / 0.2) + n0 * math.log((1 - p) / 0.8))

    slow, _ = integrate.quad(ratio, 0.05, 0.5, epsabs=1e-12, points=[0.2, n1 / (n0 + n1)])
    assert log_split_e(clients, share=0.2, concentration=1000) == pytest.approx(math.log(slow), abs=1e-6)


@given(COUNTS, COUNTS, st.sampled_from([0.05, 0.2, 0.5, 0.9]))
def test_the_soft_check_is_the_chi_square_test(n0, n1, share):
    p = split_p((n0, n1), share=share)
    if n0 + n1 == 0:
        assert p == 1
    else:
        total = n0 + n1
        slow = stats.chisquare([n0, n1], [total * (1 - share), total * share]).pvalue
        assert p == pytest.approx(slow, rel=1e-6, abs=1e-300)


@given(COUNTS, COUNTS)
def test_it_does_not_matter_which_track_is_called_which(n0, n1):
    there = log_split_e((n0, n1), share=0.3, concentration=1000)
    assert log_split_e((n1, n0), share=0.7, concentration=1000) == pytest.approx(there, abs=1e-6)


def ever_alarmed(keep, *, runs=400, looks=336, per_look=100):
    rng = np.random.default_rng(11)
    new = rng.binomial(per_look, 0.2, size=(runs, looks))
    candidate, production = rng.binomial(new, keep).cumsum(axis=1), (per_look - new).cumsum(axis=1)
    return np.array(
        [
            any(
                log_split_e((n0, n1), share=0.2, concentration=1000) >= math.log(100)
                for n0, n1 in zip(production[i, ::4], candidate[i, ::4], strict=True)
            )
            for i in range(runs)
        ]
    )


def test_a_healthy_split_hardly_ever_alarms():
    assert ever_alarmed(1.0).mean() <= 0.01 + 2 * math.sqrt(0.01 * 0.99 / 400)


def test_losing_a_tenth_of_the_candidates_clients_is_noticed():
    assert ever_alarmed(0.9, runs=40).all()


def alarmed_at(n0, n1):
    """The look after which so many clients have come in all."""
    came = {
        "production": TrackCounts(requests=800.0, bad_requests=0.0, new_clients=float(n0)),
        "candidate": TrackCounts(requests=200.0, bad_requests=0.0, new_clients=float(n1)),
    }
    return step(at_stage(Stage.AB), look(1, ratings=((), ()), **came), POLICY)


def test_clients_and_raters_share_the_level_of_one_alarm():
    """The larger of two e-values was taken, each at the level of the alarm: a false one was bounded by twice as much."""
    alone = log_split_e((742, 258), share=0.2, concentration=1000)
    assert alone > math.log(100), "by itself this crossed the line"

    odd, far = alarmed_at(742, 258), alarmed_at(700, 300)

    assert odd.decision.scores["log_split"] == pytest.approx(math.log((math.exp(alone) + 1) / 2))
    assert not odd.state.split_alarm
    assert far.state.split_alarm
    assert far.decision.verdict is Verdict.HOLD
