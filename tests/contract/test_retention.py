"""What releases are called, where they stand and what is removed of them: one suite for the fake and for MLflow, in a folder and in S3."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import pytest

from fakes import FakeRegistry, write_release
from ratchet.bucket import Bucket
from ratchet.contracts.errors import RegistryError, ReleaseError
from ratchet.contracts.ports import Track
from ratchet.contracts.release import CARD, EVALUATION, TRAINING, Card, file_digest, issue_folder
from ratchet.register.client import load_mlflow
from ratchet.register.discard import discard_release, read_file, stored_issues
from ratchet.register.mlflow_registry import MlflowRegistry
from ratchet.serve.cache import ReleaseCache
from releases import issue_again

HOUR = datetime(2026, 3, 2, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
EVERYWHERE = pytest.mark.parametrize("registry", ["fake", "mlflow", "mlflow and s3"], indirect=True)


@pytest.fixture
def workload():
    return f"kept-{uuid4().hex[:8]}"


@pytest.fixture(params=["fake", "mlflow"])
def registry(request, workload):
    if request.param == "fake":
        return FakeRegistry()
    server = request.getfixturevalue("mlflow_server")
    if request.param == "mlflow and s3":
        place = f"{request.getfixturevalue('bucket')}/{workload}"
        load_mlflow().MlflowClient(server).create_experiment(workload, artifact_location=place)
    return MlflowRegistry(server, page_size=2)


@pytest.fixture
def on_mlflow(mlflow_server):
    return MlflowRegistry(mlflow_server)


@pytest.fixture
def client(mlflow_server):
    return load_mlflow().MlflowClient(mlflow_server)


@pytest.fixture
def make(tmp_path, workload):
    def write(release_id, **changes):
        folder = tmp_path / release_id
        card = replace(write_release(folder, workload=workload, release_id=release_id, data_hour=HOUR), **changes)
        (folder / CARD).write_text(card.to_json())
        return folder, card

    return write


def standing(registry, workload):
    return {release.release_id: release.lifecycle for release in registry.releases(workload)}


def is_there(location, name=CARD):
    return read_file(location, name) is not None


def test_lifecycle_follows_the_aliases_through_a_whole_turn(registry, make, workload):
    first, second = registry.add(*make("one")), registry.add(*make("two"))
    assert standing(registry, workload) == {"one": "trained", "two": "trained"}
    registry.point(workload, Track.PRODUCTION, first)
    registry.mark(first, "production")
    registry.mark(second, "queued")
    assert standing(registry, workload) == {"one": "production", "two": "candidate"}
    registry.point(workload, Track.CANDIDATE, second)
    registry.point(workload, Track.PRODUCTION, second)
    registry.point(workload, Track.CANDIDATE, first)
    registry.mark(first, "beaten")
    assert standing(registry, workload) == {"one": "candidate", "two": "production"}, "the watch: it is compared still"
    before = datetime.now(UTC)
    registry.point(workload, Track.CANDIDATE, None)
    assert standing(registry, workload) == {"one": "archived", "two": "production"}
    archived = registry.releases(workload)[0]
    assert before <= archived.archived_at <= datetime.now(UTC)
    registry.settle(workload)
    assert registry.releases(workload)[0] == archived, "a second look changes nothing, not even the moment"
    registry.point(workload, Track.PRODUCTION, first)
    assert registry.releases(workload)[0].archived_at is None


def test_versions_tell_how_a_release_was_made_and_which_issue_it_serves(registry, make, workload, tmp_path):
    folder, card = make("simple")
    simple = registry.add(folder, card)
    registry.add(*make("rich", recipe=("theta", "trees")))
    registry.add(*make("richer", recipe=("trees", "theta")))
    registry.add(*make("simple again"))
    registry.add(*make("another form", layout=2))
    found = {release.release_id: release.semantic_version for release in registry.releases(workload)}
    assert found == {
        "simple": "1.0.1", "rich": "2.0.1", "richer": "2.1.1", "simple again": "1.1.1", "another form": "3.0.1",
    }  # fmt: skip
    issued = registry.issue(simple, issue_again(folder, 2, to=tmp_path / "new"), 2)
    assert issued.semantic_version == "1.0.2"


def test_the_version_is_a_tag_that_people_can_search_for(on_mlflow, client, make, workload, tmp_path):
    folder, card = make("one")
    release = on_mlflow.add(folder, card)
    assert client.get_model_version(workload, "1").tags["semantic_version"] == "1.0.1"
    on_mlflow.issue(release, issue_again(folder, 2, to=tmp_path / "new"), 2)
    found = client.search_model_versions(f"name = '{workload}' AND tags.semantic_version = '1.0.2'")
    assert [version.version for version in found] in ([1], ["1"])


def test_two_trainings_at_once_get_two_versions_whoever_counts_last(mlflow_server, make, workload, monkeypatch):
    """Both are registered before either has counted; each then counts what it sees."""
    first, second = MlflowRegistry(mlflow_server), MlflowRegistry(mlflow_server)
    settle = MlflowRegistry.settle
    monkeypatch.setattr(MlflowRegistry, "settle", lambda *_: None)
    first.add(*make("one"))
    second.add(*make("two", recipe=("theta",)))
    monkeypatch.setattr(MlflowRegistry, "settle", settle)
    second.settle(workload)
    first.settle(workload)
    assert [release.semantic_version for release in first.releases(workload)] == ["1.0.1", "2.0.1"]


def test_labels_that_a_kill_parted_from_the_alias_are_right_after_the_next_move(on_mlflow, client, make, workload):
    first, second = on_mlflow.add(*make("one")), on_mlflow.add(*make("two"))
    on_mlflow.point(workload, Track.PRODUCTION, first)
    on_mlflow.mark(first, "production")
    client.set_registered_model_alias(workload, "production", "2")  # and then it died
    assert standing(on_mlflow, workload) == {"one": "production", "two": "trained"}
    on_mlflow.mark(second, "production")
    on_mlflow.mark(first, "beaten")
    assert standing(on_mlflow, workload) == {"one": "archived", "two": "production"}


def test_releases_from_before_there_were_labels_get_them(on_mlflow, client, make, workload):
    release = on_mlflow.add(*make("old"))
    for tag in ("make", "lifecycle", "semantic_version"):
        client.delete_model_version_tag(workload, str(release.version), tag)
    assert on_mlflow.releases(workload)[0].semantic_version == ""
    on_mlflow.settle(workload)
    assert on_mlflow.releases(workload)[0].semantic_version == "1.0.1"


@EVERYWHERE
def test_files_go_and_what_the_release_was_stays(registry, make, workload, tmp_path):
    folder, card = make("one")
    release = registry.mark(registry.name_candidate(registry.add(folder, card)), "rolled_back")
    registry.issue(release, issue_again(folder, 2, to=tmp_path / "new"), 2)
    with pytest.raises(RegistryError, match="not said to be going"):
        registry.discard(release)
    assert is_there(release.location)
    gone = registry.discard(registry.retire(release))
    assert not is_there(release.location)
    assert not is_there(release.location, f"{issue_folder(2)}/mean.npy")
    assert (gone.files, gone.state, gone.candidate_of, gone.lifecycle) == ("gone", "rolled_back", "CO1", "archived")
    assert registry.releases(workload) == [gone]
    with pytest.raises(RegistryError, match="were removed"):
        registry.point(workload, Track.PRODUCTION, gone)
    with pytest.raises(ReleaseError, match=r"files of one were removed \(RELEASES_KEEP\)"):
        ReleaseCache(tmp_path / "cache").fetch(gone)


@EVERYWHERE
def test_what_an_alias_names_is_not_removed(registry, make, workload):
    first, second = registry.add(*make("one")), registry.add(*make("two"))
    registry.point(workload, Track.PRODUCTION, first)
    with pytest.raises(RegistryError, match="an alias names one"):
        registry.retire(first)
    registry.retire(second)
    with pytest.raises(RegistryError, match="were removed"):
        registry.point(workload, Track.CANDIDATE, second)
    assert is_there(first.location)
    assert is_there(second.location)


def test_an_alias_that_people_gave_counts_too_even_at_the_last_moment(on_mlflow, client, make, workload):
    release = on_mlflow.add(*make("one"))
    client.set_registered_model_alias(workload, "keep-for-the-audit", "1")
    with pytest.raises(RegistryError, match="an alias names one"):
        on_mlflow.retire(release)
    client.delete_registered_model_alias(workload, "keep-for-the-audit")
    on_mlflow.retire(release)
    client.set_registered_model_alias(workload, "keep-for-the-audit", "1")
    assert on_mlflow.discard(release).files == "kept"
    assert is_there(release.location)


@EVERYWHERE
def test_a_release_that_is_registered_again_gets_its_files_back(registry, make, tmp_path):
    folder, card = make("one")
    release = registry.mark(registry.add(folder, card), "rolled_back")
    registry.issue(release, issue_again(folder, 2, to=tmp_path / "new"), 2)
    kept = tmp_path / "elsewhere"
    shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("0002"))
    going = registry.retire(release)
    with pytest.raises(RegistryError, match="being removed"):
        registry.add(kept, card)
    registry.discard(going)
    back = registry.add(kept, card)
    assert (back.files, back.state, back.issue, back.version) == ("kept", "rolled_back", 1, release.version)
    copied = ReleaseCache(tmp_path / "cache").fetch(back)
    assert Card.from_json((copied / CARD).read_bytes()).checksums == card.checksums


@EVERYWHERE
def test_old_issues_go_an_hour_after_everybody_was_told(registry, make, tmp_path):
    folder, card = make("one")
    release = registry.add(folder, card)
    for number in range(2, 6):
        release = registry.issue(release, issue_again(folder, number, to=tmp_path / f"new-{number}"), number)
    assert registry.discard_issues(release, told_before=NOW) == []
    release = registry.keep_issues(release, (1, 4, 5), at=NOW)
    assert release.issues == (1, 4, 5)
    assert registry.discard_issues(release, told_before=NOW) == []
    release = registry.issue(release, issue_again(folder, 6, to=tmp_path / "new-6"), 6)
    assert release.issues == (1, 4, 5, 6), "what came since is there"
    assert list(registry.discard_issues(release, told_before=NOW + timedelta(seconds=1))) == [2, 3]
    assert list(registry.discard_issues(release, told_before=NOW + timedelta(seconds=1))) == []
    copied = ReleaseCache(tmp_path / "cache").fetch(release)
    assert sorted(path.name for path in (copied / "forecasts").iterdir()) == ["0001", "0004", "0005", "0006"]


def test_a_copy_drops_the_issues_that_were_let_go(on_mlflow, make, tmp_path):
    folder, card = make("one")
    release = on_mlflow.add(folder, card)
    for number in (2, 3):
        release = on_mlflow.issue(release, issue_again(folder, number, to=tmp_path / f"new-{number}"), number)
    cache = ReleaseCache(tmp_path / "cache")
    copied = cache.fetch(release)
    assert (copied / issue_folder(2)).is_dir()
    kept = on_mlflow.keep_issues(release, (1, 3), at=NOW)
    cache.fetch(kept)
    cache.note_good(card.workload, Track.PRODUCTION, kept)
    assert sorted(path.name for path in (copied / "forecasts").iterdir()) == ["0001", "0003"]


class Killed(BaseException):
    """The process died."""


@pytest.mark.parametrize("registry", ["mlflow", "mlflow and s3"], indirect=True)
def test_a_removal_that_is_killed_anywhere_is_finished_by_the_next(registry, make, workload, monkeypatch, tmp_path):
    clear, rename = Bucket.clear, Path.rename

    def half(self, *, first):
        """Delete the card, as `clear` does first, and die."""
        self._s3.delete_object(Bucket=self._bucket, Key=self._key(first))
        raise Killed

    def renamed(self, target):
        rename(self, target)
        if str(target).endswith(".going"):
            raise Killed

    folder, card = make("one")
    release = registry.add(folder, card)
    for number in (2, 3):
        release = registry.issue(release, issue_again(folder, number, to=tmp_path / f"new-{number}"), number)
    registry.keep_issues(release, (1, 3), at=NOW)
    later = NOW + timedelta(hours=1)
    monkeypatch.setattr(Bucket, "clear", half)
    monkeypatch.setattr(Path, "rename", renamed)
    with pytest.raises(Killed):
        registry.discard_issues(release, told_before=later)
    going = registry.retire(release)
    with pytest.raises(Killed):
        registry.discard(going)
    monkeypatch.setattr(Bucket, "clear", clear)
    monkeypatch.setattr(Path, "rename", rename)
    assert registry.releases(workload)[0].files == "going"
    with pytest.raises(ReleaseError, match="were removed"):
        ReleaseCache(tmp_path / "cache").fetch(registry.releases(workload)[0])
    assert registry.discard(going).files == "gone"
    assert list(places(release.location)) == []


@pytest.mark.parametrize("registry", ["mlflow", "mlflow and s3"], indirect=True)
def test_an_issue_whose_removal_was_killed_is_removed_by_the_next(registry, make, monkeypatch, tmp_path):
    folder, card = make("one")
    release = registry.add(folder, card)
    for number in (2, 3):
        release = registry.issue(release, issue_again(folder, number, to=tmp_path / f"new-{number}"), number)
    registry.keep_issues(release, (1, 3), at=NOW)
    later, die = NOW + timedelta(hours=1), Mock(side_effect=Killed)
    with monkeypatch.context() as dying:
        dying.setattr("ratchet.register.discard.shutil", SimpleNamespace(rmtree=die))
        dying.setattr(Bucket, "clear", die)
        with pytest.raises(Killed):
            registry.discard_issues(release, told_before=later)
    assert 2 in stored_issues(release.location)
    assert list(registry.discard_issues(release, told_before=later)) == [2]
    assert stored_issues(release.location) == [1, 3]


def places(location):
    """Everything that is left of a release where it lay, leftovers of a killed removal too."""
    if location.startswith("s3://"):
        yield from Bucket(location).listing()
        return
    folder = Path(unquote(urlsplit(location).path))
    yield from folder.parent.iterdir()


def test_the_card_and_the_scores_of_what_was_removed_are_in_mlflow(
    on_mlflow, client, make, workload, mlflow_server, monkeypatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    folder, card = make("one")
    release = on_mlflow.add(folder, card)
    run_id = client.get_model_version(workload, "1").run_id
    root = Path(unquote(urlsplit(client.get_run(run_id).info.artifact_uri).path))
    (root / CARD).unlink()  # as of a release from before runs had one
    on_mlflow.discard(on_mlflow.retire(release))
    assert Card.from_json((root / CARD).read_bytes()).to_json() == card.to_json()
    assert client.get_run(run_id).data.metrics["mase/theta"] == 0.8
    with pytest.raises(ReleaseError, match="RELEASES_KEEP"):
        load_mlflow().pyfunc.load_model(f"models:/{workload}/1")


def test_nothing_but_a_release_is_ever_removed(tmp_path):
    for location in ("file:///", tmp_path.as_uri(), "s3://bucket", "http://x/data/release"):
        with pytest.raises(RegistryError, match="nothing was removed"):
            discard_release(location)
    assert tmp_path.is_dir()


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


def test_the_run_has_the_plots_and_the_errors_by_step(on_mlflow, client, make, workload):
    on_mlflow.add(*evaluated(make, "one", json.dumps(EVALUATION_SHOWN)))
    names = ("calibration", "error_by_step", "families", "series")
    assert artifacts(client, workload, "plots") == {f"plots/{name}.png" for name in names}
    run_id = client.get_model_version(workload, "1").run_id
    steps = client.get_metric_history(run_id, "mase_by_step/release")
    assert [(step.step, step.value) for step in steps] == [(1, 0.7), (2, 0.8), (3, 0.9)]
    assert CARD in artifacts(client, workload, None)


@pytest.mark.parametrize("content", ['{"series": [{}]}', "{", '{"by_step": {"x": "y"}}'])
def test_what_cannot_be_drawn_is_said_and_keeps_no_release_from_being_registered(
    on_mlflow, client, make, workload, caplog, content
):
    release = on_mlflow.add(*evaluated(make, "one", content))
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
    card = replace(card, trials=24, options={"theta": {"weeks": 8}})
    (folder / CARD).write_text(card.to_json())
    return folder, card


@pytest.mark.parametrize("registry", ["mlflow", "mlflow and s3"], indirect=True)
def test_the_run_shows_what_was_tried_and_how_the_training_went(registry, client, make, workload, tmp_path):
    release = registry.add(*searched(make, "one"))
    run = client.get_run(client.get_model_version(workload, "1").run_id)
    assert run.data.params["options"] == '{"theta": {"weeks": 8}}'
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
