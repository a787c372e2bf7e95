import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from ratchet.__main__ import main
from ratchet.contracts.policy import Verdict
from ratchet.decide.simulation import RULES, SCENARIOS, Scenario, compare
from ratchet.decide.simulation.compare import wilson
from ratchet.decide.simulation.rules import judge_by_evidence, judge_plainly
from ratchet.decide.simulation.world import looks, make, minutes, tilted

SAME = Scenario(name="identical")


@pytest.mark.parametrize("shift", [-0.5, 0.0, 0.2, 0.5])
def test_tilting_moves_the_mean_by_as_much_as_asked(shift):
    probabilities = np.diff([0.0, *tilted(shift)])
    assert probabilities @ np.arange(1, 6) == pytest.approx(3.80 + shift, abs=1e-9)


def test_the_same_seed_makes_the_same_experiment_and_another_another():
    first, again, other = (list(looks(make(SAME, seed))) for seed in (3, 3, 4))
    assert first == again != other


def test_a_world_is_what_its_scenario_says():
    world = make(replace(SAME, effect=0.5), 1)
    assert world.requests.sum(axis=0) / 336 == pytest.approx([240, 60], rel=0.05)
    means = [world.rating[world.track == track].mean() for track in (0, 1)]
    assert means == pytest.approx([3.8, 4.3], abs=0.1)


def test_people_who_rate_again_keep_their_track_and_count_once():
    world = make(replace(SAME, pool=300), 1)
    assert world.is_first.sum() <= 300
    assert len(world.rating) > 5000
    assert sum(len(look.hours[0].production) + len(look.hours[0].candidate) for look in looks(world)) <= 300


def test_dark_hours_have_no_counts_and_minutes_have_theirs():
    seen = list(looks(make(replace(SAME, dark=(2, 4)), 1)))
    assert [look.production.requests is None for look in seen[:6]] == [False, False, True, True, False, False]
    so_far = [look.candidate.requests for look in minutes(make(SAME, 1), 1)]
    assert so_far == sorted(so_far)
    assert so_far[-1] == pytest.approx(60, rel=0.5)


def test_the_plain_rule_is_fooled_by_identical_releases_where_evidence_is_not():
    cells = {cell.rule: cell for cell in compare([SAME], RULES, runs=25, seed=100)}
    assert cells["spec"].rate(Verdict.PROMOTE) >= 0.12
    assert cells["evidence"].rate(Verdict.PROMOTE) <= 0.12


def test_a_much_worse_release_is_rolled_back_by_evidence_and_not_by_the_plain_rule():
    worlds = [make(replace(SAME, effect=-0.5), seed) for seed in range(12)]
    ours = [judge_by_evidence(world) for world in worlds]
    assert {ending.verdict for ending in ours} == {Verdict.ROLLBACK}
    assert np.median([ending.hour for ending in ours]) <= 24
    assert sum(judge_plainly(world).verdict is Verdict.ROLLBACK for world in worlds) <= 4


def test_metrics_that_are_away_never_lead_to_a_verdict():
    world = make(replace(SAME, effect=0.5, dark=(0, 336)), 1)
    assert judge_by_evidence(world).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("found", "of"), [(0, 10), (5, 10), (10, 10), (31, 1000)])
def test_intervals_of_proportions_are_wilsons(found, of):
    expected = binomtest(found, of).proportion_ci(method="wilson")
    assert wilson(found, of) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_hours_count_experiments_that_never_ended_so_as_infinite():
    (cell,) = compare([replace(SAME, hours=3)], {"evidence": judge_by_evidence}, runs=2, seed=0)
    assert math.isinf(cell.hours(Verdict.PROMOTE))


def test_compare_is_one_command(capsys):
    assert main(["policy", "compare", "--runs", "1"]) == 0
    printed = capsys.readouterr().out
    assert all(f"| {scenario.name} | {rule} |" in printed for scenario in SCENARIOS for rule in RULES)
