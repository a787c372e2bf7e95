"""Settings are left only for what is better, and what is better is found; nothing newer is looked at to choose by."""

import json
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from ratchet import forecasters
from ratchet.contracts import release
from ratchet.contracts.errors import DataError
from ratchet.contracts.release import Card, series_name
from ratchet.forecasters._family import Family, Local
from ratchet.serve.release import open_release
from ratchet.train import Budget, bundle, model
from ratchet.train.accepting import accept
from ratchet.train.crew import in_process, on_cores
from ratchet.train.folds import plan, split
from ratchet.train.search import Search, Space, compare, improve, is_better
from ratchet.train.validation import validate

HORIZON = 8


def quiet(_):
    pass


def dice(name, *, season_length=52, seed=0):
    """A family that says the typical week and some noise, the same for three neighbours: no seed is better than another."""

    def forecast(values, horizon):
        rng = np.random.default_rng([seed, len(name), values.shape[1], int(values.sum())])
        noise = np.repeat(rng.normal(0, 1, (-(-len(values) // 3), horizon)), 3, axis=0)[: len(values)]
        return np.abs(np.median(values[:, -52:], axis=1)[:, None] + noise)

    made = Family(name=name, learn=lambda _: Local(arithmetic=forecast))
    return made.made_with({"season_length": season_length, "seed": seed})


SEEDS = Space(find=dice, variants=lambda _, __: [{"seed": seed} for seed in range(1, 21)])


@pytest.fixture
def things_of(panel_of):
    """A panel with several targets a thing."""

    def make(values, *, targets=3):
        names = [series_name(f"thing/{row // targets:02}", f"target_{row % targets}") for row in range(len(values))]
        return replace(panel_of(values), names=tuple(names))

    return make


def searched(panel, families, budget, *, horizon=HORIZON, **changes):
    folds = plan(len(panel.weeks), horizon=horizon)
    validated = validate(panel, families, folds, say=quiet)
    before = deepcopy(validated)
    after, trials = improve(panel, families, validated, budget, Search(**changes))
    return before, after, validated, trials


def walks(things, weeks, *, seed):
    return np.abs(100 + np.cumsum(np.random.default_rng(seed).normal(0, 3, (things, weeks)), axis=1))


@pytest.mark.parametrize("names", [("die",), ("die", "another", "yet another", "a fourth")], ids=["one", "four"])
def test_where_nothing_is_better_the_default_is_left_in_no_more_than_a_twentieth_of_searches(names, things_of):
    left = 0
    for seed in range(100):
        values = np.repeat(np.random.default_rng(seed).poisson(3.0, (8, 110)), 3, axis=0).astype(float)
        families = [dice(name) for name in names]
        _, _, _, trials = searched(things_of(values), families, Budget(trials=20), space=SEEDS)
        assert len(trials) == 20
        left += any(trial.kept for trial in trials)
    assert left <= 5


def test_what_is_better_is_found(things_of):
    """Of random walks the newest weeks say most: a short window is better than any other."""
    families = [forecasters.find("naive"), forecasters.find("window_median")]
    before, after, validated, trials = searched(things_of(walks(60, 160, seed=1)), families, Budget(trials=9))
    assert [trial.options for trial in trials if trial.kept] == [{"weeks": 8}]
    assert after[1].options == {"season_length": 52, "weeks": 8}
    again = validate(things_of(walks(60, 160, seed=1)), after, plan(160, horizon=HORIZON), say=quiet)
    for part, expected, usual in zip(validated, again, before, strict=True):
        np.testing.assert_array_equal(part.forecasts, expected.forecasts)
        assert not np.array_equal(part.forecasts, usual.forecasts)


class Spread:
    """The typical week of so many, and bounds that tell which setting they are of."""

    def __init__(self, weeks):
        self._weeks = weeks

    def quantiles(self, known, *, horizon, shares):
        typical = np.nanmedian(known.counts[:, -self._weeks :], axis=1)
        return np.stack(
            [np.repeat((typical * (1 if share == 0.5 else self._weeks))[:, None], horizon, 1) for share in shares], 2
        )


def test_bounds_are_those_of_the_setting_that_is_kept(things_of):
    def find(name, *, season_length=52, weeks=104):
        made = Family(name=name, learn=lambda _: Spread(weeks))
        return made.made_with({"season_length": season_length, "weeks": weeks})

    panel = things_of(walks(60, 160, seed=1))
    space = Space(find=find, variants=lambda _, __: [{"weeks": 8}])
    before, after, validated, _ = searched(panel, [find("wide")], Budget(trials=1), space=space)
    assert after[0].options["weeks"] == 8
    again = validate(panel, after, plan(160, horizon=HORIZON), say=quiet)
    for part, expected, usual in zip(validated, again, before, strict=True):
        np.testing.assert_array_equal(part.ends[0], expected.ends[0])
        assert not np.array_equal(part.ends[0], usual.ends[0], equal_nan=True)


def test_a_pooled_family_is_tried_as_it_is_validated(things_of, counts):
    """It learns once for all older folds, by a default or not."""
    trees, seen = forecasters.find("trees"), []

    def crew(panel, jobs, say):
        seen.extend(jobs)
        yield from in_process(panel, jobs, say)

    searched(things_of(counts(12, 160, seed=3)), [trees], Budget(trials=1), crew=crew)
    assert [len(job.folds) for job in seen] == [split(plan(160, horizon=HORIZON))]


def test_the_newer_folds_have_no_say(things_of):
    """Nor have those weeks of theirs that the older folds hold out too."""
    values = walks(60, 160, seed=1)
    cut = plan(160, horizon=26)
    first = cut[split(cut)].cutoff
    assert cut[split(cut) - 1].cutoff + 26 > first
    planted = values.copy()
    planted[:, first:] = np.random.default_rng(9).poisson(5, planted[:, first:].shape)
    families = [forecasters.find(name) for name in ("window_median", "farima", "tsb")]
    _, one, _, trials = searched(things_of(values), families, Budget(trials=12), horizon=26)
    _, other, _, after = searched(things_of(planted), families, Budget(trials=12), horizon=26)
    assert trials == after
    assert any(trial.kept for trial in trials)
    assert [family.options for family in one] == [family.options for family in other]


def test_families_take_turns_until_the_budget_is_spent(things_of):
    families = [dice("die"), forecasters.find("naive"), dice("another")]
    space = Space(find=dice, variants=lambda name, shape: [] if name == "naive" else SEEDS.variants(name, shape))
    _, _, _, trials = searched(things_of(walks(6, 110, seed=2)), families, Budget(trials=5), space=space)
    assert [(trial.family, trial.options["seed"]) for trial in trials] == [
        ("die", 1), ("another", 1), ("die", 2), ("another", 2), ("die", 3),
    ]  # fmt: skip


def test_no_trial_begins_when_the_time_is_over(things_of):
    clock = iter([0.0, 1.0, 9.0, 11.0]).__next__
    budget = Budget(trials=20, seconds=10.0)
    panel = things_of(walks(6, 110, seed=2))
    _, _, _, trials = searched(panel, [dice("die"), dice("another")], budget, space=SEEDS, clock=clock)
    assert [trial.options["seed"] for trial in trials] == [1, 1, 2, 2]


@pytest.mark.parametrize(("weeks", "trials"), [(110, 0), (26, 9)], ids=["no-trials", "folds-too-few-to-part"])
def test_without_a_search_nothing_is_touched(things_of, weeks, trials):
    families = [dice("die")]
    panel = things_of(walks(6, weeks, seed=2))
    folds = plan(weeks, horizon=HORIZON)[-3 if trials else 0 :]
    validated = validate(panel, families, folds, say=quiet)
    before = deepcopy(validated)
    assert improve(panel, families, validated, Budget(trials=trials), Search(space=SEEDS)) == (families, [])
    for part, same in zip(validated, before, strict=True):
        np.testing.assert_array_equal(part.forecasts, same.forecasts)


def test_targets_of_one_thing_count_once():
    """Nine targets that say the same are one witness, not nine."""
    usual, other = np.full(12, 10.0), np.array([9.0] * 9 + [10.5] * 3)
    thing = np.array([0] * 9 + [1, 2, 3])
    difference, error, things = compare(usual, other, thing)
    assert things == 4
    assert difference == pytest.approx((2 * -1 / 19 + 3 * 2 * 0.5 / 20.5) / 4)
    assert error > 0.02


@pytest.mark.parametrize(
    ("difference", "error", "things", "better"),
    [
        pytest.param(-0.02, 0.005, 30, True, id="clearly"),
        pytest.param(-0.02, 0.02, 30, False, id="by-chance"),
        pytest.param(-0.004, 0.0001, 30, False, id="too-little"),
        pytest.param(0.02, 0.001, 30, False, id="worse"),
        pytest.param(-0.02, float("nan"), 1, False, id="one-thing"),
    ],
)
def test_better_is_more_than_chance_and_worth_having(difference, error, things, better):
    assert is_better(difference, error, things, level=0.01) is better


@pytest.fixture(scope="module")
def released(run, gold, tmp_path_factory):
    """A release for which the short window is right."""
    out = tmp_path_factory.mktemp("searched")
    history = gold(walks(20, 160, seed=4).round())
    card = run(history, out, recipe=("naive", "window_median"), budget=Budget(trials=6))
    return history, card, out / card.release_id


def test_the_release_says_what_was_tried_and_what_was_kept(released):
    _, card, folder = released
    assert card.options == {"window_median": {"weeks": 8}}
    assert Card.from_json((folder / release.CARD).read_bytes()) == card == bundle.find(folder)
    trials = json.loads((folder / release.EVALUATION).read_bytes())["search"]
    assert (trials[0]["options"], trials[0]["kept"]) == ({"weeks": 8}, True)
    assert {"family", "options", "difference", "error", "kept"} == set(trials[0])
    open_release(folder, verify=True)


def test_a_release_is_issued_again_with_its_own_settings(released, workload, data_hour):
    history, card, folder = released
    panel, _ = accept(history, targets=workload.targets, data_hour=data_hour)
    known = model.read(folder, np.load(folder / release.FAMILY), panel)
    assert [family.options.get("weeks") for family in known.families] == [None, 8]
    assert known.options() == card.options


def test_another_budget_is_another_release_and_the_same_crew_or_not_the_same_bytes(released, run, tmp_path):
    history, card, folder = released
    recipe = ("naive", "window_median")
    without = run(history, tmp_path, recipe=recipe)
    assert without.release_id != card.release_id
    assert (without.trials, without.options) == (0, {})
    assert "trials" not in (tmp_path / without.release_id / release.CARD).read_text()
    crew = on_cores(2, many=1)
    assert run(history, tmp_path, recipe=recipe, budget=Budget(trials=6), crew=crew) == card
    for path in folder.rglob("*.*"):
        there = tmp_path / card.release_id / path.relative_to(folder)
        assert path.name == "training.json" or path.read_bytes() == there.read_bytes()


@pytest.mark.parametrize(("trials", "seconds"), [(-1, 0.0), (3, -0.5), (3, float("nan"))])
def test_a_budget_below_nothing_is_refused(trials, seconds):
    with pytest.raises(DataError, match="0 trials and seconds at least"):
        Budget(trials=trials, seconds=seconds)
