import pytest
from two_tracks import House

from rig import Rig


@pytest.fixture(scope="module")
def running(make_stack):
    rig = Rig(make_stack())
    house = House(rig)
    rig.write_configuration()
    for track in house.tracks.values():
        track.start()
    rig.share(20)
    rig.start_router()
    yield house
    for track in house.tracks.values():
        track.stop()
    rig.close()


@pytest.fixture
def house(running):
    """Both tracks well, and 20 percent on the candidate."""
    running.rig.share(20)
    yield running
    while running.clients:
        running.clients.pop().close()
    for track in running.tracks.values():
        track.hangs.clear()
        if track.server is None:
            track.start()
