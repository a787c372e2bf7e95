"""Small real releases for the tests of serving, written by the writer that training uses."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np

from ratchet.bucket import Bucket
from ratchet.contracts.ports import Release
from ratchet.contracts.release import CARD, ISSUE, STATISTICS, Card, Issue, issue_folder, series_name
from ratchet.register.discard import read_file
from ratchet.train.bundle import Content, checksums, write

DATA_HOUR = datetime(2026, 11, 2, 5, tzinfo=UTC)
FIRST_WEEK = date(2026, 11, 8)
POOL = {"lo_80": -1.3, "hi_80": 1.3, "lo_95": -2.0, "hi_95": 2.0, "mean": 0.0, "square": 1.0}
POSTED = {"family": "level", "spread": 0.5, "pools": {size: [POOL] * 3 for size in ("busy", "mid", "sparse")}}
SPREAD = {"lo_95": 0.0, "lo_80": 1.0, "median": 2.0, "mean": 2.5, "hi_80": 3.0, "hi_95": 4.25}


def no_plots(card, evaluation):  # noqa: ARG001  # drawing takes most of a registration, and few tests look at plots
    """What a registry draws for a test that looks at no picture."""
    return ()


def is_there(location, name=CARD):
    return read_file(location, name) is not None


def folder_of(release, tmp_path=None):
    """Where its files lie; those of a bucket are fetched to `tmp_path`."""
    if release.location.startswith("s3://"):
        Bucket(release.location).download(tmp_path / "fetched", last=CARD)
        return tmp_path / "fetched"
    return Path(unquote(urlsplit(release.location).path))


def make_release(
    folder,
    *,
    release_id="r1",
    workload="parcels",
    level=10.0,
    ids=("north/a", "north/b", "south/ä"),
    weeks=156,
    posted=POSTED,
    series=(),
    **card,
):
    """Write a release whose every figure is `level` plus the series' number, the week's number and the spread."""
    targets, horizon = ("sent", "lost"), 12
    names = tuple(series_name(unique_id, target) for unique_id in ids for target in targets)
    grid = level + np.arange(len(names))[:, None] + np.arange(horizon)[None, :]
    content = Content(
        card=replace(
            Card(
                release_id=release_id,
                workload=workload,
                id_name="depot",
                targets=targets,
                horizon=horizon,
                data_hour=DATA_HOUR,
                code_version="test",
                recipe=("seasonal_naive",),
                series=len(names),
                synthetic=False,
                families={"seasonal_naive": len(names)},
            ),
            **card,
        ),
        names=names,
        family=np.zeros(len(names), dtype=np.intp),
        forecasts={statistic: grid + SPREAD[statistic] for statistic in STATISTICS},
        first_week=FIRST_WEEK,
        series=list(series),
        weeks=np.full(len(names), weeks),
        posted=posted,
    )
    return write(content, folder)


def issue_again(folder, number, *, add=0.0, to=None):
    """Put an issue beside a release's first one, every figure `add` higher; or write it into another place."""
    place, first = to or folder / issue_folder(number), Issue.read(folder, 1)
    place.mkdir(parents=True)
    for statistic in STATISTICS:
        np.save(place / f"{statistic}.npy", np.load(folder / issue_folder(1) / f"{statistic}.npy") + np.float32(add))
    known = replace(
        first, number=number, data_hour=first.data_hour + timedelta(days=number), checksums=checksums(place)
    )
    (place / ISSUE).write_text(known.to_json())
    return place


def registered(folder, *, release_id="r1", workload="parcels", version=1, **names):
    """The registry's entry of a release folder."""
    names = names or {"best_of": f"BO{version}"}
    place = {"version": version, "location": folder.as_uri(), "data_hour": DATA_HOUR}
    return Release(workload=workload, release_id=release_id, **place, **names)


class FakeLive:
    """`LiveReleases` that says what a test tells it to; an error is raised."""

    def __init__(self, answer=None):
        self.answer = answer
        self.asked = 0

    def live(self, _workload, _track):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer
