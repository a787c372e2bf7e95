"""What a training's run shows: the data it learnt from, plots, errors by step, what was tried and how it went."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from ratchet.contracts.release import CARD, EVALUATION, TRAINING, Card, file_digest
from ratchet.register.client import load_mlflow
from ratchet.register.mlflow_registry import MlflowRegistry
from ratchet.register.plots import draw
from ratchet.serve.cache import ReleaseCache
from releases import is_there


@pytest.fixture
def drawing(mlflow_server):
    """A registry as the loop has it, with plots."""
    return MlflowRegistry(mlflow_server)


def test_the_run_shows_what_the_release_learnt_from(on_mlflow, client, make, workload):
    digest = "ab" * 32
    folder, card = make("one", gold=digest)
    on_mlflow.add(folder, card, gold="file:///home/gold/x/20260302T00-abababab")
    run = client.get_run(client.get_model_version(workload, "1").run_id)
    (given,) = run.inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == (f"{workload}.gold", digest[:36])
    assert json.loads(given.dataset.source) == {"uri": "file:///home/gold/x/20260302T00-abababab"}
    assert json.loads(given.dataset.profile)["digest"] == digest
    assert {tag.key: tag.value for tag in given.tags} == {"mlflow.data.context": "training"}
    assert load_mlflow().data.get_source(given).load is not None, "MLflow knows this kind of source"
    assert run.data.params["gold"] == digest


def artifacts(client, workload, path):
    run_id = client.get_model_version(workload, "1").run_id
    return {artifact.path for artifact in client.list_artifacts(run_id, path)}


EVALUATION_SHOWN = {
    "by_step": {"theta": [0.8, 0.9, None], "release": [0.7, 0.8, 0.9]},
    "by_fold": [{"from": "2026-01-04", "mase": 0.75}],
    "series": [
        {
            "rank": "best",
            "unique_id": "a",
            "target": "x",
            "mase": 0.5,
            "first_week": "2026-01-04",
            "history": [1, 2, 3],
            "actual": [4, None, 2],
            "forecast": {name: [2, 2, 2] for name in ("lo_95", "lo_80", "median", "hi_80", "hi_95")},
        }
    ],
}


def evaluated(make, release_id, content):
    folder, card = make(release_id)
    (folder / EVALUATION).write_text(content)
    card = replace(card, checksums={**card.checksums, EVALUATION: file_digest(folder / EVALUATION)})
    (folder / CARD).write_text(card.to_json())
    return folder, card


def test_the_run_has_the_plots_and_the_errors_by_step(drawing, client, make, workload):
    drawing.add(*evaluated(make, "one", json.dumps(EVALUATION_SHOWN)))
    names = ("calibration", "error_by_step", "families", "series")
    assert artifacts(client, workload, "plots") == {f"plots/{name}.png" for name in names}
    run_id = client.get_model_version(workload, "1").run_id
    steps = client.get_metric_history(run_id, "mase_by_step/release")
    assert [(step.step, step.value) for step in steps] == [(1, 0.7), (2, 0.8), (3, 0.9)]
    assert CARD in artifacts(client, workload, None)


@pytest.mark.parametrize("content", ['{"series": [{}]}', "{", '{"by_step": {"x": "y"}}'])
def test_what_cannot_be_drawn_is_said_and_keeps_no_release_from_being_registered(
    drawing, client, make, workload, caplog, content
):
    release = drawing.add(*evaluated(make, "one", content))
    assert is_there(release.location)
    run = client.get_run(client.get_model_version(workload, "1").run_id)
    assert run.data.tags["plots"].startswith("failed: ")
    assert run.info.status == "FINISHED"
    assert "one: not everything could be drawn" in caplog.text


TRIED = {"family": "theta", "options": {"weeks": 8}, "difference": -0.04, "error": 0.01, "kept": True}
TRAINED = {
    "seconds": {"validate": 12.5, "write": 0.25},
    "peak_mib": 256.5,
    "environment": {"cores": 2, "crew": "on_cores", "python": "3.11.9", "numpy": "2.4.0"},
}


def searched(make, release_id, *, training=""):
    folder, card = evaluated(make, release_id, json.dumps(EVALUATION_SHOWN | {"search": [TRIED]}))
    (folder / TRAINING).write_text(training or json.dumps(TRAINED))
    card = replace(card, trials=24, options={"theta": {"weeks": 8}}, explains={"farima": {"d": 0.31, "d_error": 0.1}})
    (folder / CARD).write_text(card.to_json())
    return folder, card


@pytest.mark.parametrize("registry", ["mlflow", "mlflow and s3"], indirect=True)
def test_the_run_shows_what_was_tried_and_how_the_training_went(registry, client, make, workload, tmp_path):
    release = registry.add(*searched(make, "one"))
    run = client.get_run(client.get_model_version(workload, "1").run_id)
    assert run.data.params["options"] == '{"theta": {"weeks": 8}}'
    assert (run.data.metrics["explains/farima/d"], run.data.metrics["explains/farima/d_error"]) == (0.31, 0.1)
    assert run.data.params["trials"] == "24"
    assert run.data.params["environment/python"] == "3.11.9"
    assert run.data.metrics["seconds/validate"] == 12.5
    assert run.data.metrics["peak_mib"] == 256.5
    table = Path(client.download_artifacts(run.info.run_id, "search.csv", str(tmp_path))).read_text()
    assert table.splitlines() == [
        "family,options,difference,error,kept",
        'theta,"{""weeks"": 8}",-0.04,0.01,True',
    ]
    folder = ReleaseCache(tmp_path / "cache").fetch(release)
    assert (folder / TRAINING).is_file(), "it goes along, and nothing asks for it"
    assert Card.from_json((folder / CARD).read_bytes()).options == {"theta": {"weeks": 8}}
    assert registry.discard(registry.retire(release)).files == "gone"
    assert not is_there(release.location, TRAINING)


@pytest.mark.parametrize("training", ["{", '{"seconds": {}}'])
def test_how_a_training_went_keeps_no_release_from_being_registered(on_mlflow, make, caplog, training):
    release = on_mlflow.add(*searched(make, "one", training=training))
    assert is_there(release.location)
    assert "how the training went is not shown" in caplog.text


def test_who_registers_may_draw_something_else(mlflow_server, client, make, workload):
    MlflowRegistry(mlflow_server, draw=lambda *_: [("mine", Figure())]).add(*make("one"))
    assert artifacts(client, workload, "plots") == {"plots/mine.png"}


def test_each_family_has_a_stroke_of_its_own(make):
    """Eight colours for nine families: the network's line, among the best, looked like the naive one's, the worst."""
    _, card = make("one")
    names = [f"family {number}" for number in range(10)]
    drawn = dict(draw(card, {"by_step": {name: [0.8, 0.9] for name in ("release", *names)}}))
    (axis,) = drawn["error_by_step"].axes
    strokes = [(line.get_color(), line.get_linestyle()) for line in axis.get_legend().get_lines()]
    assert len(set(strokes)) == len(strokes) == 1 + len(names)
