"""What a release shows of its newest folds: figures that are those of its card, and nothing from the future of a fold."""

import json
import warnings
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from ratchet.contracts.release import CARD, EVALUATION, SCORES, Card
from ratchet.register.plots import draw


@pytest.fixture(scope="module")
def folder(run, history, tmp_path_factory):
    out = tmp_path_factory.mktemp("releases")
    return out / run(history, out, gold="ab" * 32).release_id


@pytest.fixture(scope="module")
def released(folder):
    return Card.from_json((folder / CARD).read_bytes()), json.loads((folder / EVALUATION).read_bytes())


@pytest.fixture(scope="module")
def scored(folder):
    return json.loads((folder / SCORES).read_bytes())


def test_the_errors_by_step_average_to_what_the_card_says(released):
    card, shown = released
    assert set(shown["by_step"]) == {*card.recipe, *card.families, "release"}
    assert all(len(values) == 26 for values in shown["by_step"].values())
    # Mean of means: folds hold out the same weeks of every series here, so the order of averaging does not matter.
    for who in ("release", "theta"):
        assert np.mean(shown["by_step"][who]) == pytest.approx(card.scores[who]["mase"], abs=0.02)
    assert np.mean([fold["mase"] for fold in shown["by_fold"]]) == pytest.approx(
        card.scores["release"]["mase"], abs=0.02
    )


def test_best_median_and_worst_are_shown_beside_what_came(released, history, scored):
    _, shown = released
    assert [one["rank"] for one in shown["series"]] == ["best", "median", "worst"]
    mase = [one["mase"] for one in shown["series"]]
    assert mase == sorted(mase)
    everyone = [one["mase"][one["family"]] for one in scored]
    # Of 20; those scores are of the families, and the release rounds what counts whole things.
    below = [sum(score < one for score in everyone) for one in mase]
    assert (below[0] <= 3, 6 <= below[1] <= 14, below[2] >= 17) == (True, True, True)
    for one in shown["series"]:
        rows = history[(history.unique_id == one["unique_id"]) & (history.target == one["target"])]
        real = dict(zip(rows.ds.dt.date, rows.y, strict=True))
        weeks = [date.fromisoformat(one["first_week"]) + timedelta(weeks=n) for n in range(200)]
        assert one["history"] + one["actual"] == [
            real[week] for week, _ in zip(weeks, one["history"] + one["actual"], strict=False)
        ]
        assert len(one["actual"]) == 26
        bounds = [one["forecast"][name] for name in ("lo_95", "lo_80", "median", "hi_80", "hi_95")]
        assert all(list(week) == sorted(week) for week in zip(*bounds, strict=True))


def test_what_is_shown_knows_nothing_of_the_weeks_after_its_fold(run, history, released, tmp_path):
    """Weeks that only the newest fold holds out are changed: its forecasts and bounds stay."""
    card, shown = released
    last = history.ds.max()
    changed = history.assign(y=history.y.where(history.ds <= last - pd.Timedelta(weeks=12), history.y + 0.4))
    other = run(changed, tmp_path)
    again = json.loads((tmp_path / other.release_id / EVALUATION).read_bytes())
    before = {(one["unique_id"], one["target"]): one["forecast"] for one in shown["series"]}
    after = {(one["unique_id"], one["target"]): one["forecast"] for one in again["series"]}
    assert before.keys() & after.keys()
    assert all(before[name] == after[name] for name in before.keys() & after.keys())
    assert card.release_id != other.release_id


def test_the_card_names_the_gold_that_it_learnt_from_and_it_changes_no_id(run, history, released, tmp_path):
    card, _ = released
    assert card.gold == "ab" * 32
    assert run(history, tmp_path, gold="cd" * 32).release_id == card.release_id


@pytest.mark.parametrize("weeks", [4, 6, 20])
def test_the_shortest_history_is_a_release_that_can_be_drawn(run, gold, counts, tmp_path, weeks):
    card = run(gold(counts(4, weeks, seed=3)), tmp_path)
    shown = json.loads((tmp_path / card.release_id / EVALUATION).read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _, figure in draw(card, shown):
            figure.savefig(tmp_path / "any.png", dpi=40)


def test_every_plot_is_drawn_without_a_display_and_without_a_warning(released, tmp_path, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    card, shown = released
    drawn = dict(draw(card, shown))
    assert list(drawn) == ["series", "error_by_step", "families", "calibration"]
    for name, figure in drawn.items():
        figure.savefig(tmp_path / f"{name}.png", dpi=60)
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        labels = [text.get_text() for axis in figure.axes for text in (axis.title, *axis.texts)]
        assert labels
    ranks = [axis.get_title(loc="left").split(":")[0] for axis in drawn["series"].axes]
    assert ranks == ["Best", "Median", "Worst"]


def test_the_calibration_plot_shows_each_share_where_it_is(released):
    card, shown = released
    (axis,) = dict(draw(card, shown))["calibration"].axes
    dots = {line.get_xdata()[0] for line in axis.lines if line.get_marker() == "o" and len(line.get_xdata())}
    assert dots == {100 * share for share in card.coverage.values()}


def test_a_card_without_anything_to_show_draws_nothing(released):
    card, _ = released
    bare = Card.from_json(card.to_json().replace('"80', '"x80'))
    assert "series" not in dict(draw(bare, {}))
