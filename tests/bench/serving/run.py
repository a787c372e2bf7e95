"""`make bench-serving`: ratios in one run, medians of alternating repetitions; the server has one core, the client the other.

Absolute figures are this machine's; the ratios are what is promised. Parts, each on its own: `make bench-serving PARTS="hot router"`.

hot     predict with everything on, beside a Flask no-op and a hand-written FastAPI look-up with the same layers
peers   the same beside `mlflow models serve`, BentoML and a fitted Prophet, one worker each and two workers each
log     what logging costs
router  through nginx on the server's core and on a core of its own
open    Poisson arrivals at 30 and 60 % of saturation, and at 60 % while a release is swapped every 2 s
batch   forecasts per second in batches of 1,000 against single calls
start   first answer after process start, private memory per worker with 100,000 series
soak    --soak seconds (600) as fast as answers come: depth of the spool, and rows logged against forecasts answered
"""

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from parts import CLIENT, IDS, PARTS, SERVER

from ratchet.settings import Settings
from ratchet.stack import secrets
from ratchet.stack.paths import Home
from ratchet.stack.ports import free_port
from ratchet.stack.services import Stack
from rig import UNLIMITED, WORKLOAD, Rig


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=[name for name in PARTS if name != "soak"], choices=PARTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--soak", type=int, default=600)
    parser.add_argument("--threads", type=int, default=Settings.model_fields["web_threads"].default)
    options = parser.parse_args()
    if missing := [name for name in ("wrk", "taskset") if shutil.which(name) is None]:
        sys.exit(f"{' and '.join(missing)} not found: apt-get install wrk util-linux")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # whatever was started is stopped too
    print(
        f"{platform.machine()} x{os.cpu_count()}, Python {platform.python_version()}, {options.threads} threads a worker"
    )
    for part in options.parts:
        print(f"{part}: medians of {options.rounds} x {options.seconds} s, load {os.getloadavg()[0]:.1f}", flush=True)
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            rig = make_rig(Path(folder), options)
            try:
                prepare(rig)
                PARTS[part](rig, options)
            finally:
                rig.close()


def make_rig(folder, options):
    home = Home(folder)
    home.prepare()
    ports = {name: free_port() for name in Settings.model_fields if name.endswith("_port")}
    values = {"web_workers": 1, "web_threads": options.threads, "workloads": WORKLOAD, "poll_seconds": 0.5}
    settings = Settings(_env_file=None, data_home=folder, **ports, **UNLIMITED, **values)
    cores = {"inference-production": SERVER, "inference-candidate": SERVER, "router": SERVER, "postgres": CLIENT}
    return Rig(Stack(settings=settings, secrets=secrets.load(home.secrets), home=home), cores=cores)


def prepare(rig):
    rig.prepare()
    rig.registry.aliases["production"] = rig.add_release(ids=IDS)
    rig.start_track("production")


if __name__ == "__main__":
    main()
