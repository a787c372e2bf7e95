import json
import os
from datetime import UTC, datetime

import pytest

from ratchet import ingest
from ratchet.contracts.errors import DataError

HOURS = [datetime(2026, 11, day, tzinfo=UTC) for day in range(1, 8)]


@pytest.fixture
def gold(tmp_path):
    """Seven partitions, one a day; the one in use is the fourth."""
    root = tmp_path / "gold" / "w"
    for at, hour in enumerate(HOURS):
        place = root / f"{hour:%Y%m%dT%H}-abc"
        place.mkdir(parents=True)
        manifest = {
            "workload": "w",
            "data_hour": hour.isoformat(),
            "last_week": "2026-11-01",
            "digest": "abc",
            "series": 1,
        }
        (place / "manifest.json").write_text(json.dumps({**manifest, "synthetic": True}))
        os.utime(place / "manifest.json", (at, at))
        (root / "quality").mkdir(exist_ok=True)
        for suffix in ("html", "json"):
            (root / "quality" / f"{place.name}.{suffix}").write_text("{}")
    (root / "newest.json").write_text(json.dumps({"partition": f"{HOURS[3]:%Y%m%dT%H}-abc"}))
    return root


def days(folder) -> list[str]:
    return sorted(path.name[6:8] for path in folder.iterdir() if path.name.endswith("-abc"))


def test_the_newest_the_one_in_use_and_those_a_release_was_trained_on_stay(gold, tmp_path):
    gone = ingest.prune(tmp_path, "w", keep=2, needed=[HOURS[1]])
    assert days(gold) == ["02", "04", "06", "07"]
    assert sorted(name[6:8] for name in gone) == ["01", "03", "05"]
    assert sorted({path.name[6:8] for path in (gold / "quality").iterdir()}) == ["02", "04", "06", "07"]
    assert ingest.prune(tmp_path, "w", keep=2, needed=[HOURS[1]]) == []


def test_before_the_first_gold_there_is_nothing_to_drop(tmp_path):
    assert ingest.prune(tmp_path, "w", keep=1) == []


@pytest.mark.parametrize("content", ["", '{"partition"', "[]", "{}"])
def test_a_pointer_that_is_damaged_is_named_with_what_to_do(tmp_path, content):
    """Looks and drift go on without gold then, and say why."""
    root = tmp_path / "gold" / "w"
    root.mkdir(parents=True)
    (root / "newest.json").write_text(content)
    with pytest.raises(DataError, match=r"newest.json is damaged: put .* into it"):
        ingest.newest(tmp_path, "w")
