"""Two trainings that come to the same release at the same moment, each in a loop of its own."""

import shutil
import threading

import pytest

from ratchet.loop import Loop
from ratchet.register.mlflow_registry import MlflowRegistry
from ratchet.serve.split import FlagFileSplit
from ratchet.settings import Settings
from ratchet.trials import Trials
from releases import no_plots


class Registering(Loop):
    """A loop that registers and places, and looks at nothing."""

    def advance(self, *_, **__):
        return {}


class Meeting:
    """MLflow's client; another loop begins the same just before this one creates its version, and gets some time for it."""

    def __init__(self, client, other):
        self._client, self._other = client, threading.Thread(target=other)

    def __getattr__(self, name):
        return getattr(self._client, name)

    def create_model_version(self, *arguments, **named):
        self._other.start()
        self._other.join(timeout=3)
        return self._client.create_model_version(*arguments, **named)

    def wait(self):
        self._other.join(timeout=30)


@pytest.fixture
def make_loop(mlflow_server, postgres, tmp_path):
    def make(client=None):
        settings = Settings(_env_file=None, data_home=tmp_path, database_url=postgres)
        loop = Registering(settings)
        registry = MlflowRegistry(mlflow_server, client=client, draw=no_plots)
        loop.trials = Trials(registry=registry, journal=loop.journal, split=FlagFileSplit(tmp_path / "weights"))
        return loop

    return make


def test_the_same_release_trained_twice_at_once_is_one_version(make_loop, client, make, workload, tmp_path):
    folder, card = make("one")
    shutil.copytree(folder, tmp_path / "bundles" / workload / card.release_id)
    said = []
    meeting = Meeting(client, lambda: said.append(make_loop().register(workload, "one")))
    said.append(make_loop(meeting).register(workload, "one"))
    meeting.wait()
    assert [int(one.version) for one in client.search_model_versions(f"name = '{workload}'")] == [1]
    assert said[0] == said[1] == {"release_id": "one", "name": "BO1", "state": "production"}
