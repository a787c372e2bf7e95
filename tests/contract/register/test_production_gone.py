"""Somebody deletes production's version in MLflow: the same release, registered again as docs/runbook.md says, answers again."""

from datetime import UTC, datetime

import pytest

from fakes import write_release
from ratchet.contracts.ports import Track
from ratchet.loop import Loop
from ratchet.settings import Settings

WORKLOAD = "github_activity"
HOUR = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def loop(tmp_path, mlflow_server, postgres):
    """A loop with two trained releases; the first one is live."""
    settings = {"data_home": tmp_path, "mlflow_tracking_uri": mlflow_server, "database_url": postgres}
    loop = Loop(Settings(_env_file=None, **settings))
    bundle = tmp_path / "bundles" / WORKLOAD / "gone-1"
    bundle.parent.mkdir(parents=True)
    write_release(bundle, workload=WORKLOAD, release_id="gone-1", data_hour=HOUR)
    assert loop.register(WORKLOAD, "gone-1")["state"] == "production"
    return loop


def test_a_lost_release_that_is_registered_again_is_live_again(loop, client):
    lost = loop.trials.registry.live(WORKLOAD, Track.PRODUCTION)
    client.delete_model_version(WORKLOAD, str(lost.version))
    assert loop.trials.registry.live(WORKLOAD, Track.PRODUCTION) is None
    loop.act(WORKLOAD)
    assert loop.trials.registry.live(WORKLOAD, Track.PRODUCTION) is None
    assert loop.register(WORKLOAD, "gone-1")["state"] == "production"
    back = loop.trials.registry.live(WORKLOAD, Track.PRODUCTION)
    assert (back.release_id, back.name_on(Track.PRODUCTION)) == ("gone-1", "BO1")
    client.delete_registered_model(WORKLOAD)
