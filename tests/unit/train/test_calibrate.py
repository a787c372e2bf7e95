"""Bounds must mean what they say out of sample, on simulated series whose future is known."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from ratchet import scores
from ratchet.train.calibrate import (
    BLOCK_ENDS,
    SIZES,
    UNKNOWN,
    HeldOut,
    Nature,
    apply,
    describe,
    learn,
)
from ratchet.train.hindsight import achieved, rehearse

BUSY, MID, SPARSE = range(3)
STEPS = 26


def draw(shape, level, rng):
    return rng.negative_binomial(3, 3 / (3 + level), size=shape).astype(float)


def world(*, series, folds, seed, bias=1.0):
    """Stationary negative binomial counts; the point is `bias` times a typical week; the last fold is the future."""
    rng = np.random.default_rng(seed)
    level = np.resize([0.4, 3.0, 40.0], series)[:, None] * rng.lognormal(0, 0.3, (series, 1))
    pasts = [draw((series, 100), level, rng) for _ in range(folds + 1)]
    actual = np.array([draw((series, STEPS), level, rng) for _ in range(folds + 1)])
    point = np.array([np.repeat(np.expm1(np.log1p(past).mean(1, keepdims=True)), STEPS, 1) * bias for past in pasts])
    natures = [describe(past) for past in pasts]
    nature = Nature(size=np.array([n.size for n in natures]), spread=np.array([n.spread for n in natures]))
    everything = HeldOut(point=point, actual=actual, nature=nature)
    return everything.folds(slice(folds)), everything.folds(slice(folds, None))


def answer_for(future, calibration):
    nature = Nature(size=future.nature.size[0], spread=future.nature.spread[0])
    return apply(calibration, point=future.point[0], nature=nature)


@pytest.fixture(scope="module")
def simulated():
    past, future = world(series=300, folds=5, seed=11)
    return past, future, answer_for(future, learn(past))


@pytest.mark.parametrize(("level", "share", "tolerance"), [("80", 0.80, 0.02), ("95", 0.95, 0.01)])
def test_intervals_cover_what_they_say_out_of_sample(level, share, tolerance, simulated):
    _, future, answer = simulated
    inside = scores.coverage(future.actual[0].ravel(), answer[f"lo_{level}"].ravel(), answer[f"hi_{level}"].ravel())
    assert float(inside) == pytest.approx(share, abs=tolerance)


@pytest.mark.parametrize("size", range(len(SIZES)), ids=SIZES)
@pytest.mark.parametrize(("level", "share", "tolerance"), [("80", 0.80, 0.05), ("95", 0.95, 0.025)])
def test_intervals_cover_what_they_say_in_every_size(level, share, tolerance, size, simulated):
    _, future, answer = simulated
    rows = future.nature.size[0] == size
    inside = scores.coverage(
        future.actual[0][rows].ravel(), answer[f"lo_{level}"][rows].ravel(), answer[f"hi_{level}"][rows].ravel()
    )
    assert float(inside) == pytest.approx(share, abs=tolerance)


def test_where_nothing_falls_below_zero_the_upper_bound_is_missed_more_often():
    """85 % of weeks are 0 or 1: that interval already covers 80 %, so a week of 2 may stay outside."""
    actual = np.resize([0] * 12 + [1] * 5 + [2] * 2 + [3], (4, 20, 26)).astype(float)
    nature = Nature(size=np.full((4, 20), SPARSE), spread=np.full((4, 20), 0.4))
    past = HeldOut(point=np.full(actual.shape, 0.3), actual=actual, nature=nature)
    answer = answer_for(past, learn(past))
    np.testing.assert_allclose(answer["lo_80"], 0.0, atol=1e-9)
    np.testing.assert_allclose(answer["hi_80"], 1.0)


def test_a_biased_point_is_covered_as_well():
    past, future = world(series=300, folds=5, seed=12, bias=0.6)
    answer = answer_for(future, learn(past))
    assert float(
        scores.coverage(future.actual[0].ravel(), answer["lo_80"].ravel(), answer["hi_80"].ravel())
    ) == pytest.approx(0.8, abs=0.025)


@pytest.mark.parametrize("size", range(len(SIZES)), ids=SIZES)
def test_the_mean_adds_up_to_what_happens_and_the_median_does_not(size, simulated):
    _, future, answer = simulated
    rows = future.nature.size[0] == size
    total = future.actual[0][rows].sum()
    assert answer["mean"][rows].sum() / total == pytest.approx(1.0, abs=0.06)
    assert answer["median"][rows].sum() / total < 0.93


def test_a_week_of_a_million_in_one_series_is_not_what_the_others_expect():
    past, future = world(series=60, folds=5, seed=12)
    actual = past.actual.copy()
    actual[2, 0, 5] = 1e6
    plain, beside = (
        answer_for(future, learn(replace(past, actual=values)))["mean"] for values in (past.actual, actual)
    )
    np.testing.assert_allclose(beside, plain, rtol=0.1, atol=0.1)


def test_one_huge_series_makes_no_other_one_uncertain():
    past = draw((20, 100), 3.0, np.random.default_rng(12))
    beside = describe(np.concatenate([past, 1e12 * draw((1, 100), 3.0, np.random.default_rng(13))])).spread
    np.testing.assert_allclose(beside[:20], describe(past).spread, rtol=0.5)
    assert beside[20] > 1e5


def test_bounds_are_ordered_around_the_median_and_never_negative(simulated):
    answer = simulated[2]
    chain = [answer[name] for name in ("lo_95", "lo_80", "median", "hi_80", "hi_95")]
    assert all((low <= high).all() for low, high in itertools.pairwise(chain))
    assert (answer["lo_95"] >= 0).all()
    assert (answer["mean"] >= 0).all()
    assert all(np.isfinite(values).all() for values in answer.values())


def test_reported_coverage_is_measured_on_folds_left_out():
    """One fold is unlike the others: measured on the same residuals it would look covered, left out it is not."""
    past, _ = world(series=60, folds=2, seed=13)
    odd = HeldOut(point=past.point, actual=past.actual * np.array([1.0, 8.0])[:, None, None], nature=past.nature)
    report = achieved(odd, rehearse(odd))
    assert report["80"] < 0.75
    answer = apply(learn(odd), point=odd.point[1], nature=Nature(size=odd.nature.size[1], spread=odd.nature.spread[1]))
    assert float(scores.coverage(odd.actual[1].ravel(), answer["lo_95"].ravel(), answer["hi_95"].ravel())) > 0.85


def test_reported_coverage_is_by_level_and_size(simulated):
    report = achieved(simulated[0], rehearse(simulated[0]))
    wanted = {f"{level}/{of}" for level in ("80", "95") for of in (*SIZES, "step 1", "step 26")}
    assert {"80", "95"} | wanted <= set(report)
    assert report["80"] == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("folds", [0, 1])
def test_coverage_that_nobody_can_measure_is_left_out(folds):
    past, _ = world(series=10, folds=2, seed=14)
    known = past.folds(slice(folds))
    assert achieved(known, rehearse(known)) == {}


def test_without_residuals_the_bounds_are_those_of_normal_noise():
    past, _ = world(series=10, folds=1, seed=15)
    none = past.folds(slice(0))
    calibration = learn(none)
    assert set(calibration) == {(size, block) for size in range(len(SIZES)) for block in range(len(BLOCK_ENDS) + 1)}
    assert all(pool == UNKNOWN for pool in calibration.values())


def test_steps_beyond_those_held_out_are_as_wrong_as_the_last_of_them():
    past, _ = world(series=60, folds=4, seed=16)
    short = HeldOut(point=past.point[..., :6], actual=past.actual[..., :6], nature=past.nature)
    calibration = learn(short)
    assert calibration[MID, 2] == calibration[MID, 1] != calibration[MID, 0]


@pytest.mark.parametrize(
    ("year", "size"),
    [
        pytest.param([12.0] * 52, BUSY, id="busy"),
        pytest.param([0.0, 30.0] * 26, BUSY, id="busy-in-bursts"),
        pytest.param([0.0, 3.0] * 26, SPARSE, id="sparse"),
        pytest.param([0.0, 3.0, 3.0, 3.0] * 13, MID, id="mid"),
        pytest.param([np.nan] * 48 + [20.0] * 4, BUSY, id="young"),
        pytest.param([500.0] * 52 + [2.0] * 52, MID, id="once-busy"),
    ],
)
def test_size_is_what_the_last_year_was_like(year, size):
    assert describe(np.array([year])).size[0] == size


def test_spread_is_that_of_the_series_and_of_all_where_it_is_young():
    rng = np.random.default_rng(17)
    values = rng.poisson(20, (20, 52)).astype(float)
    values[0] = 20.0
    values[1, :48] = np.nan
    values[1, 48:] = [1, 400, 1, 400]
    spread = describe(values).spread
    assert spread[0] < spread[2:].min()
    assert spread[0] > 0.1
    assert spread[1] < 0.25 * np.sqrt(values[1, 48:]).std()


def test_silence_everywhere_stays_near_zero():
    values = np.zeros((5, 60))
    held = HeldOut(
        point=np.zeros((4, 5, 26)),
        actual=np.zeros((4, 5, 26)),
        nature=Nature(size=np.full((4, 5), SPARSE), spread=np.array([describe(values).spread] * 4)),
    )
    answer = apply(learn(held), point=np.zeros((5, 26)), nature=describe(values))
    assert all((answer[name] == 0).all() for name in answer)


def test_a_third_of_each_bound_is_the_series_own_and_a_third_what_a_family_told():
    """Two series of one size and spread; the one that has never been quiet is not told to expect a quiet week as the other is."""
    past = world(series=300, folds=5, seed=11)[0]
    calibration = {key: replace(pool, stretch={"80": 1.0, "95": 1.0}) for key, pool in learn(past).items()}
    pooled = Nature(size=np.full(2, BUSY), spread=np.full(2, 1.0))
    ends = np.array([[4.0, 7.0, 3.0, 9.0], [6.0, 6.5, 6.0, 6.5]])
    told = np.full((4, 2, STEPS), np.array([30.0, 45.0, 20.0, 60.0])[:, None, None])
    point = np.full((2, STEPS), 36.0)
    plain, blended, three = (
        apply(calibration, point=point, nature=nature, told=some)
        for nature, some in ((pooled, None), (replace(pooled, own=ends), None), (replace(pooled, own=ends), told))
    )
    for column, name in enumerate(("lo_80", "hi_80", "lo_95", "hi_95")):
        parts = np.sqrt(plain[name] + 3 / 8), ends[:, [column]], np.sqrt(told[column] + 3 / 8)
        np.testing.assert_allclose(blended[name], ((2 * parts[0] + parts[1]) / 3) ** 2 - 3 / 8)
        np.testing.assert_allclose(three[name], (sum(parts) / 3) ** 2 - 3 / 8)
    for name in ("median", "mean"):
        np.testing.assert_array_equal(three[name], plain[name])


def told_of(actual, *, width):
    """Bounds that are quantiles of each series' counts, `width` times as far from their middle on the scale of roots."""
    shares = (0.1, 0.9, 0.025, 0.975)
    roots = np.sqrt(np.quantile(actual, shares, axis=(0, 2)) + 3 / 8)
    middle = roots.mean(axis=0)
    ends = np.maximum(middle + width * (roots - middle), np.sqrt(3 / 8)) ** 2 - 3 / 8
    return np.broadcast_to(ends[None, :, :, None], (len(actual), *ends.shape, actual.shape[2]))


def blended_world(*, seed, width):
    """The simulated world with the series' own quantiles and a family that tells bounds, right or not."""
    past, future = world(series=300, folds=5, seed=seed)
    rng = np.random.default_rng(seed)
    level = np.resize([0.4, 3.0, 40.0], 300)[:, None]
    own = describe(draw((300, 100), level, rng)).own
    both = []
    for held in (past, future):
        nature = replace(held.nature, own=np.broadcast_to(own, (len(held.point), *own.shape)))
        both.append(replace(held, nature=nature, told=told_of(past.actual, width=width)[: len(held.point)]))
    return both


def covered_by(calibration, future, level, rows):
    answer = apply(calibration, point=future.point[0], nature=future.nature.part(0), told=future.told[0])
    inside = (future.actual[0] >= answer[f"lo_{level}"]) & (future.actual[0] <= answer[f"hi_{level}"])
    return inside[rows].mean()


@pytest.mark.parametrize("size", range(len(SIZES)), ids=SIZES)
@pytest.mark.parametrize(("level", "share", "tolerance"), [("80", 0.80, 0.05), ("95", 0.95, 0.025)])
def test_blended_bounds_cover_what_they_say_in_every_size(level, share, tolerance, size):
    past, future = blended_world(seed=11, width=1.0)
    rows = future.nature.size[0] == size
    assert covered_by(learn(past), future, level, rows) == pytest.approx(share, abs=tolerance)


@pytest.mark.parametrize("width", [0.3, 2.0], ids=["too-narrow", "too-wide"])
def test_what_a_family_tells_wrongly_is_made_good_by_half(width):
    past, future = blended_world(seed=12, width=width)
    calibration = learn(past)
    plain = {key: replace(pool, stretch={"80": 1.0, "95": 1.0}) for key, pool in calibration.items()}
    busy = future.nature.size[0] == BUSY
    before, after = (abs(covered_by(some, future, "80", busy) - 0.8) for some in (plain, calibration))
    assert before > 0.05
    assert after < 0.65 * before


def test_bounds_are_stretched_where_whole_folds_are_wrong_together():
    """Each fold is busier or quieter than its forecasts, all series alike: a pool of five folds knows five such shocks."""
    inside = {"plain": [], "stretched": []}
    for seed in range(30):
        past, future = world(series=60, folds=6, seed=seed)
        rng = np.random.default_rng(seed)
        past, future = (
            replace(held, actual=held.actual * rng.lognormal(0, 0.5, (len(held.point), 1, 1)))
            for held in (past, future)
        )
        calibration = learn(past)
        plain = {key: replace(pool, stretch={"80": 1.0, "95": 1.0}) for key, pool in calibration.items()}
        for name, some in (("plain", plain), ("stretched", calibration)):
            answer = answer_for(future, some)
            inside[name].append(
                scores.coverage(future.actual[0].ravel(), answer["lo_80"].ravel(), answer["hi_80"].ravel())
            )
    assert 0.8 - np.mean(inside["stretched"]) < 0.75 * (0.8 - np.mean(inside["plain"]))
