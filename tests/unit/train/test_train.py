"""Training as its callers see it: gold in, a release on disk out."""

import itertools
import json
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from ratchet.contracts import release
from ratchet.contracts.drift import DriftPolicy
from ratchet.contracts.errors import DataError
from ratchet.contracts.release import Card, issue_folder, series_key, series_name
from ratchet.serve.release import open_release
from ratchet.train import bundle
from ratchet.train.folds import COUNT

RECIPE = ("seasonal_naive", "ets", "theta")


@pytest.fixture(scope="module")
def released(run, history, tmp_path_factory):
    out = tmp_path_factory.mktemp("releases")
    card = run(history, out)
    return card, out / card.release_id


def files(folder):
    """What a release is: how long its training took is none of it."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != release.TRAINING]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def load(folder, statistic):
    return np.load(folder / issue_folder(1) / f"{statistic}.npy", mmap_mode="r")


def test_the_card_says_what_the_release_is(released, workload, data_hour):
    card, folder = released
    assert card == Card.from_json((folder / release.CARD).read_bytes()) == bundle.find(folder)
    assert card.release_id.startswith("20260601T03-")
    assert len(card.release_id) == len("20260601T03-") + 8
    assert (card.workload, card.data_hour, card.recipe, card.series, card.synthetic) == (
        workload.name,
        data_hour,
        RECIPE,
        20,
        True,
    )
    assert card.rejected == {}
    assert set(RECIPE) <= set(card.families) <= {*RECIPE, "ensemble"}
    assert set(card.ensemble) <= set(RECIPE)
    assert sum(card.families.values()) == 20
    assert set(card.scores) == {*card.families, "release", "release/sales", "release/visits"}
    assert {"mase", "smape", "mae", "rmse", "bias", "spl", "rmsse_mean", "bias_mean", "coverage_80"} <= set(
        card.scores["release"]
    )
    assert 0.7 < card.coverage["80"] < 0.9
    assert 0.9 < card.coverage["95"] < 1.0


def test_every_series_has_ordered_finite_forecasts_for_every_week(released, history):
    _, folder = released
    keys = np.load(folder / release.KEYS)
    arrays = {name: load(folder, name) for name in release.STATISTICS}
    for unique_id, target in history[["unique_id", "target"]].drop_duplicates().itertuples(index=False):
        at = np.searchsorted(keys, np.uint64(series_key(unique_id, target)))
        row = {name: array[at] for name, array in arrays.items()}
        assert all(
            values.shape == (26,) and np.isfinite(values).all() and (values >= 0).all() for values in row.values()
        )
        chain = [row[name] for name in ("lo_95", "lo_80", "median", "hi_80", "hi_95")]
        assert all((low <= high).all() for low, high in itertools.pairwise(chain))


def test_each_row_is_the_forecast_of_its_own_series(run, gold, tmp_path):
    """Constants are forecast as themselves, so a mixed-up row cannot hide."""
    values = np.repeat(np.arange(1.0, 31.0)[:, None], 60, axis=1)
    card = run(gold(values), tmp_path)
    folder = tmp_path / card.release_id
    keys, median = np.load(folder / release.KEYS), load(folder, "median")
    for row in range(30):
        at = np.searchsorted(keys, np.uint64(series_key(f"thing/{row:03}", "visits")))
        np.testing.assert_allclose(median[at], row + 1.0, rtol=1e-6)


def test_the_family_index_and_the_scores_agree(released):
    card, folder = released
    keys, family = np.load(folder / release.KEYS), np.load(folder / release.FAMILY)
    records = json.loads((folder / release.SCORES).read_bytes())
    assert len(records) == 20
    for record in records:
        at = np.searchsorted(keys, np.uint64(series_key(record["unique_id"], record["target"])))
        assert sorted(card.families)[family[at]] == record["family"]
        assert set(record["mase"]) == set(card.families)


def test_the_issue_starts_the_week_after_the_last_one(released):
    issue = json.loads((released[1] / issue_folder(1) / release.ISSUE).read_bytes())
    assert issue["first_week"] == "2026-06-07"


def test_training_twice_gives_the_same_bytes(released, run, history, tmp_path):
    card, folder = released
    again = run(history.sample(frac=1, random_state=1), tmp_path)
    assert again == card
    assert files(tmp_path / again.release_id) == files(folder)


def test_another_process_gives_the_same_bytes(tmp_path):
    """Hash seeds and set orders differ between processes; releases must not."""
    script = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path; import numpy as np, pandas as pd\n"
        "from ratchet.contracts.policy import EvidencePolicy; from ratchet.contracts.workload import Workload\n"
        "from ratchet.train import train\n"
        "workload = Workload(name='w', title='', id_name='thing', targets=('b', 'a'), season_length=4, horizon=4,"
        " families=(), source_kinds=(), records=None, sql=Path(), policy=EvidencePolicy(), first_recipe=(),"
        " sample_actuals=Path())\n"
        "weeks = pd.date_range(end='2026-05-31', periods=30, freq='7D')\n"
        "frames = [pd.DataFrame({'unique_id': f'u{i}', 'target': t, 'ds': weeks,"
        " 'y': np.random.default_rng(i).poisson(5, 30)}) for i in range(4) for t in ('a', 'b')]\n"
        "train(pd.concat(frames), workload=workload, recipe=('seasonal_naive',), code_version='1', synthetic=False,"
        " data_hour=datetime(2026, 6, 1, tzinfo=UTC), out=Path(sys.argv[1]))\n"
    )
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}
        subprocess.run([sys.executable, "-W", "error", "-c", script, str(tmp_path / seed)], check=True, env=environment)
    assert files(tmp_path / "1") == files(tmp_path / "2") != {}


def test_a_release_that_is_there_is_returned_without_work(run, history, tmp_path):
    first, said = run(history, tmp_path, recipe=("seasonal_naive",)), []
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert run(history, tmp_path, recipe=("seasonal_naive",), progress=said.append) == first
    assert said == [f"{first.release_id}: already trained"]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_spoilt_release_is_made_again(run, history, tmp_path):
    card = run(history, tmp_path, recipe=("seasonal_naive",))
    (tmp_path / card.release_id / release.NAMES).write_bytes(b"spoilt")
    assert run(history, tmp_path, recipe=("seasonal_naive",)) == card
    assert bundle.find(tmp_path / card.release_id) == card


def test_other_inputs_are_another_release(run, history, workload, tmp_path):
    naive = {"recipe": ("seasonal_naive",)}
    cards = [
        run(history, tmp_path, **naive),
        run(history, tmp_path, **naive, code_version="abd"),
        run(history, tmp_path, **naive, synthetic=False),
        run(history, tmp_path, **naive, data_hour=datetime(2026, 6, 1, 4, tzinfo=UTC)),
        run(history, tmp_path, **naive, workload=replace(workload, season_length=26)),
        run(history, tmp_path, **naive, workload=replace(workload, drift=DriftPolicy(reference_weeks=26))),
        run(history, tmp_path, **naive, workload=replace(workload, drift=DriftPolicy(recent_weeks=2))),
        run(history.assign(y=history["y"] + (history.index == 0)), tmp_path, **naive),
        run(history, tmp_path, recipe=("theta",)),
    ]
    assert len({card.release_id for card in cards}) == len(cards)


def test_what_drift_is_told_by_is_remembered_of_as_many_weeks_as_a_workload_says(run, history, workload, tmp_path):
    own = replace(workload, drift=DriftPolicy(reference_weeks=26, recent_weeks=2))
    card = run(history, tmp_path, recipe=("seasonal_naive",), workload=own)
    features = json.loads((tmp_path / card.release_id / release.REFERENCE).read_bytes())["features"]
    assert features["input.visits"]["periods"] == 26
    levels = np.load(tmp_path / card.release_id / release.LEVELS)[:, 0]
    last = history.sort_values("ds").groupby(["unique_id", "target"])["y"].apply(lambda y: y.iloc[-26:].mean())
    np.testing.assert_allclose(np.sort(levels), np.sort(last), rtol=1e-6)


def test_bad_series_are_named_and_the_others_forecast_as_without_them(run, history, released, gold, counts, tmp_path):
    extra = [
        gold(counts(1, 30, seed=8), prefix="ended", last=pd.Timestamp("2026-03-29")),
        gold(counts(1, 2, seed=9), prefix="new"),
        gold(counts(1, 30, seed=10) * np.nan, prefix="broken"),
    ]
    card = run(pd.concat([history, *extra]), tmp_path)
    assert {name: reason[:8] for name, reason in card.rejected.items()} == {
        series_name("ended/000", "visits"): "its last",
        series_name("new/000", "visits"): "shorter ",
        series_name("broken/000", "visits"): "y is not",
    }
    assert card.series == 20
    assert files(tmp_path / card.release_id).keys() == files(released[1]).keys()
    np.testing.assert_array_equal(load(tmp_path / card.release_id, "hi_95"), load(released[1], "hi_95"))


def test_odd_series_are_forecast_all_the_same_and_the_others_as_without_them(run, history, released, gold, tmp_path):
    odd = [
        gold(np.zeros((1, 110)), prefix="silent"),
        gold(np.full((1, 110), 5.0), prefix="constant"),
        gold(np.array([[1.0, 4.0, 2.0, 8.0]]), prefix="young"),
        gold(np.array([[0.0] * 109 + [1e9]]), prefix="spike"),
        gold(np.array([[1e9] + [0.0] * 109]), prefix="once"),
    ]
    card = run(pd.concat([history, *odd]), tmp_path)
    folder = tmp_path / card.release_id
    assert card.rejected == {}
    assert card.series == 25
    assert all(np.isfinite(load(folder, statistic)).all() for statistic in release.STATISTICS)
    notes = {record["unique_id"]: record.get("note") for record in json.loads((folder / release.SCORES).read_bytes())}
    assert "too young" in notes["young/000"]
    assert notes["constant/000"] is not None
    plain = dict(zip(release.read_names(released[1]), load(released[1], "mean").mean(axis=1), strict=True))
    beside = dict(zip(release.read_names(folder), load(folder, "mean").mean(axis=1), strict=True))
    # What one series did a thousand million times in a week is no part of what another one expects.
    assert {name: beside[name] for name in plain} == pytest.approx(plain, rel=0.5, abs=1.0)
    spreads = [json.loads((path / release.POSTED).read_bytes())["spread"] for path in (folder, released[1])]
    assert spreads[0] == pytest.approx(spreads[1], rel=2.0)


def test_the_typical_week_of_a_young_series_is_a_whole_number_where_its_weeks_are(run, history, gold, counts, tmp_path):
    """No fold that families are chosen by holds out a week of it."""
    young = [gold(counts(3, 30, seed=11), prefix="young"), gold(counts(3, 30, seed=12) + 0.5, prefix="halves")]
    folder = tmp_path / run(pd.concat([history, *young]), tmp_path).release_id
    medians = dict(zip(release.read_names(folder), load(folder, "median"), strict=True))
    is_whole = {name: bool((weeks % 1 == 0).all()) for name, weeks in medians.items()}
    assert not any(is_whole.pop(series_name(f"halves/{row:03}", "visits")) for row in range(3))
    assert all(is_whole.values())


@pytest.mark.parametrize("weeks", [4, 5, 8, 13, 27])
def test_a_short_history_still_gives_a_release(weeks, run, gold, counts, tmp_path):
    card = run(gold(counts(3, weeks, seed=weeks)), tmp_path)
    medians = load(tmp_path / card.release_id, "median")
    assert medians.shape == (3, 26)
    assert np.isfinite(medians).all()
    json.loads((tmp_path / card.release_id / release.CARD).read_text(), parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"recipe": ()}, "at least one family", id="no-family"),
        pytest.param({"recipe": ("ets", "ets")}, "none twice", id="twice"),
        pytest.param({"recipe": ("prophecy",)}, "no family 'prophecy'", id="unknown"),
        pytest.param({"data_hour": datetime(2026, 6, 1)}, "time zone", id="naive-hour"),  # noqa: DTZ001 - the point
        pytest.param({"data_hour": datetime(2020, 6, 1, tzinfo=UTC)}, "no series can be trained", id="before-any-week"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(changes, message, run, history, tmp_path):
    with pytest.raises(DataError, match=message):
        run(history, tmp_path, **changes)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_at_every_step(run, history, tmp_path):
    said = []
    run(history, tmp_path, progress=said.append)
    assert said[0].endswith("20 series, 0 rejected, 110 weeks")
    assert sum(": theta from week " in line for line in said) == 7 + 1, "seven folds, and everything"
    assert any(line.startswith("learning from everything: ") for line in said)


def test_gold_after_the_data_hour_changes_nothing(run, history, tmp_path):
    early = datetime(2026, 4, 1, tzinfo=UTC)
    known = history[history["ds"] <= pd.Timestamp("2026-04-01")]
    recipe = ("seasonal_naive",)
    card, other = (
        run(history, tmp_path / "a", data_hour=early, recipe=recipe),
        run(known, tmp_path / "b", data_hour=early, recipe=recipe),
    )
    assert card == other


def test_a_release_can_answer_posted_histories_and_knows_how_long_each_series_is(released):
    opened = open_release(released[1], verify=True)
    assert opened.yardstick is not None
    assert opened.history is not None
    assert opened.history.min() >= 4


@pytest.mark.parametrize(
    "outage", [slice(-6, None), slice(-40, -30), slice(-52, None)], ids=["newest", "earlier", "a year"]
)
def test_weeks_that_nobody_saw_do_not_stop_a_training_whatever_was_counted_in_them(run, history, tmp_path, outage):
    weeks = np.sort(history["ds"].unique())[outage]
    away = history["ds"].isin(weeks)
    broken = history.assign(coverage=np.where(away, 0.0, 1.0), y=np.where(away, 0.0, history["y"]))
    card = run(broken, tmp_path)
    assert all(np.isfinite(list(card.scores["release"].values())))
    worse = run(broken.assign(y=np.where(away, 5_000.0, broken["y"])), tmp_path / "again")
    assert worse.scores == card.scores


def test_a_training_holds_what_families_said_once(run, gold, counts, tmp_path):
    """What one more series takes at the peak is that, and no more than twice as much for all that is made of it."""
    recipe = ("naive", "seasonal_naive", "window_median", "recent_median", "tsb")
    peaks = []

    def begin(line):
        if "rejected" in line:  # gold is read by then
            tracemalloc.reset_peak()

    for series in (1100, 2100):
        history = gold(counts(series, 160, seed=1))
        tracemalloc.start()
        try:
            run(history, tmp_path, recipe=recipe, progress=begin)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    steps, figure = 26, 8
    said = len(recipe) * COUNT * steps * figure
    assert np.diff(peaks)[0] / 1000 < 3 * said
