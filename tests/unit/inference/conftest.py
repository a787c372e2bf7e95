import pytest
from gunicorns import Gunicorn, leave_home
from houses import House
from ways import Way

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


@pytest.fixture
def ways(house, tmp_path):
    both = []

    def make(**limits):
        both.extend(Way(house, tmp_path, short=short, **limits) for short in (True, False))
        return both

    yield make
    for way in both:
        way.counts.close()


@pytest.fixture
def ways_for_all(ways):
    """For tests that ask again and again."""
    return ways()


@pytest.fixture(scope="module")
def track(tmp_path_factory):
    """A production track under gunicorn that answers: one worker of two threads."""
    server = Gunicorn(leave_home(tmp_path_factory.mktemp("track")), WEB_WORKERS="1", WEB_THREADS="2")
    server.first_answer()
    yield server
    server.stop()
