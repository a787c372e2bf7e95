"""What is removed of releases, when, and what stays: on the fake and on MLflow, in a folder and in S3."""

import logging
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock
from urllib.parse import unquote, urlsplit

import pytest

from ratchet.bucket import Bucket
from ratchet.contracts.errors import RegistryError, ReleaseError
from ratchet.contracts.ports import Track
from ratchet.contracts.release import CARD, Card, issue_folder
from ratchet.register.client import load_mlflow
from ratchet.register.discard import discard_release, stored_issues
from ratchet.register.store import release_tags
from ratchet.serve.cache import ReleaseCache
from releases import is_there, issue_again

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EVERYWHERE = pytest.mark.parametrize("registry", ["fake", "mlflow", "mlflow and s3"], indirect=True)


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


def test_an_alias_of_the_version_that_does_not_count_keeps_the_files_too(on_mlflow, client, make, workload):
    """Two processes that registered one release at once may have left two versions of the same files."""
    folder, card = make("one")
    release = on_mlflow.add(folder, card)
    counts = client.get_model_version(workload, str(release.version))
    (model,) = client.search_logged_models([client.get_experiment_by_name(workload).experiment_id])
    source = {"source": f"models:/{model.model_id}", "model_id": model.model_id}
    twin = client.create_model_version(workload, **source, tags=counts.tags, await_creation_for=0)
    client.set_registered_model_alias(workload, "keep-for-the-audit", twin.version)
    with pytest.raises(RegistryError, match="an alias names one"):
        on_mlflow.retire(release)
    assert on_mlflow.aliased(workload) == {release.version, int(twin.version)}


def test_files_come_back_where_the_version_that_counts_says(on_mlflow, client, make, workload):
    """Two processes that registered one release at once may have left two places for its files."""
    folder, card = make("one")
    release = on_mlflow.mark(on_mlflow.add(folder, card), "rolled_back")
    experiment = client.get_experiment_by_name(workload)
    client.create_logged_model(experiment.experiment_id, name="one", tags=release_tags(card))
    on_mlflow.discard(on_mlflow.retire(release))
    assert on_mlflow.add(folder, card).files == "kept"
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


@pytest.mark.parametrize("registry", ["mlflow", "mlflow and s3"], indirect=True)
def test_files_that_somebody_deleted_by_hand_are_put_back_by_registering_again(registry, make, workload, caplog):
    folder, card = make("one")
    release = registry.add(folder, card)
    registry.point(workload, Track.PRODUCTION, release)
    discard_release(release.location)
    with caplog.at_level(logging.WARNING, logger="ratchet.register"):
        back = registry.add(folder, card)
        assert registry.add(folder, card) == back
    said = [record.getMessage() for record in caplog.records if record.name == "ratchet.register"]
    assert said == [f"the files of one are gone from {release.location}: they are put back"]
    assert (back.files, back.version) == ("kept", release.version)
    assert is_there(back.location)
    assert registry.live(workload, Track.PRODUCTION).files == "kept"


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
