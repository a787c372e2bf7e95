import pytest

from ratchet import workloads
from ratchet.contracts.errors import RatchetError
from ratchet.ingest.manifest import Manifest


def test_every_workload_is_found_under_its_folder_name():
    assert "github_activity" in workloads.names()
    assert [workloads.find(name).name for name in workloads.names()] == list(workloads.names())


def test_an_unknown_workload_is_refused_with_the_known_ones():
    with pytest.raises(RatchetError, match=r"no workload `os`; known: .*github_activity"):
        workloads.find("os")


@pytest.mark.parametrize("name", workloads.names())
def test_a_workload_brings_what_it_declares(name, tmp_path):
    workload = workloads.find(name)
    assert set(workload.first_recipe) <= set(workload.families)
    assert workload.sample_actuals.is_file()
    assert (workload.sql / "gold" / "series.sql").is_file()
    for source in workload.sources("sample"):
        assert source.folder.is_dir(), "`ratchet doctor` looks for it"
        piece = next(iter(source.offers(Manifest(tmp_path))))
        assert piece.hour.utcoffset() is not None
        assert b"".join(piece.open(0, "").chunks)
