"""`make bench-serving`: ratios in one run, medians of alternating repetitions; the server has one core, the client the other.

Absolute figures are this machine's; the ratios are what is promised. Parts: hot, log, router (default: all).
"""

import argparse
import os
import platform
import signal
import statistics
import tempfile
from pathlib import Path

import closed

from ratchet.settings import Settings
from ratchet.stack import secrets
from ratchet.stack.paths import Home
from ratchet.stack.ports import free_port
from ratchet.stack.services import Stack, tool
from rig import PREDICT, UNLIMITED, WORKLOAD, Rig

HERE = Path(__file__).resolve().parent
SERVER, CLIENT = 0, 1
IDS = tuple(f"north/{number:05d}" for number in range(500))


class Bench:
    """A rig, and one method per question that it answers."""

    def __init__(self, rig, options):
        self.rig, self.options = rig, options

    def measure(self, targets):
        """Ask the targets in turn, as often as wanted; the runs of each."""
        runs = {name: [] for name in targets}
        for address, lua in targets.values():
            closed.run(address, lua, seconds=1, core=CLIENT)
        for _ in range(self.options.rounds):
            for name, (address, lua) in targets.items():
                runs[name].append(closed.run(address, lua, seconds=self.options.seconds, core=CLIENT))
        for name, found in runs.items():
            rates = [each.per_second for each in found]
            p99 = statistics.median(each.p99_ms for each in found)
            failed = sum(each.failed for each in found)
            spread = f"{min(rates):,.0f}-{max(rates):,.0f}"
            print(f"  {name:22} {statistics.median(rates):8,.0f}/s  ({spread})  p99 {p99:.1f} ms  failed {failed}")
        return {name: statistics.median(each.per_second for each in found) for name, found in runs.items()}

    def ask(self, port):
        lua = closed.script(self.rig.stack.home.folder, ids=IDS, key=self.rig.key, path=PREDICT)
        return f"http://127.0.0.1:{port}", lua

    def other(self, name, application):
        """Another application under the same configuration, on a port of its own; its port."""
        port = free_port()
        command = [tool("gunicorn"), "-c", "inference/gunicorn_conf.py", application]
        path = os.pathsep.join([str(HERE), "src", "."])
        self.rig.start(f"inference-production+{name}", command=command, port=port, PYTHONPATH=path)
        self.rig.wait_port(port)
        return port

    def hot(self):
        port = self.other("noop", "noop:application")
        lua = closed.script(self.rig.stack.home.folder, ids=IDS, key=self.rig.key, path="/")
        direct = self.rig.stack.settings.production_port
        found = self.measure({"Flask no-op": (f"http://127.0.0.1:{port}", lua), "predict": self.ask(direct)})
        self.rig.stop("inference-production+noop")
        print(f"predict / no-op: {found['predict'] / found['Flask no-op']:.2f}")

    def log(self):
        port = self.other("silent", "silent:application")
        self.rig.wait_track(port)
        direct = self.rig.stack.settings.production_port
        found = self.measure({"not logged": self.ask(port), "logged": self.ask(direct)})
        self.rig.stop("inference-production+silent")
        print(f"logging costs {100 * (1 - found['logged'] / found['not logged']):.0f} % of throughput")

    def router(self):
        self.rig.start_router()
        settings = self.rig.stack.settings
        found = self.measure({"direct": self.ask(settings.production_port), "router": self.ask(settings.router_port)})
        self.rig.stop("router", signal.SIGQUIT)
        print(f"through the router, on the same core: {found['router'] / found['direct']:.2f} x direct")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["hot", "log", "router"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=Settings.model_fields["web_threads"].default)
    options = parser.parse_args()
    print(
        f"{platform.machine()} x{os.cpu_count()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}, "
    )
    print(f"{options.workers} worker(s) x {options.threads} threads; medians of {options.rounds} x {options.seconds} s")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        rig = make_rig(Path(folder), options)
        try:
            prepare(rig)
            for part in options.parts:
                print(f"{part}:")
                getattr(Bench(rig, options), part)()
        finally:
            rig.close()


def make_rig(folder, options):
    home = Home(folder)
    home.prepare()
    ports = {name: free_port() for name in Settings.model_fields if name.endswith("_port")}
    values = {
        "web_workers": options.workers,
        "web_threads": options.threads,
        "workloads": WORKLOAD,
        "poll_seconds": 0.5,
    }
    settings = Settings(_env_file=None, data_home=folder, **ports, **UNLIMITED, **values)
    cores = {"inference-production": SERVER, "inference-candidate": SERVER, "router": SERVER, "postgres": CLIENT}
    return Rig(Stack(settings=settings, secrets=secrets.load(home.secrets), home=home), cores=cores)


def prepare(rig):
    rig.prepare()
    rig.registry.aliases["production"] = rig.add_release(ids=IDS)
    rig.start_track("production")


if __name__ == "__main__":
    main()
