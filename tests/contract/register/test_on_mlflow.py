"""What people and other programs find of a release in MLflow."""

import logging
import os
import shutil
import time
from datetime import UTC, datetime

import pandas as pd
import pytest

from ratchet.contracts.errors import RegistryError
from ratchet.contracts.ports import Track
from ratchet.contracts.release import CARD, file_digest, issue_folder
from ratchet.register.live import MlflowLive
from ratchet.register.pyfunc import ReleaseModel
from ratchet.register.store import store_issue
from releases import folder_of, issue_again

HOUR = datetime(2026, 3, 2, tzinfo=UTC)


def test_mlflow_loads_the_release_behind_an_alias(on_mlflow, mlflow, make, workload):
    folder, card = make("one")
    on_mlflow.point(workload, Track.PRODUCTION, on_mlflow.add(folder, card))
    model = mlflow.pyfunc.load_model(f"models:/{workload}@production")
    asked = pd.DataFrame({"unique_id": ["b", "a"], "target": ["x", "y"], "horizon": [3, 1]})
    pd.testing.assert_frame_equal(model.predict(asked), ReleaseModel(folder).predict(asked))
    assert model.metadata.signature.inputs.input_names() == ["unique_id", "target", "horizon"]
    assert model.predict(model.input_example)["horizon"].tolist() == [1]


def test_mlflow_says_what_is_there_and_what_its_names_mean(on_mlflow, mlflow, make, workload):
    on_mlflow.add(*make("a"))
    client = mlflow.MlflowClient()
    assert "the training of one release" in client.get_experiment_by_name(workload).tags["mlflow.note.content"]
    assert "`@production`" in client.get_registered_model(workload).description


def test_an_issue_that_nobody_was_told_of_is_replaced(on_mlflow, make, tmp_path):
    """A run was killed between the files and the tag; the next one issues from newer gold."""
    folder, card = make("one")
    release = on_mlflow.add(folder, card)
    store_issue(release.location, issue_again(folder, 2, add=1.0, to=tmp_path / "lost"), 2)
    assert on_mlflow.releases(release.workload)[0].issue == 1
    on_mlflow.issue(release, issue_again(folder, 2, add=5.0, to=tmp_path / "told"), 2)
    said = file_digest(folder_of(release) / issue_folder(2) / "mean.npy")
    assert said == file_digest(tmp_path / "told" / "mean.npy")


def test_what_a_killed_run_left_of_an_issue_goes_with_the_next_one_a_day_later(on_mlflow, make, tmp_path):
    folder, card = make("one")
    release = on_mlflow.add(folder, card)
    place = folder_of(release).parent
    for name, hours in (("killed", 25), ("at-work", 1)):
        (place / f".issue.{name}" / "new").mkdir(parents=True)
        since = time.time() - 3600 * hours
        os.utime(place / f".issue.{name}", (since, since))
    on_mlflow.issue(release, issue_again(folder, 2, to=tmp_path / "new"), 2)
    assert [path.name for path in place.glob(".issue.*")] == [".issue.at-work"]
    on_mlflow.discard(on_mlflow.retire(release))
    assert list(place.glob(".issue.*")) == []


def test_mlflow_answers_from_the_newest_issue(on_mlflow, mlflow, make, workload, tmp_path):
    folder, card = make("one")
    release = on_mlflow.add(folder, card)
    on_mlflow.point(workload, Track.PRODUCTION, release)
    asked = pd.DataFrame({"unique_id": ["b"], "target": ["x"], "horizon": [3]})
    before = mlflow.pyfunc.load_model(f"models:/{workload}@production").predict(asked)
    on_mlflow.issue(release, issue_again(folder, 2, add=1.0, to=tmp_path / "new"), 2)
    after = mlflow.pyfunc.load_model(f"models:/{workload}@production").predict(asked)
    assert after["median"].item() == before["median"].item() + 1


def test_nothing_is_pickled_and_nothing_of_the_caller_is_taken(on_mlflow, make, tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\nversion = '1'\n")
    (tmp_path / "uv.lock").write_text("version = 1\n")
    monkeypatch.chdir(tmp_path)
    release = on_mlflow.add(*make("one"))
    model = folder_of(release).parents[1]
    assert {path.name for path in model.iterdir()} == {
        "MLmodel", "conda.yaml", "data", "input_example.json", "python_env.yaml", "requirements.txt",
        "serving_input_example.json",
    }  # fmt: skip


def test_the_run_shows_recipe_and_scores(on_mlflow, mlflow, make, workload):
    made = make("one", ensemble=("seasonal_naive", "theta"), expects="tsb")
    release = on_mlflow.name_candidate(on_mlflow.add(*made))
    client = mlflow.MlflowClient()
    version = client.get_model_version(workload, str(release.version))
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["recipe"] == "seasonal_naive theta"
    assert (run.data.params["ensemble"], run.data.params["expects"]) == ("seasonal_naive theta", "tsb")
    assert run.data.params["code_version"] == "1.2.3"
    assert run.data.params["data_hour"] == HOUR.isoformat()
    assert run.data.metrics["mase/theta"] == 0.8
    assert run.data.metrics["mase/overall"] == 0.9
    assert (version.tags["CO1"], version.tags["synthetic"]) == ("true", "true")
    assert version.tags["data_hour"] == HOUR.isoformat()


def test_the_caller_may_delete_its_folder_afterwards(on_mlflow, make):
    folder, card = make("one")
    release = on_mlflow.add(folder, card)
    shutil.rmtree(folder)
    assert (folder_of(release) / CARD).is_file()


def test_a_model_that_is_no_release_is_an_error_and_not_absence(mlflow_server, mlflow, workload):
    client = mlflow.MlflowClient()
    client.create_registered_model(workload)
    client.create_model_version(workload, "s3://bucket/x", await_creation_for=0)
    client.set_registered_model_alias(workload, "production", "1")
    with pytest.raises(RegistryError, match="not registered as a release"):
        MlflowLive(mlflow_server).live(workload, Track.PRODUCTION)


def test_a_version_that_somebody_registered_by_hand_stops_nothing(on_mlflow, mlflow, make, workload, caplog):
    first = on_mlflow.add(*make("a"))
    mlflow.MlflowClient().create_model_version(workload, "s3://bucket/x", await_creation_for=0)
    with caplog.at_level(logging.WARNING, logger="ratchet.register"):
        second = on_mlflow.name_candidate(on_mlflow.add(*make("b")))
        on_mlflow.point(workload, Track.PRODUCTION, first)
        assert [one.release_id for one in on_mlflow.releases(workload)] == ["a", "b"]
    assert (second.candidate_of, on_mlflow.live(workload, Track.PRODUCTION).release_id) == ("CO1", "a")
    assert caplog.messages == [f"version 2 of {workload} was not registered as a release: it is passed over"]


def spoil(mlflow, release, tag, value):
    """Write over a tag by hand, or delete it."""
    client = mlflow.MlflowClient()
    if value is None:
        client.delete_model_version_tag(release.workload, str(release.version), tag)
    else:
        client.set_model_version_tag(release.workload, str(release.version), tag, value)


@pytest.mark.parametrize("spoilt", [("location", None), ("data_hour", "yesterday"), ("issue", "x")])
def test_an_archived_release_that_a_hand_has_spoilt_stops_no_move(on_mlflow, mlflow, make, workload, caplog, spoilt):
    first, old = on_mlflow.add(*make("a")), on_mlflow.mark(on_mlflow.add(*make("b")), "rolled_back")
    spoil(mlflow, old, *spoilt)
    with caplog.at_level(logging.WARNING, logger="ratchet.register"):
        third = on_mlflow.name_candidate(on_mlflow.add(*make("c")))
        on_mlflow.point(workload, Track.PRODUCTION, first)
        assert [one.release_id for one in on_mlflow.releases(workload)] == ["a", "c"]
    assert (third.candidate_of, third.line) == ("CO1", "1.2"), "what cannot be read has its place in the count"
    (said,) = caplog.messages
    assert said.startswith(f"version 2 of {workload} is archived and cannot be read")
    assert any(word in said for word in spoilt if word)


def test_a_release_that_may_still_be_served_is_an_error_where_it_cannot_be_read(on_mlflow, mlflow, make, workload):
    waiting = on_mlflow.mark(on_mlflow.add(*make("a")), "queued")
    spoil(mlflow, waiting, "location", None)
    with pytest.raises(RegistryError, match="version 1 of"):
        on_mlflow.releases(workload)


def test_a_moment_that_a_hand_wrote_without_a_zone_is_utc(on_mlflow, mlflow, make, workload):
    spoil(mlflow, on_mlflow.mark(on_mlflow.add(*make("a")), "rolled_back"), "archived_at", "2026-03-01T10:00:00")
    (release,) = on_mlflow.releases(workload)
    assert release.archived_at == datetime(2026, 3, 1, 10, tzinfo=UTC)


def test_a_name_that_somebody_wrote_counts_for_nothing(on_mlflow, mlflow, make, workload):
    first, second = (on_mlflow.name_best(on_mlflow.name_candidate(on_mlflow.add(*make(name)))) for name in "ab")
    for tag, name in (("candidate_of", "CO2 (bad)"), ("best_of", "the old one")):
        mlflow.MlflowClient().set_model_version_tag(workload, str(second.version), tag, name)
    third = on_mlflow.name_best(on_mlflow.name_candidate(on_mlflow.add(*make("c"))))
    assert [first.candidate_of, third.candidate_of, first.best_of, third.best_of] == ["CO1", "CO3", "BO1", "BO3"]
    assert on_mlflow.name_best(second).best_of == "the old one"


def test_an_alias_nobody_set_is_absence(mlflow_server, mlflow, workload):
    live = MlflowLive(mlflow_server)
    assert live.live(workload, Track.PRODUCTION) is None
    mlflow.MlflowClient().create_registered_model(workload)
    assert live.live(workload, Track.PRODUCTION) is None
    with pytest.raises(RegistryError):
        MlflowLive(f"{mlflow_server}/elsewhere").live(workload, Track.PRODUCTION)
