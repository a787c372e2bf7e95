"""Bronze to gold against the decompression limit and against pandas, in one run: `make bench-ingest`.

The real hour 2015-01-01-0 is repeated with shifted times and ids, so that every event is another one. Printed: the machine, the time of
each way on the same files, peak memory, and what one more hour costs on top of few and of many landed ones.
"""

import argparse
import gzip
import importlib
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pandas as pd
import psutil

from ratchet import ingest, workloads
from ratchet.ingest.bronze import FolderBronze
from ratchet.ingest.warehouse.build import build

HOUR = Path(__file__).resolve().parents[4] / "shared" / "data" / "gharchive" / "2015-01-01-0.json.gz"
FIRST = datetime(2015, 1, 4, tzinfo=UTC)
STAMP = re.compile(rb'"created_at":"2015-01-01T00:')
ID = re.compile(rb'^\{"id":"(\d+)"', re.MULTILINE)
WORKLOAD = workloads.find("github_activity")
BUILDING = importlib.import_module("ratchet.ingest.warehouse.build")


def make(folder: Path, first: int, hours: int, *, small: bool = False) -> list[Path]:
    """Write so many hours, numbered on from `first`; a small one holds the first hundred events."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = gzip.decompress(HOUR.read_bytes())
    whole = b"".join(whole.splitlines(keepends=True)[:100]) if small else whole
    made = []
    for number in range(first, first + hours):
        at = FIRST + timedelta(hours=number)
        text = STAMP.sub(f'"created_at":"{at:%Y-%m-%dT%H}:'.encode(), whole)
        text = ID.sub(lambda found, number=number: b'{"id":"%d"' % (int(found[1]) + number * 10**10), text)
        path = folder / f"{at:%Y-%m-%d}-{at.hour}.json.gz"
        path.write_bytes(gzip.compress(text, compresslevel=6, mtime=0))
        made.append(path)
    return made


def limit(files: list[Path]) -> float:
    """The decompression limit: gzip to wc, file by file, on one core."""
    command = f"for file in {' '.join(map(str, files))}; do gzip -dc $file | wc -l > /dev/null; done"
    return timed(lambda: subprocess.run(["taskset", "-c", "0", "bash", "-c", command], check=True))


def the_usual_way(files: list[Path]) -> float:
    """What one writes first: read each file into a frame, filter, group, add up."""

    def run() -> None:
        counts = []
        for path in files:
            frame = pd.read_json(path, lines=True)
            frame["repository"] = [repo["name"] for repo in frame["repo"]]
            frame["ds"] = (
                frame["created_at"].dt.to_period("W-SUN").dt.end_time.dt.normalize()
                if frame["created_at"].dt.tz is None
                else frame["created_at"].dt.tz_localize(None).dt.to_period("W-SUN").dt.end_time.dt.normalize()
            )
            kept = frame[frame["type"].isin(["PushEvent", "WatchEvent", "IssuesEvent", "PullRequestEvent"])]
            counts.append(kept.groupby(["repository", "ds", "type"]).size())
        pd.concat(counts).groupby(level=[0, 1, 2]).sum()

    return timed(run)


def ours(home: Path) -> tuple[float, int]:
    """Seconds from bronze to gold, and the most memory that it and its children held at a time."""
    peak = Peak()
    seconds = timed(
        lambda: build(WORKLOAD, home=home, bronze=FolderBronze(home / "bronze"), sources=["github_archive"])
    )
    return seconds, peak.stop()


class Reading:
    """Adds up what a build spends reading; the rest of its time is the models, which a warehouse would run instead."""

    def __init__(self) -> None:
        self.seconds, self._read = 0.0, BUILDING.read

    def __enter__(self) -> Self:
        BUILDING.read = self._timed
        return self

    def __exit__(self, *_: object) -> None:
        BUILDING.read = self._read

    def _timed(self, *tasks: object, **how: object) -> object:
        started = time.perf_counter()
        try:
            return self._read(*tasks, **how)
        finally:
            self.seconds += time.perf_counter() - started


class Peak:
    """Watches the resident memory of this process and its children, less what this one held before."""

    def __init__(self) -> None:
        self._over, self._most = threading.Event(), 0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._over.wait(0.1):
            total = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    total += process.memory_info().rss
                except psutil.Error:
                    continue
            self._most = max(self._most, total)

    def stop(self) -> int:
        """The most bytes seen."""
        self._over.set()
        self._thread.join()
        return self._most


def timed(action: Callable[[], object]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def land(home: Path, folder: Path) -> None:
    """Land what the folder holds."""
    for source in WORKLOAD.sources(str(folder)):
        ingest.land(source, bronze=home / "bronze")


def throughput(scratch: Path, gigabytes: float) -> None:
    """Bronze to gold beside the limit and beside pandas, on the same files."""
    events = scratch / "events"
    size = len(gzip.decompress(HOUR.read_bytes()))
    files = make(events, 0, max(2, round(gigabytes * 1e9 / size)))
    print(
        f"{len(files)} hours, {len(files) * size / 1e9:.2f} GB unpacked, {sum(path.stat().st_size for path in files) / 1e9:.3f} GB packed"
    )
    home = scratch / "home"
    land(home, events)
    lower = limit(files)
    with Reading() as reading:
        seconds, memory = ours(home)
    few = files[: max(1, len(files) // 10)]
    slow = the_usual_way(few) * len(files) / len(few)
    print(
        f"gzip | wc, one core: {lower:.1f} s; bronze to gold: {seconds:.1f} s = {seconds / lower:.2f} x (wanted: at most 3)"
    )
    print(f"of these reading {reading.seconds:.1f} s, then models and checks {seconds - reading.seconds:.1f} s")
    print(
        f"pandas, from {len(few)} of the files: {slow:.0f} s = {slow / seconds:.1f} x bronze to gold (wanted: at least 5)"
    )
    print(f"most memory of all processes together: {memory / 1e9:.2f} GB (wanted: at most 2)")
    shutil.rmtree(home)
    shutil.rmtree(events)


def one_more(scratch: Path, few: int, many: int) -> None:
    """What one more whole hour costs on top of few and of many hours (those before are small, so that landing them is quick)."""
    home, costs = scratch / "more", {}
    done = 0
    for landed in (few, many):
        make(scratch / "small", done, landed - done, small=True)
        land(home, scratch / "small")
        before = timed(
            lambda: build(WORKLOAD, home=home, bronze=FolderBronze(home / "bronze"), sources=["github_archive"])
        )
        make(scratch / "small", landed, 1)
        land(home, scratch / "small")
        costs[landed] = ours(home)[0]
        print(
            f"{landed - done} hours to begin with: {before:.1f} s; one more on top of {landed}: {costs[landed]:.1f} s"
        )
        done = landed + 1
    print(f"one on top of {many} / one on top of {few}: {costs[many] / costs[few]:.2f} (wanted: at most 1.5)")


def linear(scratch: Path, hours: list[int]) -> None:
    """Time by number of hours, and the line through it."""
    points = []
    for number in hours:
        home, events = scratch / f"linear-{number}", scratch / f"linear-events-{number}"
        make(events, 0, number)
        land(home, events)
        seconds, memory = ours(home)
        points.append((number, seconds))
        print(f"{number} hours: {seconds:.1f} s, {memory / 1e9:.2f} GB")
        shutil.rmtree(home)
        shutil.rmtree(events)
    n, t = zip(*points, strict=True)
    mean_n, mean_t = sum(n) / len(n), sum(t) / len(t)
    slope = sum((a - mean_n) * (b - mean_t) for a, b in points) / sum((a - mean_n) ** 2 for a in n)
    base = mean_t - slope * mean_n
    rest = sum((b - base - slope * a) ** 2 for a, b in points) / (sum((b - mean_t) ** 2 for b in t) or 1)
    print(f"seconds = {base:.1f} + {slope:.3f} x hours, R2 = {1 - rest:.4f}")


def main() -> int:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["throughput", "linear", "one_more"])
    parser.add_argument("--gigabytes", type=float, default=6.0)
    parser.add_argument("--many", type=int, default=1000)
    options = parser.parse_args()
    if not HOUR.is_file():
        sys.exit("the real hour is not on this machine (../shared/data/gharchive)")
    print(
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
    )
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if "throughput" in options.parts:
            throughput(scratch, options.gigabytes)
        if "linear" in options.parts:
            linear(scratch, [10, 40, 80, 120])
        if "one_more" in options.parts:
            one_more(scratch, 10, options.many)
    print(f"largest single process: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6:.2f} GB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
