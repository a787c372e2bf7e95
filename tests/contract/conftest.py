import os
import signal
import threading
import uuid
from contextlib import closing, suppress

import pytest
from log_records import PointingSpool

from places import opened
from ratchet.serve.forward import Forwarder
from ratchet.serve.spool import Spool


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path):
    """An empty place that machines share: a folder, and a bucket of a real S3 endpoint."""
    if request.param == "folder":
        return opened(str(tmp_path / "shared"))
    return opened(f"{request.getfixturevalue('bucket')}/{uuid.uuid4().hex}")


@pytest.fixture
def hang():
    """Stops a process without a word; it goes on after ten seconds, or when the test ends."""
    timers = []

    def stop(pid):
        os.kill(pid, signal.SIGSTOP)
        timers.append(threading.Timer(10, go_on, (pid,)))
        timers[-1].start()

    yield stop
    for timer in timers:
        timer.cancel()
        go_on(*timer.args)


def go_on(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def workload():
    """A workload of this test's own: the database is shared."""
    return f"log-{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=[PointingSpool, Spool], ids=["as now", "as before answers stood alone"])
def spool(tmp_path, request, monkeypatch):
    if request.param is Spool:
        monkeypatch.setattr("ratchet.serve.spool.seal", lambda lines, _: lines)  # nor had any write a sum
    spool = request.param(tmp_path / "spool", max_bytes=64 << 20, fsync=False, on_lost=lambda _: None)
    yield spool
    spool.close()


@pytest.fixture
def rejected():
    return []


@pytest.fixture
def forwarder(spool, postgres, rejected):
    with closing(Forwarder(spool.folder, postgres, on_rejected=lambda: rejected.append(1))) as forwarder:
        yield forwarder
