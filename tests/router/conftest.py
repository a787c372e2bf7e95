import time

import pytest
from two_tracks import House

from rig import Rig

FORGIVEN_AFTER = {"production": 2.2, "candidate": 5.2}  # seconds until the router tries a track again


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
    """Both tracks well, 20 percent on the candidate, and no earlier failure remembered."""
    running.rig.share(20)
    yield running
    while running.clients:
        running.clients.pop().close()
    wait = 0
    for track in running.tracks.values():
        if track.hangs.is_set() or track.server is None:
            wait = FORGIVEN_AFTER[track.name]
        track.hangs.clear()
        if track.server is None:
            track.start()
    time.sleep(wait)
