from datetime import UTC, datetime

import pytest

from ratchet.contracts.errors import DataError
from ratchet.workloads.github_activity.source import sources


def test_a_folder_offers_its_hour_files_in_order_of_time(tmp_path):
    for name in (
        "2015-01-01-10.json.gz",
        "2015-01-01-9.json.gz",
        "2015-01-01-09.json.gz",
        "notes.json.gz",
        "2015-01-01-24.json.gz",
    ):
        (tmp_path / name).write_bytes(name.encode())
    (source,) = sources(str(tmp_path))
    hours = source.hours()
    assert (source.name, source.suffix) == ("gharchive", "json.gz")
    assert hours == [datetime(2015, 1, 1, 9, tzinfo=UTC), datetime(2015, 1, 1, 10, tzinfo=UTC)]
    assert b"".join(source.read(hours[0])) == b"2015-01-01-9.json.gz"


def test_the_sample_is_a_history_and_the_168_hours_after_it():
    history, events = sources("sample")
    assert [f"{hour:%Y-%m-%dT%H}" for hour in history.hours()] == ["2026-11-08T23"]
    assert len(events.hours()) == 168
    assert (events.hours()[-1] - history.hours()[-1]).total_seconds() == 168 * 3600


@pytest.mark.parametrize(
    ("location", "words"),
    [
        pytest.param("/no/such/folder", "no such folder", id="missing folder"),
        pytest.param("", "no such folder", id="empty"),
        pytest.param("https://example.org/hours", "not supported yet", id="address"),
        pytest.param("s3://bucket/hours", "not supported yet", id="bucket"),
    ],
)
def test_a_location_that_cannot_be_read_is_refused_by_name(location, words):
    with pytest.raises(DataError, match=words) as refusal:
        sources(location)
    assert f"`{location}`" in str(refusal.value)
