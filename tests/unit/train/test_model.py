"""What a release keeps forecasts again, to the digit, and from newer weeks without learning again."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from ratchet.contracts import release
from ratchet.contracts.errors import ReleaseError
from ratchet.train import calibrate, train
from ratchet.train.accepting import accept
from ratchet.train.choose import OWN, TYPICAL
from ratchet.train.model import read

RECIPE = ("naive", "window_median", "tsb", "farima", "trees", "neural")


@pytest.fixture(scope="module")
def trained(history, workload, data_hour, tmp_path_factory):
    out = tmp_path_factory.mktemp("releases")
    card = train(
        history, workload=workload, recipe=RECIPE, data_hour=data_hour, code_version="1", synthetic=True, out=out
    )
    return card, out / card.release_id


@pytest.fixture(scope="module")
def panel(history, workload, data_hour):
    return accept(history, targets=workload.targets, data_hour=data_hour)[0]


def in_panel_order(folder, panel, array):
    keys = np.load(folder / release.KEYS)
    rows = [np.searchsorted(keys, np.uint64(release.series_key(*release.split_name(name)))) for name in panel.names]
    return array[rows]


def test_what_is_kept_forecasts_what_the_release_forecasts(trained, panel):
    card, folder = trained
    family = in_panel_order(folder, panel, np.load(folder / release.FAMILY))
    model = read(folder, family, panel)
    again = model.forecast(panel, model.ask(panel, horizon=card.horizon))
    for name in release.STATISTICS:
        written = in_panel_order(folder, panel, np.load(folder / release.issue_folder(1) / f"{name}.npy"))
        np.testing.assert_allclose(again[name], written, rtol=1e-5, atol=1e-5)


def test_a_release_from_before_goes_on_as_its_card_measured_it(trained, panel, tmp_path):
    card, folder = trained
    family = in_panel_order(folder, panel, np.load(folder / release.FAMILY))
    older = shutil.copytree(folder, tmp_path / "older")
    known = json.loads((older / "model.json").read_bytes())
    for added in ("holidays", "own_bounds", "tells", "mean_in_ratio", "mean_own", "mean_typical"):
        del known[added]
    for pool in known["calibration"]:
        del pool["stretch"]
    (older / "model.json").write_text(json.dumps(known))
    now, then = (read(one, family, panel) for one in (folder, older))
    said = then.ask(panel, horizon=card.horizon)
    pooled = calibrate.apply(
        then.calibration,
        point=then.choice.point(said.typical),
        nature=replace(calibrate.describe(panel.values), own=None),
    )
    np.testing.assert_array_equal(then.forecast(panel, said)["lo_80"], pooled["lo_80"])
    assert (now.forecast(panel, said)["lo_80"] != pooled["lo_80"]).any()
    assert said.ends is None
    assert all(set(pool.stretch.values()) == {1.0} for pool in then.calibration.values())
    expected = (pooled["mean"] + said.typical[then.choice.expects]) / 2
    np.testing.assert_array_equal(then.forecast(panel, said)["mean"], expected)


def test_a_release_from_before_keeps_the_mean_that_it_had(trained, panel, tmp_path):
    """Both parts in ratio, as much of one as of the other, and nothing of the median."""
    card, folder = trained
    older = shutil.copytree(folder, tmp_path / "older")
    known = json.loads((older / "model.json").read_bytes())
    del known["mean_own"], known["mean_typical"]
    (older / "model.json").write_text(json.dumps(known))
    family = in_panel_order(folder, panel, np.load(folder / release.FAMILY))
    now, then = (read(one, family, panel) for one in (folder, older))
    assert (now.choice.own, now.choice.typical) == (OWN, TYPICAL)
    said = then.ask(panel, horizon=card.horizon)
    expected = said.typical[then.choice.expects]
    own = then.choice.mean(said.typical, np.ones_like(expected))
    np.testing.assert_allclose(own, np.sqrt(expected))


def test_a_family_that_tells_bounds_tells_them_again(trained, panel):
    """Its part is in what the release says, in what it was measured by, and in what it says when it is issued again."""
    card, folder = trained
    model = read(folder, in_panel_order(folder, panel, np.load(folder / release.FAMILY)), panel)
    assert RECIPE[model.choice.tells] == "neural"
    said = model.ask(panel, horizon=card.horizon)
    assert said.ends.shape == (4, len(panel.names), card.horizon)
    without = model.forecast(panel, replace(said, ends=None))
    assert (model.forecast(panel, said)["hi_80"] != without["hi_80"]).any()


def test_nothing_that_is_kept_is_a_pickle(trained):
    kept = {path.suffix for path in trained[1].rglob("*") if path.is_file()}
    assert kept <= {".json", ".npy", ".bin", ".txt", ".onnx"}
    known = json.loads((trained[1] / "model.json").read_bytes())
    assert known["recipe"] == list(RECIPE)


def test_the_card_names_the_ensemble_and_what_expects(trained):
    card, _ = trained
    assert card.expects == "tsb"
    assert len(card.ensemble) >= 1
    assert "tsb" not in card.ensemble


def test_a_folder_without_a_model_is_said(tmp_path, panel):
    with pytest.raises(ReleaseError, match="keeps no model"):
        read(tmp_path, np.zeros(len(panel.names), dtype=int), panel)


def test_the_same_training_gives_the_same_model_bytes(trained, history, workload, tmp_path):
    card = train(
        history,
        workload=workload,
        recipe=RECIPE,
        data_hour=datetime(2026, 6, 1, 3, tzinfo=UTC),
        code_version="1",
        synthetic=True,
        out=tmp_path,
    )
    assert card.checksums == trained[0].checksums
