"""Processes that die while they register, or do it at the same time."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ratchet.contracts.ports import Track
from ratchet.contracts.release import NAMES, file_digest
from ratchet.register.mlflow_registry import MlflowRegistry
from releases import folder_of, issue_again, no_plots


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
        MlflowRegistry(uri, client=client, draw=no_plots).add(folder, card)
    except Killed:
        return True
    return False


def test_a_crash_between_any_two_steps_is_finished_by_the_next_try(mlflow_server, mlflow, make, workload):
    for steps in range(40):
        folder, card = make(f"crash-{steps}")
        died = add_until_it_dies(mlflow_server, mlflow, steps, folder, card)
        release = MlflowRegistry(mlflow_server, draw=no_plots).add(folder, card)
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
    first, second = MlflowRegistry(mlflow_server, draw=no_plots), MlflowRegistry(mlflow_server, draw=no_plots)

    class Overtaken(Dying):
        """Another process is through with it when this one creates its version."""

        def create_model_version(self, *arguments, **named):
            first.point(workload, Track.PRODUCTION, first.add(folder, card))
            return self._client.create_model_version(*arguments, **named)

    returned = MlflowRegistry(mlflow_server, client=Overtaken(mlflow.MlflowClient(), 99), draw=no_plots).add(
        folder, card
    )
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
        MlflowRegistry(mlflow_server, client=Cut(mlflow.MlflowClient(), 99), draw=no_plots).add(folder, card)
    release = MlflowRegistry(mlflow_server, draw=no_plots).add(folder, card)
    assert file_digest(folder_of(release) / NAMES) == card.checksums[NAMES]


def test_a_crash_while_naming_gives_no_second_number(mlflow_server, mlflow, make, workload):
    release = MlflowRegistry(mlflow_server, draw=no_plots).add(*make("one"))
    with pytest.raises(Killed):
        MlflowRegistry(mlflow_server, client=Dying(mlflow.MlflowClient(), 1), draw=no_plots).name_candidate(release)
    assert MlflowRegistry(mlflow_server, draw=no_plots).name_candidate(release).candidate_of == "CO1"
    assert mlflow.MlflowClient().get_model_version(workload, "1").tags["CO1"] == "true"
