"""Who validates makes no difference to what comes out."""

import pytest
from distributed import LocalCluster
from distributed.protocol.pickle import dumps, loads

from ratchet import forecasters
from ratchet.contracts.errors import RatchetError
from ratchet.stack.ports import free_port
from ratchet.train.crew import hire, in_process, on_dask

RECIPE = ("seasonal_naive", "ets")


@pytest.fixture(scope="module")
def cluster():
    """A real scheduler and a worker in a process of its own."""
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as made:
        yield made


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.filterwarnings("ignore")  # Dask's own, while workers start and stop
def test_a_cluster_makes_the_same_release_to_the_last_byte(run, history, cluster, tmp_path):
    said = []
    here = run(history, tmp_path / "here", recipe=RECIPE)
    there = run(
        history, tmp_path / "there", recipe=RECIPE, crew=on_dask(cluster.scheduler_address), progress=said.append
    )
    assert there == here
    assert files(tmp_path / "there") == files(tmp_path / "here") != {}
    assert any("1 Dask workers" in line for line in said)


def test_a_scheduler_that_is_away_is_named_with_the_way_out(run, history, tmp_path):
    nowhere = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(RatchetError, match=f"no Dask scheduler at {nowhere}.*DASK_SCHEDULER_ADDRESS"):
        run(history, tmp_path, recipe=("seasonal_naive",), crew=on_dask(nowhere))
    assert not list(tmp_path.iterdir())


def test_nobody_is_hired_where_no_cluster_is_named():
    assert hire("") is in_process


@pytest.mark.parametrize("name", forecasters.names())
def test_every_family_can_be_sent_to_a_worker(name):
    family = forecasters.find(name, season_length=52)
    assert loads(dumps(family)).name == name
