"""Drift against simulated truth: series that share shocks and resemble their own past."""

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy import stats

from ratchet.contracts.drift import DriftAlarm, DriftPolicy, DriftReport, Indicator
from ratchet.decide import drift
from ratchet.reference import relate, relate_forecast, remember

POLICY = DriftPolicy()
SERIES, WEEKS, LATER = 24, 104, 12


def world(seed, *, common=(0.5, 0.2), own=(0.5, 0.3), shift=0.0):
    """Counts [series, week] with AR(1) shocks shared by all and of each series' own, as (rho, sd); shifted from week `WEEKS` on."""
    rng = np.random.default_rng(seed)

    def walk(rows, rho, sd):
        steps = rng.normal(0, sd, (rows, WEEKS + LATER))
        for week in range(1, WEEKS + LATER):
            steps[:, week] = rho * steps[:, week - 1] + np.sqrt(1 - rho**2) * steps[:, week]
        return steps

    level = 10 * np.exp(walk(1, *common) + walk(SERIES, *own))
    level[:, WEEKS:] *= 1 + shift
    counts = rng.poisson(level).astype(float)
    return relate(counts, counts[:, :WEEKS].mean(axis=1, keepdims=True))


def observed(values, begin, end):
    return {f"{week:04d}": tuple(values[:, week].tolist()) for week in range(begin, end)}


def year(seed, features=4, **truth):
    """Twelve weekly looks at several features: those that drift at each."""
    values = {f"f{number}": world(seed * 100 + number, **truth) for number in range(features)}
    references = {name: remember(observed(v, 0, WEEKS)) for name, v in values.items()}
    for week in range(1, LATER + 1):
        begin = max(WEEKS, WEEKS + week - POLICY.recent_weeks)
        recent = {name: observed(v, begin, WEEKS + week) for name, v in values.items()}
        yield drift.judge(references, recent, POLICY)[0]


@pytest.mark.parametrize(
    "truth",
    [
        pytest.param({"common": (0.0, 0.0), "own": (0.0, 0.3)}, id="independent"),
        pytest.param({"common": (0.5, 0.2), "own": (0.5, 0.3)}, id="shared shocks"),
        pytest.param({"common": (0.8, 0.3), "own": (0.8, 0.4)}, id="slow shared shocks"),
        pytest.param({"common": (0.9, 0.05), "own": (0.95, 0.5)}, id="each its own slow way"),
    ],
)
def test_the_same_world_hardly_ever_drifts_however_much_its_weeks_hang_together(truth):
    alarms = [
        any(said.significant_drift for look in year(seed, **truth) for said in look.values()) for seed in range(25)
    ]
    assert sum(alarms) <= 2  # of 25 releases with 12 looks at 4 features each


def test_counting_each_series_and_week_as_one_opinion_would_alarm_most_of_the_time():
    """What the effective size is for: the same data, the textbook's p."""
    naive = 0
    for seed in range(20):
        values = world(seed, common=(0.8, 0.3), own=(0.8, 0.4))
        before, recent = values[:, :WEEKS].ravel(), values[:, WEEKS : WEEKS + 8].ravel()
        naive += stats.ks_2samp(before, recent).pvalue < POLICY.alpha
    assert naive >= 15


@pytest.mark.parametrize(("shift", "weeks"), [(-0.6, 4), (0.5, 6), (1.0, 3)])
def test_a_shift_of_all_series_is_found_within_weeks(shift, weeks):
    found = []
    for seed in range(10):
        looks = list(year(seed, common=(0.3, 0.1), own=(0.5, 0.3), shift=shift))
        found.append(next((n for n, look in enumerate(looks, 1) if look["f0"].significant_drift), np.inf))
    assert np.median(found) <= weeks
    moved = looks[-1]["f0"].drift_percentage
    assert moved == pytest.approx(100 * shift, abs=20)


@pytest.mark.parametrize("asked", [1, 2, 3, 5, 10])
def test_forecasts_of_a_few_series_are_as_many_opinions_as_there_are_series(asked):
    """What people ask for is a handful, and its weeks are nearly one number: four for each series cried drift in a fifth of all looks."""
    rng = np.random.default_rng(7)

    def origin(series):
        common, own = rng.normal(0, 0.1), rng.normal(0, 0.5, (series, 1))
        return tuple(relate_forecast(20 * np.exp(common + own + rng.normal(0, 0.1, (series, 4))), np.full(series, 20)))

    alarms = 0
    for _ in range(200):
        kept = remember({f"{number:02d}": origin(96) for number in range(10)})
        alarms += drift.compare(kept, {"now": origin(asked)}).p_value < 0.01
    assert alarms <= 6


@pytest.mark.parametrize("seed", range(8))
def test_the_distance_is_that_of_the_textbook_also_with_ties(seed):
    rng = np.random.default_rng(seed)
    one, other = rng.poisson(3, 60).astype(float), rng.poisson(3 + seed % 3, 1 + 40 * (seed % 4)).astype(float)
    assert drift.ks_distance(one, other) == pytest.approx(stats.ks_2samp(one, other).statistic, abs=1e-12)


def test_psi_is_zero_for_equal_shares_and_symmetric():
    one, two = np.array([0.25, 0.25, 0.5]), np.array([0.5, 0.3, 0.2])
    assert drift.psi(one, one) == 0
    assert drift.psi(one, two) == pytest.approx(drift.psi(two, one))
    by_hand = 0.25 * np.log(2) + 0.05 * np.log(1.2) + 0.3 * np.log(2.5)
    assert drift.psi(one, two) == pytest.approx(by_hand)


def test_benjamini_yekutieli_by_hand():
    adjusted = drift.adjust({"a": 0.01, "b": 0.04, "c": 0.03})
    harmonic = 1 + 1 / 2 + 1 / 3
    assert adjusted["a"] == pytest.approx(0.01 * 3 * harmonic)
    assert adjusted["b"] == pytest.approx(0.04 * harmonic)
    assert adjusted["c"] == pytest.approx(0.04 * harmonic)


def test_a_certain_but_tiny_difference_is_no_drift():
    rng = np.random.default_rng(1)
    before = {f"{n:03d}": tuple(rng.normal(10, 1, 4000).tolist()) for n in range(60)}
    now = {f"{n:03d}": tuple(rng.normal(10.1, 1, 4000).tolist()) for n in range(60, 68)}
    indicator = drift.judge({"f": remember(before)}, {"f": now}, POLICY)[0]["f"]
    assert indicator.p_value < POLICY.alpha
    assert not indicator.significant_drift


def test_what_is_not_there_is_named_and_not_judged():
    kept = remember(observed(world(1), 0, WEEKS))
    judged, missing = drift.judge({"a": kept, "b": kept}, {"a": observed(world(1), 0, 4), "c": {}}, POLICY)
    assert set(judged) == {"a"}
    assert set(missing) == {"b", "c"}


def test_a_constant_feature_that_moves_is_seen_and_one_that_does_not_is_quiet():
    kept = remember({f"{n:02d}": (1.0,) * 20 for n in range(20)})
    same = drift.compare(kept, {"x": (1.0,) * 20})
    assert (same.p_value, same.psi, same.drift_percentage) == (1.0, 0.0, 0.0)
    assert drift.compare(kept, {"x": (0.0,) * 20}).drift_percentage == -100


AT = datetime(2026, 6, 1, tzinfo=UTC)


def report(*drifting, at=AT, p=0.005, psi=0.2, release="r1"):
    quiet = Indicator(drift_percentage=0.0, significant_drift=False, test="ks", p_value=0.9, psi=0.0)
    loud = Indicator(drift_percentage=30.0, significant_drift=True, test="ks", p_value=p, psi=psi)
    indicators = {name: loud if name in drifting else quiet for name in ("a", "b")}
    return DriftReport(workload="w", release_id=release, at=at, data="d", indicators=indicators)


def test_drift_needs_a_second_look_at_other_data_unless_it_is_strong():
    assert not drift.confirm(report("a"), {}, POLICY).confirmed
    assert not drift.confirm(report("a"), {"a": report("b")}, POLICY).confirmed
    assert not drift.confirm(report("a"), {"b": report("a")}, POLICY).confirmed
    assert drift.confirm(report("a"), {"a": report("a")}, POLICY).confirmed
    assert drift.confirm(report("a", p=1e-5, psi=0.4), {}, POLICY).confirmed


def test_an_alarm_lasts_until_it_is_quiet_or_a_release_has_learnt_from_newer_data():
    alarm = DriftAlarm(workload="w", release_id="r1", began_at=AT, data_hour=AT, features=("a",))
    assert drift.ending(alarm, report("a"), newest_data_hour=AT) is None
    assert not drift.ending(alarm, report("b"), newest_data_hour=AT).retrained
    assert drift.ending(alarm, report("a"), newest_data_hour=AT.replace(day=8)).retrained
