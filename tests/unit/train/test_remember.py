"""What was validated before is not validated again, and nobody can tell by the answers."""

import os
import time
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from ratchet import forecasters
from ratchet.contracts.release import TRAINING
from ratchet.train import Budget, remember, validate_share
from ratchet.train.crew import Job, in_process, on_cores
from ratchet.train.folds import Fold, plan, split
from ratchet.train.remember import KEEP_SECONDS, remembering
from ratchet.train.validation import validate

RECIPE = ("seasonal_naive", "window_median", "trees")


class Counting:
    """Does jobs here, and counts them."""

    def __init__(self):
        self.done = []

    def __call__(self, panel, jobs, say):
        for number, found in in_process(panel, jobs, say):
            self.done.append(jobs[number])
            yield number, found


@pytest.fixture
def jobs():
    family = forecasters.find("window_median")
    return [Job(family=family, folds=(fold,)) for fold in plan(110, horizon=8)]


def ask(panel, jobs, folder, *, code="1", **limits):
    crew = Counting()
    found = dict(remembering(crew, folder, code=code, **limits)(panel, jobs, lambda _: None))
    return len(crew.done), [found[number] for number in range(len(jobs))]


def files(folder):
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != TRAINING]
    return {path.relative_to(folder): path.read_bytes() for path in found}


def test_a_job_is_done_once(panel_of, counts, jobs, tmp_path):
    panel = panel_of(counts(5, 110, seed=1))
    done, first = ask(panel, jobs, tmp_path)
    again, second = ask(panel, jobs, tmp_path)
    assert (done, again) == (len(jobs), 0)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, [found for _, found in in_process(panel, jobs, lambda _: None)])


@pytest.mark.parametrize(
    ("change", "code", "again"),
    [
        pytest.param(lambda values: values[:, -1].__iadd__(1), "1", 0, id="a-week-that-no-fold-knows"),
        pytest.param(lambda values: values[2, 80:81].__iadd__(1), "1", 3, id="a-late-revision"),
        pytest.param(lambda values: values[2, :1].__iadd__(1), "1", 10, id="an-old-week"),
        pytest.param(lambda _: None, "2", 10, id="other-code"),
    ],
)
def test_what_a_job_depends_on_makes_it_anew_and_nothing_else_does(change, code, again, panel_of, jobs, tmp_path):
    values = np.random.default_rng(1).poisson(4.0, (5, 110)).astype(float)
    ask(panel_of(values), jobs, tmp_path)
    change(later := values.copy())
    done, found = ask(panel_of(later), jobs, tmp_path, code=code)
    assert done == again
    np.testing.assert_array_equal(found, [one for _, one in in_process(panel_of(later), jobs, lambda _: None)])


@pytest.mark.parametrize("options", [{"weeks": 8}, {"season_length": 26}], ids=["option", "season"])
def test_a_family_with_other_options_is_another(options, panel_of, counts, jobs, tmp_path):
    panel = panel_of(counts(5, 110, seed=1))
    ask(panel, jobs, tmp_path)
    other = [Job(family=forecasters.find("window_median", **options), folds=job.folds) for job in jobs]
    assert ask(panel, other, tmp_path)[0] == len(jobs)


@pytest.mark.parametrize("library", ["numpy", "lightgbm", "statsforecast", "coreforecast", "prophet", "cmdstanpy"])
def test_another_version_of_what_families_are_made_of_makes_it_anew(
    library, panel_of, counts, jobs, tmp_path, monkeypatch
):
    panel = panel_of(counts(5, 110, seed=1))
    ask(panel, jobs, tmp_path)
    there = remember.versions
    monkeypatch.setattr(
        remember, "versions", lambda names: there(names) | {name: "next" for name in names if name == library}
    )
    assert ask(panel, jobs, tmp_path)[0] == len(jobs)


def test_another_horizon_or_name_is_another_job(panel_of, counts, jobs, tmp_path):
    panel = panel_of(counts(5, 110, seed=1))
    ask(panel, jobs[:1], tmp_path)
    fold = jobs[0].folds[0]
    longer = [Job(family=jobs[0].family, folds=(Fold(cutoff=fold.cutoff, horizon=9),))]
    assert ask(panel, longer, tmp_path)[0] == 1
    assert ask(panel, jobs[:1], tmp_path)[0] == 0, "neither takes the other's place"
    assert ask(panel.only(np.array([0, 1, 2, 4])), jobs[:1], tmp_path)[0] == 1


@pytest.mark.parametrize(
    "spoil",
    [lambda content: content[:-40], lambda content: content[:200] + b"?" + content[201:], lambda _: b""],
    ids=["cut-off", "changed", "empty"],
)
def test_what_is_damaged_is_done_again(spoil, panel_of, counts, jobs, tmp_path):
    panel = panel_of(counts(5, 110, seed=1))
    _, first = ask(panel, jobs, tmp_path)
    one = next(tmp_path.glob("*.npy"))
    one.write_bytes(spoil(one.read_bytes()))
    done, again = ask(panel, jobs, tmp_path)
    assert done == 1
    np.testing.assert_array_equal(first, again)


def test_what_is_whole_but_of_other_series_is_done_again(panel_of, counts, jobs, tmp_path):
    panel = panel_of(counts(5, 110, seed=1))
    _, first = ask(panel, jobs, tmp_path / "kept")
    ask(panel_of(counts(4, 110, seed=1)), jobs, tmp_path / "other")
    one, other = (next((tmp_path / folder).glob("*.npy")) for folder in ("kept", "other"))
    one.write_bytes(other.read_bytes())
    done, again = ask(panel, jobs, tmp_path / "kept")
    assert done == 1
    np.testing.assert_array_equal(first, again)


def test_what_was_of_no_use_for_a_month_goes_and_what_was_stays(panel_of, counts, jobs, tmp_path):
    panel = panel_of(counts(5, 110, seed=1))
    ask(panel, jobs, tmp_path)
    (tmp_path / ".left.npy.draft").touch()
    long_ago = time.time() - KEEP_SECONDS - 60
    for path in tmp_path.iterdir():
        os.utime(path, (long_ago, long_ago))
    ask(panel, jobs[:4], tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def test_no_more_is_kept_than_there_is_room_for(panel_of, counts, jobs, tmp_path):
    panel = panel_of(counts(5, 110, seed=1))
    ask(panel, jobs, tmp_path)
    size = next(tmp_path.iterdir()).stat().st_size
    ask(panel, jobs, tmp_path, most_bytes=3 * size + 1)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_folder_that_takes_nothing_stops_no_training(panel_of, counts, jobs, tmp_path):
    (tmp_path / "full").touch()
    panel, said = panel_of(counts(5, 110, seed=1)), []
    found = dict(remembering(in_process, tmp_path / "full", code="1")(panel, jobs, said.append))
    assert len(found) == len(jobs)
    assert any("is not kept" in line for line in said)


def test_a_week_more_validates_nothing_again_and_gives_the_same_bytes(gold, counts, run, tmp_path, data_hour):
    """The first Sunday of a stride: the next seven trainings have the same cutoffs."""
    values = counts(6, 150, seed=2)
    last = pd.Timestamp("2026-05-31") - pd.Timedelta(
        ((pd.Timestamp("2026-05-31") - pd.Timestamp(0)).days // 7) % 8 * 7, "D"
    )
    crew = Counting()
    known = {"recipe": RECIPE, "crew": remembering(crew, tmp_path / "kept", code="1")}
    run(gold(values[:, :-1], last=last), tmp_path / "a", data_hour=data_hour, **known)
    first = len(crew.done)
    later = gold(values, last=last + pd.Timedelta(7, "D"))
    card = run(later, tmp_path / "a", data_hour=data_hour + timedelta(days=7), **known)
    assert first > 0
    assert {fold.cutoff for job in crew.done[first:] for fold in job.folds} == {150}  # what the release says
    assert run(later, tmp_path / "b", recipe=RECIPE, data_hour=data_hour + timedelta(days=7)) == card
    assert files(tmp_path / "b" / card.release_id) == files(tmp_path / "a" / card.release_id) != {}


def test_shares_that_were_validated_ahead_leave_a_training_nothing_to_validate(
    history, workload, run, tmp_path, data_hour
):
    crew = Counting()
    known = {"recipe": RECIPE, "crew": remembering(crew, tmp_path / "kept", code="1")}
    told = {**known, "workload": workload, "data_hour": data_hour, "progress": lambda _: None}
    counts = [validate_share(history, share=slice(number, None, 3), **told) for number in (2, 0, 1)]
    assert sum(counts) == len(crew.done)
    assert max(counts) - min(counts) <= 1
    card = run(history, tmp_path / "a", **known)
    assert {fold.cutoff for job in crew.done[sum(counts) :] for fold in job.folds} == {110}  # what the release says
    assert run(history, tmp_path / "b", recipe=RECIPE) == card
    assert files(tmp_path / "b" / card.release_id) == files(tmp_path / "a" / card.release_id) != {}


@pytest.fixture
def walks(gold):
    """Of random walks the newest weeks say most: of all windows the shortest is kept."""
    steps = np.random.default_rng(4).normal(0, 3, (20, 160))
    return gold(np.abs(100 + np.cumsum(steps, axis=1)).round())


def test_trials_that_were_made_ahead_leave_a_search_those_weeks_that_it_does_not_choose_by(
    walks, workload, run, tmp_path, data_hour
):
    """What is kept is known when all was tried: on newer folds it is validated then. The same bytes as without shares."""
    recipe, budget, crew = ("naive", "window_median", "trees"), Budget(trials=5), Counting()
    known = {"recipe": recipe, "budget": budget, "crew": remembering(crew, tmp_path / "kept", code="1")}
    told = {**known, "workload": workload, "data_hour": data_hour, "progress": lambda _: None}
    counts = [validate_share(walks, share=slice(number, None, 3), **told) for number in (2, 0, 1)]
    assert sum(counts) == len(crew.done)
    assert max(counts) - min(counts) <= 1
    card = run(walks, tmp_path / "a", **known)
    ahead, left = (
        [(job.family.options.get("weeks"), fold.cutoff) for job in jobs for fold in job.folds]
        for jobs in (crew.done[: sum(counts)], crew.done[sum(counts) :])
    )
    newer = sorted({cutoff for _, cutoff in ahead})[4:]
    assert card.options == {"window_median": {"weeks": 8}}
    assert [one for one in left if one[1] < 160] == [(8, cutoff) for cutoff in newer]  # beside what the release says
    assert run(walks, tmp_path / "b", recipe=recipe, budget=budget) == card
    assert files(tmp_path / "b" / card.release_id) == files(tmp_path / "a" / card.release_id) != {}


def test_nobody_tries_ahead_what_there_may_be_no_time_for(walks, workload, data_hour):
    told = {"recipe": ("naive", "window_median"), "workload": workload, "data_hour": data_hour, "share": slice(None)}
    told |= {"crew": in_process, "progress": lambda _: None}
    done = [
        validate_share(walks, budget=Budget(trials=trials, seconds=seconds), **told)
        for trials, seconds in ((0, 0), (5, 9), (5, 0))
    ]
    assert done == [2 * 10, 2 * 10, 2 * 10 + 3 * 4]


def test_a_series_that_was_told_otherwise_is_done_again_with_its_shard_alone(panel_of, tmp_path):
    values = np.random.default_rng(1).poisson(4, (600, 40)).astype(float)
    changed = values.copy()
    changed[7, 3] += 1
    families, folds = [forecasters.find("naive"), forecasters.find("window_median")], plan(40, horizon=4)
    done = []
    for some in (values, changed):
        crew, panel = Counting(), panel_of(some)
        validate(panel, families, folds, say=lambda _: None, crew=remembering(crew, tmp_path, code="1"))
        done.append(crew.done)
    first, again = done
    assert {job.shard.number for job in first} == {0, 1}
    assert len(again) == len(families) * len(folds)
    assert all(7 in job.rows for job in again)


def test_a_search_remembers_its_trials(gold, counts, run, tmp_path):
    history, crew = gold(counts(6, 120, seed=2)), Counting()
    known = {"recipe": ("naive", "window_median"), "crew": remembering(crew, tmp_path / "kept", code="1")}
    run(history, tmp_path / "a", budget=Budget(trials=2), **known)
    done = len(crew.done)
    run(history, tmp_path / "a", budget=Budget(trials=3), **known)
    assert len(crew.done) == done + split(plan(120, horizon=26))  # one variant more


def test_it_says_who_works_by_their_own_name(tmp_path):
    assert remembering(on_cores(2), tmp_path, code="1").__qualname__.startswith("on_cores")
