"""What families tell of what they learnt is on the card, and with each series."""

import json

import numpy as np
import pandas as pd
import pytest

from ratchet import forecasters
from ratchet.contracts.release import SCORES, Card
from ratchet.train.explain import explain
from ratchet.train.fit import learn

RECIPE = ("window_median", "farima", "trees")


@pytest.fixture(scope="module")
def told(run, history, gold, tmp_path_factory):
    """Return a release's card and its series by name; one of them is five weeks old."""
    folder = tmp_path_factory.mktemp("explained")
    young = gold(np.array([[1.0, 4.0, 2.0, 8.0, 3.0]]), prefix="young")
    card = run(pd.concat([history, young], ignore_index=True), folder, recipe=RECIPE)
    records = json.loads((folder / card.release_id / SCORES).read_bytes())
    return card, {(record["unique_id"], record["target"]): record for record in records}


def test_every_series_says_its_d_with_its_standard_error(told):
    card, records = told
    figures = [record["explained"]["farima"] for name, record in records.items() if name[0] != "young/000"]
    assert len(figures) == 20
    assert all(set(each) == {"d", "d_error", "d_gph", "p", "q"} for each in figures)
    assert all(0.03 < each["d_error"] < 0.2 for each in figures)
    for figure in ("d", "d_error"):
        assert card.explains["farima"][figure] == pytest.approx(np.median([each[figure] for each in figures]), abs=1e-3)


def test_a_series_too_young_to_tell_anything_of_says_nothing(told):
    assert "explained" not in told[1]["young/000", "visits"]


def test_a_model_of_all_series_tells_what_it_looks_at_once(told):
    card, records = told
    assert sum(card.explains["trees"].values()) == pytest.approx(1, abs=0.01)
    assert all(name.startswith("gain_") for name in card.explains["trees"])
    assert not any("trees" in record.get("explained", {}) for record in records.values())


def test_who_tells_nothing_is_not_on_the_card(told):
    assert "window_median" not in told[0].explains


def test_a_card_with_it_is_read_as_it_was_written(told):
    assert Card.from_json(told[0].to_json()) == told[0]


def test_models_that_were_not_learnt_tell_nothing(panel_of, counts):
    panel, families = panel_of(counts(4, 120, seed=3)), [forecasters.find(name) for name in ("trees", "naive")]
    assert explain(panel, families, {}).of_all() == {}
    assert set(explain(panel, families, {0: learn(families[0], panel)}).of_all()) == {"trees"}
