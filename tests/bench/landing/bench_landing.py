"""What landing costs: a real hour file many times, from a folder and from a web server, beside `gzip -t` of the same files."""

import functools
import http.server
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ratchet import workloads
from ratchet.contracts.source import Span
from ratchet.ingest import Pace, land, manifest

HOUR = Path(__file__).resolve().parents[4] / "shared/data/gharchive/2015-01-01-0.json.gz"
FIRST = datetime(2015, 1, 1, tzinfo=UTC)


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def timed(what, work):
    wall, own = time.monotonic(), os.times()
    work()
    wall, now = time.monotonic() - wall, os.times()
    cpu = sum(now[:4]) - sum(own[:4])
    print(f"{what:<52} {wall:7.2f} s  {cpu:7.2f} s CPU", flush=True)
    return wall


def main(hours: int) -> None:
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {hours} times {HOUR.name}"
    )
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        names = [FIRST + timedelta(hours=hour) for hour in range(hours)]
        (place / "hours").mkdir()
        for hour in names:
            (place / "hours" / f"{hour:%Y-%m-%d}-{hour.hour}.json.gz").symlink_to(HOUR)
        kind = workloads.find("github_activity")
        timed("gzip -t of each", lambda: [subprocess.run(["gzip", "-t", HOUR], check=True) for _ in names])
        folder = kind.sources(str(place / "hours"))[0]
        timed("from a folder", lambda: land(folder, bronze=place / "a", pace=Pace(at_once=4)))
        with http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Silent, directory=place / "hours")
        ) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            span = Span(first=names[0], last=names[-1])
            web = kind.sources(f"http://127.0.0.1:{server.server_address[1]}", span=span)[0]
            timed("from a web server in the same process", lambda: land(web, bronze=place / "b", pace=Pace(at_once=4)))
            server.shutdown()
        entry = manifest.read(place / "a" / "github_archive")[0]
        known = manifest.Manifest(place / "c" / "github_archive")
        known.folder.mkdir(parents=True)
        rows = (place / "a" / "github_archive" / manifest.NAME).read_text().splitlines(keepends=True)
        stamp = entry.hour.isoformat()
        row = next(row for row in rows if stamp in row)
        for count in (1_000, 100_000):
            text = "".join(row.replace(stamp, (FIRST - timedelta(hours=at + 1)).isoformat()) for at in range(count))
            (known.folder / manifest.NAME).write_text(text)
            one = Span(first=names[0], last=names[0])
            timed(
                f"one more hour on top of {count:,} landed ones",
                lambda one=one: land(kind.sources(str(place / "hours"), span=one)[0], bronze=place / "c"),
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
