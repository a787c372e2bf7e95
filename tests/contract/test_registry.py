import shutil
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import pandas as pd
import pytest

from fakes import FakeRegistry, write_release
from ratchet.bucket import Bucket
from ratchet.contracts.errors import RegistryError, ReleaseError
from ratchet.contracts.ports import Release, Track
from ratchet.contracts.release import CARD, NAMES, Card, file_digest, issue_folder
from ratchet.register.client import load_mlflow
from ratchet.register.live import MlflowLive
from ratchet.register.mlflow_registry import MlflowRegistry
from ratchet.register.pyfunc import ReleaseModel
from ratchet.register.store import store_issue
from releases import issue_again

HOUR = datetime(2026, 3, 2, tzinfo=UTC)


IN_A_BUCKET = pytest.mark.parametrize("registry", ["fake", "mlflow", "mlflow and s3"], indirect=True)
"""Where files are kept it matters where; names, states and aliases are the same everywhere."""


@pytest.fixture(params=["fake", "mlflow"])
def registry(request, workload):
    if request.param == "fake":
        return FakeRegistry()
    server = request.getfixturevalue("mlflow_server")
    if request.param == "mlflow and s3":
        bucket = request.getfixturevalue("bucket")
        load_mlflow().MlflowClient(server).create_experiment(workload, artifact_location=f"{bucket}/{workload}")
    return MlflowRegistry(server, page_size=2)


@pytest.fixture
def workload():
    return f"registry-{uuid4().hex[:8]}"


@pytest.fixture
def make(tmp_path, workload):
    """Write release folders of this test's workload."""

    def write(release_id):
        folder = tmp_path / release_id
        return folder, write_release(folder, workload=workload, release_id=release_id, data_hour=HOUR)

    return write


def names_in(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


def folder_of(release, tmp_path=None):
    if release.location.startswith("s3://"):
        Bucket(release.location).download(tmp_path / "fetched", last=CARD)
        return tmp_path / "fetched"
    return Path(unquote(urlsplit(release.location).path))


@IN_A_BUCKET
def test_a_release_lies_where_the_registry_says_byte_by_byte(registry, make, workload, tmp_path):
    folder, card = make("one")
    release = registry.add(folder, card)
    assert (release.workload, release.version, release.release_id, release.state) == (workload, 1, "one", "registered")
    assert (release.candidate_of, release.best_of, release.data_hour) == (None, None, HOUR)
    kept = folder_of(release, tmp_path)
    assert Card.from_json((kept / CARD).read_bytes()).to_json() == card.to_json()
    assert {name: file_digest(kept / name) for name in card.checksums} == card.checksums
    assert names_in(kept) == names_in(folder)


@IN_A_BUCKET
def test_the_same_release_is_registered_once(registry, make, workload):
    folder, card = make("one")
    first = registry.add(folder, card)
    named = registry.name_candidate(first)
    assert registry.add(folder, card) == named
    assert registry.releases(workload) == [named]


@IN_A_BUCKET
def test_a_folder_that_is_not_what_its_card_says_is_refused(registry, make, workload):
    folder, card = make("one")
    (folder / NAMES).write_bytes(b"else")
    with pytest.raises(ReleaseError, match="differs from its checksum"):
        registry.add(folder, card)
    (folder / NAMES).unlink()
    with pytest.raises(ReleaseError, match="misses"):
        registry.add(folder, card)
    (folder / CARD).unlink()
    with pytest.raises(ReleaseError, match="is not there"):
        registry.add(folder, card)
    _, other = make("two")
    with pytest.raises(ReleaseError, match="not the card"):
        registry.add(make("one")[0], other)
    assert registry.releases(workload) == []


def test_releases_come_oldest_first_however_many(registry, make, workload):
    added = [registry.add(*make(f"r{number}")) for number in range(5)]
    assert registry.releases(workload) == added
    assert [release.version for release in added] == [1, 2, 3, 4, 5]


def test_mlflow_says_what_is_there_and_what_its_names_mean(mlflow_server, make, workload):
    MlflowRegistry(mlflow_server).add(*make("a"))
    client = load_mlflow().MlflowClient(mlflow_server)
    assert "the training of one release" in client.get_experiment_by_name(workload).tags["mlflow.note.content"]
    assert "`@production`" in client.get_registered_model(workload).description


def test_numbers_are_given_in_order_and_once(registry, make, workload):
    first, second, third = (registry.add(*make(name)) for name in ("a", "b", "c"))
    assert registry.name_candidate(second).candidate_of == "CO1"
    assert registry.name_candidate(first).candidate_of == "CO2"
    assert registry.name_candidate(second).candidate_of == "CO1"
    assert registry.name_best(first).best_of == "BO1"
    assert registry.name_best(third).best_of == "BO2"
    assert registry.name_best(first).best_of == "BO1"
    names = [(release.candidate_of, release.best_of) for release in registry.releases(workload)]
    assert names == [("CO2", "BO1"), ("CO1", None), (None, "BO2")]


def test_the_tenth_number_follows_the_ninth(registry, make):
    for number in range(1, 12):
        named = registry.name_candidate(registry.add(*make(f"r{number:02}")))
    assert named.candidate_of == "CO11"


def test_a_state_is_written_and_read(registry, make, workload):
    release = registry.add(*make("one"))
    marked = registry.mark(registry.name_candidate(release), "trial")
    assert (marked.state, marked.candidate_of) == ("trial", "CO1")
    assert registry.releases(workload) == [marked]


@IN_A_BUCKET
def test_an_issue_is_put_beside_the_others_and_then_told(registry, make, workload, tmp_path):
    folder, card = make("one")
    release = registry.add(folder, card)
    registry.point(workload, Track.PRODUCTION, release)
    assert release.issue == 1
    issued = registry.issue(release, issue_again(folder, 2, add=1.0, to=tmp_path / "new"), 2)
    assert issued == registry.live(workload, Track.PRODUCTION)
    assert (issued.issue, issued.location, issued.release_id) == (2, release.location, "one")
    kept = folder_of(issued, tmp_path)
    assert {path.name for path in (kept / issue_folder(2)).iterdir()} == {p.name for p in (tmp_path / "new").iterdir()}
    assert {name: file_digest(kept / name) for name in card.checksums} == card.checksums
    assert registry.add(folder, card) == issued


def test_aliases_move_and_go_away(registry, make, workload):
    for track in Track:
        assert registry.live(workload, track) is None
        registry.point(workload, track, None)
    first, second = registry.add(*make("one")), registry.add(*make("two"))
    registry.point(workload, Track.PRODUCTION, first)
    registry.point(workload, Track.CANDIDATE, second)
    assert registry.live(workload, Track.PRODUCTION).release_id == first.release_id
    assert registry.live(workload, Track.CANDIDATE).release_id == second.release_id
    registry.point(workload, Track.PRODUCTION, second)
    registry.point(workload, Track.CANDIDATE, None)
    registry.point(workload, Track.CANDIDATE, None)
    marked = registry.mark(second, "production")
    assert registry.live(workload, Track.PRODUCTION) == marked
    assert registry.live(workload, Track.CANDIDATE) is None


def test_a_release_that_is_not_registered_is_refused(registry, make, workload):
    registry.add(*make("one"))
    stranger = Release(workload=workload, version=99, release_id="x", location="file:///x")
    for refused in (
        lambda: registry.point(workload, Track.PRODUCTION, stranger),
        lambda: registry.name_candidate(stranger),
        lambda: registry.name_best(stranger),
        lambda: registry.mark(stranger, "trial"),
        lambda: registry.issue(stranger, issue_again(make("two")[0], 2), 2),
    ):
        with pytest.raises(RegistryError):
            refused()


def test_workloads_do_not_meet(registry, make, workload, tmp_path):
    registry.name_candidate(registry.add(*make("one")))
    other = write_release(tmp_path / "other", workload=f"{workload}-b", release_id="one", data_hour=HOUR)
    assert registry.name_candidate(registry.add(tmp_path / "other", other)).candidate_of == "CO1"
    assert len(registry.releases(workload)) == 1


@pytest.fixture
def mlflow_registry(mlflow_server):
    return MlflowRegistry(mlflow_server)


@pytest.fixture
def mlflow(mlflow_server, monkeypatch):
    module = load_mlflow()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    return module


def test_mlflow_loads_the_release_behind_an_alias(mlflow_registry, mlflow, make, workload):
    folder, card = make("one")
    mlflow_registry.point(workload, Track.PRODUCTION, mlflow_registry.add(folder, card))
    model = mlflow.pyfunc.load_model(f"models:/{workload}@production")
    asked = pd.DataFrame({"unique_id": ["b", "a"], "target": ["x", "y"], "horizon": [3, 1]})
    pd.testing.assert_frame_equal(model.predict(asked), ReleaseModel(folder).predict(asked))
    assert model.metadata.signature.inputs.input_names() == ["unique_id", "target", "horizon"]
    assert model.predict(model.input_example)["horizon"].tolist() == [1]


def test_an_issue_that_nobody_was_told_of_is_replaced(mlflow_registry, make, tmp_path):
    """A run was killed between the files and the tag; the next one issues from newer gold."""
    folder, card = make("one")
    release = mlflow_registry.add(folder, card)
    store_issue(release.location, issue_again(folder, 2, add=1.0, to=tmp_path / "lost"), 2)
    assert mlflow_registry.releases(release.workload)[0].issue == 1
    mlflow_registry.issue(release, issue_again(folder, 2, add=5.0, to=tmp_path / "told"), 2)
    said = file_digest(folder_of(release) / issue_folder(2) / "mean.npy")
    assert said == file_digest(tmp_path / "told" / "mean.npy")


def test_mlflow_answers_from_the_newest_issue(mlflow_registry, mlflow, make, workload, tmp_path):
    folder, card = make("one")
    release = mlflow_registry.add(folder, card)
    mlflow_registry.point(workload, Track.PRODUCTION, release)
    asked = pd.DataFrame({"unique_id": ["b"], "target": ["x"], "horizon": [3]})
    before = mlflow.pyfunc.load_model(f"models:/{workload}@production").predict(asked)
    mlflow_registry.issue(release, issue_again(folder, 2, add=1.0, to=tmp_path / "new"), 2)
    after = mlflow.pyfunc.load_model(f"models:/{workload}@production").predict(asked)
    assert after["median"].item() == before["median"].item() + 1


def test_nothing_is_pickled_and_nothing_of_the_caller_is_taken(mlflow_registry, make, tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\nversion = '1'\n")
    (tmp_path / "uv.lock").write_text("version = 1\n")
    monkeypatch.chdir(tmp_path)
    release = mlflow_registry.add(*make("one"))
    model = folder_of(release).parents[1]
    assert {path.name for path in model.iterdir()} == {
        "MLmodel", "conda.yaml", "data", "input_example.json", "python_env.yaml", "requirements.txt",
        "serving_input_example.json",
    }  # fmt: skip


def test_the_run_shows_recipe_and_scores(mlflow_registry, mlflow, make, workload):
    release = mlflow_registry.name_candidate(mlflow_registry.add(*make("one")))
    client = mlflow.MlflowClient()
    version = client.get_model_version(workload, str(release.version))
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["recipe"] == "seasonal_naive theta"
    assert run.data.params["code_version"] == "1.2.3"
    assert run.data.params["data_hour"] == HOUR.isoformat()
    assert run.data.metrics["mase/theta"] == 0.8
    assert run.data.metrics["mase/overall"] == 0.9
    assert (version.tags["CO1"], version.tags["synthetic"]) == ("true", "true")
    assert version.tags["data_hour"] == HOUR.isoformat()


class Killed(BaseException):
    """The process died."""


class Dying:
    """MLflow's client until it has done `steps` changes; the next one kills it."""

    CHANGES = ("create_", "log_", "set_", "finalize_")

    def __init__(self, client, steps):
        self._client = client
        self.left = steps

    def __getattr__(self, name):
        if name.startswith(self.CHANGES):
            if self.left == 0:
                raise Killed(name)
            self.left -= 1
        return getattr(self._client, name)


def add_until_it_dies(uri, mlflow, steps, folder, card):
    """Register; say whether it died on the way."""
    client = Dying(mlflow.MlflowClient(), steps)
    try:
        MlflowRegistry(uri, client=client).add(folder, card)
    except Killed:
        return True
    return False


def test_a_crash_between_any_two_steps_is_finished_by_the_next_try(mlflow_server, mlflow, make, workload):
    for steps in range(40):
        folder, card = make(f"crash-{steps}")
        died = add_until_it_dies(mlflow_server, mlflow, steps, folder, card)
        release = MlflowRegistry(mlflow_server).add(folder, card)
        assert {name: file_digest(folder_of(release) / name) for name in card.checksums} == card.checksums
        assert count_traces(mlflow, workload, card.release_id) == (1, 1, 1)
        if not died:
            break
    assert steps >= 8, "every step was tried"


def count_traces(mlflow, workload, release_id):
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name(workload).experiment_id
    wanted = f"tags.release_id = '{release_id}'"
    runs = client.search_runs([experiment], filter_string=wanted)
    assert [run.info.status for run in runs] == ["FINISHED"]
    return (
        len(runs),
        len(client.search_logged_models([experiment], filter_string=wanted)),
        len(client.search_model_versions(f"name = '{workload}' AND {wanted}")),
    )


def test_two_that_register_the_same_release_at_once_mean_the_same_version(mlflow_server, mlflow, make, workload):
    folder, card = make("one")
    first, second = MlflowRegistry(mlflow_server), MlflowRegistry(mlflow_server)

    class Overtaken(Dying):
        """Another process is through with it when this one creates its version."""

        def create_model_version(self, *arguments, **named):
            first.point(workload, Track.PRODUCTION, first.add(folder, card))
            return self._client.create_model_version(*arguments, **named)

    returned = MlflowRegistry(mlflow_server, client=Overtaken(mlflow.MlflowClient(), 99)).add(folder, card)
    assert [returned] == second.releases(workload)
    second.point(workload, Track.PRODUCTION, returned)
    second.issue(returned, issue_again(folder, 2), 2)
    assert second.live(workload, Track.PRODUCTION).issue == 2, "what is refreshed is what is served"


def test_a_half_copied_release_is_copied_again(mlflow_server, mlflow, make):
    folder, card = make("half")

    class Cut(Dying):
        def log_model_artifacts(self, model_id, local, path=None):
            self._client.log_model_artifacts(model_id, local, path)
            kept = folder_of_model(self._client, model_id)
            (kept / NAMES).write_bytes(b"half")
            raise Killed

    def folder_of_model(client, model_id):
        return Path(urlsplit(client.get_logged_model(model_id).artifact_location).path) / "data/release"

    with pytest.raises(Killed):
        MlflowRegistry(mlflow_server, client=Cut(mlflow.MlflowClient(), 99)).add(folder, card)
    release = MlflowRegistry(mlflow_server).add(folder, card)
    assert file_digest(folder_of(release) / NAMES) == card.checksums[NAMES]


def test_a_crash_while_naming_gives_no_second_number(mlflow_server, mlflow, make, workload):
    release = MlflowRegistry(mlflow_server).add(*make("one"))
    with pytest.raises(Killed):
        MlflowRegistry(mlflow_server, client=Dying(mlflow.MlflowClient(), 1)).name_candidate(release)
    assert MlflowRegistry(mlflow_server).name_candidate(release).candidate_of == "CO1"
    assert mlflow.MlflowClient().get_model_version(workload, "1").tags["CO1"] == "true"


def test_the_caller_may_delete_its_folder_afterwards(mlflow_registry, make):
    folder, card = make("one")
    release = mlflow_registry.add(folder, card)
    shutil.rmtree(folder)
    assert (folder_of(release) / CARD).is_file()


def test_a_model_that_is_no_release_is_an_error_and_not_absence(mlflow_server, mlflow, workload):
    client = mlflow.MlflowClient()
    client.create_registered_model(workload)
    client.create_model_version(workload, "s3://bucket/x", await_creation_for=0)
    client.set_registered_model_alias(workload, "production", "1")
    with pytest.raises(RegistryError, match="not registered as a release"):
        MlflowLive(mlflow_server).live(workload, Track.PRODUCTION)


def test_an_alias_nobody_set_is_absence(mlflow_server, mlflow, workload):
    live = MlflowLive(mlflow_server)
    assert live.live(workload, Track.PRODUCTION) is None
    mlflow.MlflowClient().create_registered_model(workload)
    assert live.live(workload, Track.PRODUCTION) is None
    with pytest.raises(RegistryError):
        MlflowLive(f"{mlflow_server}/elsewhere").live(workload, Track.PRODUCTION)


def test_a_registry_that_is_away_is_an_error(monkeypatch, make):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    fake = FakeRegistry()
    fake.away = True
    folder, card = make("one")
    for registry in (fake, MlflowRegistry("http://127.0.0.1:1")):
        for call in (lambda r: r.add(folder, card), lambda r: r.releases("w"), lambda r: r.live("w", Track.PRODUCTION)):
            with pytest.raises(RegistryError):
                call(registry)
