"""A run of the REST API's source against a local server, and what has landed of it."""

import gzip
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

from code_host import CodeHost
from ratchet.ingest import land, manifest
from ratchet.workloads.github_activity.sources.api import RepositoryApi
from web import serve

NOW = datetime(2026, 2, 1, 10, 30, tzinfo=UTC)


NAME = "pallets/flask"


class Clock:
    """Time that passes when someone sleeps."""

    def __init__(self) -> None:
        self.now = NOW
        self.sleeps: list[float] = []

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += timedelta(seconds=seconds)


def run(host: CodeHost, bronze, clock: Clock, *names: str, token: str = "", expect: int | None = None):
    """Land once; everything that the run asked."""
    with serve(host) as web:
        host.address = web.address
        source = RepositoryApi(
            name="github_api",
            repositories=names or (NAME,),
            address=web.address,
            token=token,
            clock=clock,
            sleep=clock.sleep,
        )
        report = land(source, bronze=bronze)
    if expect is not None:
        assert report.troubles == ()
        assert len(web.asked) == expect
    return report, web.asked


def everything(bronze) -> list[dict]:
    folder = bronze / "github_api"
    return [
        json.loads(line)
        for entry in manifest.read(folder)
        for line in gzip.decompress((folder / entry.file).read_bytes()).splitlines()
    ]


def rows(bronze) -> list[dict]:
    return [row for row in everything(bronze) if row["kind"] != "walk"]


def walks(bronze) -> list[tuple[str, str]]:
    """What each walk has told: of which kind until when."""
    return [(row["item"]["kind"], row["item"]["until"]) for row in everything(bronze) if row["kind"] == "walk"]


def counts(bronze) -> Counter:
    return Counter(row["kind"] for row in rows(bronze))
