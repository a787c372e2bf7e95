import pytest
from houses import House

from ratchet.contracts.ports import Track


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path)
    house.load()
    return house


@pytest.fixture
def candidate(tmp_path):
    house = House(tmp_path / "candidate", Track.CANDIDATE)
    house.load(2)
    return house
