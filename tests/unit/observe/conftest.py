"""Releases on disk, as far as what they issued is read."""

from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest

from ratchet.contracts.release import Issue, series_key
from ratchet.observe import read_issued

WEEK = date(2026, 11, 22)
IDS = ("a", "b", "c")


@pytest.fixture
def release(tmp_path):
    """Writes what a release issued: its series' ids, and for each issue the first week and a level."""

    def write(name, *, ids=IDS, issues=((WEEK, 10.0),), weeks=3):
        folder = tmp_path / name
        (folder / "series").mkdir(parents=True)
        keys = np.sort(np.array([series_key(one, "x") for one in ids], dtype=np.uint64))
        np.save(folder / "series/keys.npy", keys)
        for number, (first, level) in enumerate(issues, start=1):
            issue = folder / f"forecasts/{number:04d}"
            issue.mkdir(parents=True)
            hour = datetime.combine(first - timedelta(days=6), time(), UTC)
            known = Issue(number=number, data_hour=hour, first_week=first, horizon=weeks)
            (issue / "issue.json").write_text(known.to_json())
            np.save(issue / "median.npy", np.full((len(ids), weeks), level, dtype=np.float32) + np.arange(weeks))
        return read_issued(folder)

    return write
