"""Somebody deletes production's version in MLflow during a trial, in a real MLflow and a real database."""

from house import House
from ratchet.contracts.ports import Track
from ratchet.observe import PostgresJournal
from ratchet.serve.split import FlagFileSplit


def test_a_trial_ends_and_its_split_too_though_production_was_deleted(
    on_mlflow, mlflow, postgres, tmp_path, workload, caplog
):
    split, journal = FlagFileSplit(tmp_path / "weights"), PostgresJournal(postgres)
    house = House(tmp_path, workload=workload, registry=on_mlflow, journal=journal, split=split).on_trial()
    assert house.world == ("BO1", "CO1", 20)
    mlflow.MlflowClient().delete_model_version(workload, "1")
    assert house.hour()["reason"] == "rollback by ratchet: its production r1 is gone from the registry"
    assert (house.stage, house.world, house.states) == ("", (None, "CO1", 0), ["rolled_back"])
    assert journal.pending(workload) == []
    assert f"{workload}@production is empty: r1 is gone from the registry" in caplog.text
    house.add(1)
    house.turns.act(workload, house.policy, now=house.clock)
    assert on_mlflow.live(workload, Track.PRODUCTION).release_id == "r1", "registered again, it is what was live"
