"""The committed sample is what its generator makes, and is what its README says."""

import csv
import gzip
import json
from datetime import date, timedelta
from itertools import pairwise

import pytest

from ratchet.workloads.github_activity import sample_generator
from ratchet.workloads.github_activity.sample_events import DUPLICATES, MALFORMED
from ratchet.workloads.github_activity.sample_series import REPOSITORIES, TARGETS, WEEKS, draw
from ratchet.workloads.github_activity.sources import SAMPLE_FOLDER


def test_the_committed_sample_is_what_the_generator_makes(tmp_path):
    sample_generator.write(tmp_path)
    assert sample_generator.differences(tmp_path, SAMPLE_FOLDER) == []
    assert sample_generator.main(["--check"]) == 0


def test_a_changed_or_additional_file_is_a_difference(tmp_path):
    sample_generator.write(tmp_path)
    (tmp_path / "events" / "2026-11-09-0.json.gz").write_bytes(gzip.compress(b"{}"))
    (tmp_path / "events" / "more.json.gz").write_bytes(gzip.compress(b""))
    assert sample_generator.differences(tmp_path, SAMPLE_FOLDER) == [
        "events/2026-11-09-0.json.gz",
        "events/more.json.gz",
    ]


def test_the_sample_is_small():
    assert sum(path.stat().st_size for path in SAMPLE_FOLDER.rglob("*") if path.is_file()) < 1_200_000


def test_history_holds_each_repository_from_its_first_week_to_the_last_but_one():
    with gzip.open(SAMPLE_FOLDER / "history" / "2026-11-08-23.csv.gz", "rt") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["repository"] for row in rows} == {repository.name for repository in REPOSITORIES}
    for repository in REPOSITORIES:
        weeks = [date.fromisoformat(row["week"]) for row in rows if row["repository"] == repository.name]
        assert len(weeks) == WEEKS - 1 - repository.start
        assert weeks[-1] == date(2026, 11, 8)
        assert all(after - before == timedelta(days=7) for before, after in pairwise(weeks))


def test_events_carry_the_flaws_that_the_readme_names():
    lines = [
        line
        for path in (SAMPLE_FOLDER / "events").iterdir()
        for line in gzip.decompress(path.read_bytes()).decode().splitlines()
    ]
    good = [line for line in lines if line not in {text for _, text in MALFORMED}]
    assert len(lines) - len(good) == len(MALFORMED)
    assert len(good) - len(set(good)) == DUPLICATES
    events = [json.loads(line) for line in set(good)]
    assert len({event["id"] for event in events}) == len(events)
    assert any(event["actor"]["login"].endswith("[bot]") for event in events)


def test_what_came_next_is_26_weeks_of_every_series():
    with (SAMPLE_FOLDER / "what_came_next.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(REPOSITORIES) * len(TARGETS) * 26
    assert (min(row["ds"] for row in rows), max(row["ds"] for row in rows)) == ("2026-11-22", "2027-05-16")


@pytest.mark.parametrize("repository", REPOSITORIES, ids=lambda repository: repository.name)
def test_every_repository_is_synthetic_by_name_and_realistic_by_count(repository):
    counts = [count for row in draw(repository).values() for count in row]
    assert repository.name.startswith("sample/")
    assert 0.1 < sum(counts) / len(counts) < 150
    assert max(counts) < 400
