"""How gunicorn runs a track: threads for lookups, one port per track, counters that survive a worker."""

import gc
import os
import resource
import sys
from pathlib import Path
from types import SimpleNamespace

from ratchet.settings import Settings

# A batch of 1,000 makes some thousands of objects and drops them all: no need to look for garbage in between.
YOUNG = (20_000, 20, 20)
# A thread that loads a release or ships the log may hold up a forecast for so long, each time the forecast asks the system for something.
SWITCH_SECONDS = 0.0005
# Of a worker, if the system gives it so many files: it needs some for its log, without which no forecast is written down, and for releases.
CONNECTIONS = 1000
OTHER_FILES = 128
_settings = Settings.load()
if not _settings.prediction_secret.get_secret_value():
    raise SystemExit(
        "PREDICTION_SECRET is not set: prediction ids could be forged. `make up` makes one; see .env.example"
    )

# prometheus_client looks at this once, when it is first imported: it has to be there before any worker is.
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(_settings.home / "run" / f"counts-{_settings.track}"))
_counts = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
_port = {"production": _settings.production_port, "candidate": _settings.candidate_port}[_settings.track]


def _connections(files: int, _hard: int) -> int:
    return CONNECTIONS if files == resource.RLIM_INFINITY else min(CONNECTIONS, max(files - OTHER_FILES, files // 2))


wsgi_app = "inference.wsgi:application()"
# A router on this machine comes by a socket, which costs both of them less than TCP; everybody else comes by the port.
_socket = os.environ.get("TRACK_SOCKET")
bind = [f"{_settings.bind}:{_port}", *([f"unix:{_socket}"] if _socket else [])]
worker_class = "inference.worker.Worker"
workers = _settings.web_workers
threads = _settings.web_threads
timeout = 30
graceful_timeout = 10
worker_connections = _connections(*resource.getrlimit(resource.RLIMIT_NOFILE))
keepalive = 75  # longer than nginx keeps an idle connection: the side that may still send must be the first to hang up
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108, a heartbeat file must not wait for a disk
# By default SCRIPT_NAME: a path would begin where a client says, and what a router lets pass be another one here.
forwarder_headers = ""
control_socket_disable = True  # its default path is shared by every gunicorn of a user
loglevel = "warning"


def on_starting(_server: object) -> None:
    """Begin counting at zero, and read the code once for all workers: one that was killed is back in a fraction of the time."""
    from inference import wsgi  # noqa: F401, PLC0415, only after the variable above is set
    from inference.counts import start_afresh  # noqa: PLC0415

    start_afresh(_counts)


def post_fork(_server: object, _worker: object) -> None:
    """Keep room on the disk for what the worker will count."""
    from inference.counts import reserve  # noqa: PLC0415, only after the variable above is set

    reserve(_counts, os.getpid())


def post_worker_init(_worker: object) -> None:
    """Answer in one piece from the first request on."""
    from inference.whole import install  # noqa: PLC0415, the master answers nobody

    install()
    # What is there now stays: looking through all of it again for garbage would stop a forecast for milliseconds.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*YOUNG)
    sys.setswitchinterval(SWITCH_SECONDS)


def child_exit(_server: object, worker: SimpleNamespace) -> None:
    """Keep what a worker counted when it ends, however it ends."""
    from inference.counts import bury  # noqa: PLC0415, only after the variable above is set

    bury(_counts, worker.pid)
