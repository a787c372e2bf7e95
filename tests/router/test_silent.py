"""Whoever says nothing to the router keeps nobody from it, also where a system gives a process as few files as most do."""

import resource
import signal
import socket
import time
from contextlib import ExitStack

import pytest

pytestmark = pytest.mark.stack

FEW = 1024


def start_anew(rig, files):
    """The router, as it is started where a process is given so many files."""
    rig.stop("router", signal.SIGQUIT)
    own, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    try:
        rig.start_router()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (own, most))


@pytest.fixture
def poor(house):
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    start_anew(house.rig, FEW)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # those of the clients are this process' own
    yield house
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    start_anew(house.rig, files)


def test_more_silent_connections_than_a_process_is_given_files_hold_nobody_up(poor):
    with ExitStack() as open_ones:
        for _ in range(FEW + 100):
            open_ones.enter_context(socket.create_connection(("127.0.0.1", poor.port), timeout=5))
        started = time.monotonic()
        assert poor.track_of(poor.client()) in {"production", "candidate"}
        assert time.monotonic() - started < 2, "a head that does not come is waited for for five seconds"
