from datetime import UTC, datetime, timedelta

import pytest
from test_land import HOURS, halves, in_turn

from fakes import FakeSource
from ratchet.contracts.errors import DataError, NotThereError
from ratchet.contracts.source import Trouble
from ratchet.ingest import land, troubles
from ratchet.ingest.status import status


class Parts:
    """A source whose parts meet trouble in their first run."""

    name = "parts"
    by_hour = False

    def __init__(self, *found: Trouble) -> None:
        self.found = found

    def offers(self, _landed):
        yield from FakeSource({HOURS[0]: halves(HOURS[0])}, by_hour=False).offers(_landed)
        yield from self.found


def test_what_is_missing_between_the_first_and_the_newest_hour_is_listed(tmp_path):
    hours = [HOURS[0] + timedelta(hours=hour) for hour in (0, 1, 4, 9)]
    source = FakeSource({hour: halves(hours[0]) for hour in hours})
    source.chunks[hours[0] + timedelta(hours=2)] = [NotThereError("HTTP 404")]
    land(source, bronze=tmp_path, pace=in_turn())
    (found,) = status(tmp_path, hours_file=tmp_path / "none.csv")
    after = [(first - hours[0], last - hours[0]) for first, last in found.gaps]
    assert after == [(timedelta(hours=2), timedelta(hours=3)), (timedelta(hours=5), timedelta(hours=8))]
    assert (found.files, found.first, found.newest, found.events) == (4, hours[0], hours[-1], None)
    assert [trouble.reason for trouble in found.troubles] == ["HTTP 404"]


def test_a_missing_hour_that_landed_later_is_no_trouble_any_more(tmp_path):
    source = FakeSource({HOURS[0]: halves(HOURS[0]), HOURS[1]: [NotThereError("HTTP 404")]})
    land(source, bronze=tmp_path, pace=in_turn())
    land(FakeSource({HOURS[1]: halves(HOURS[1])}), bronze=tmp_path, pace=in_turn(again=True))
    (found,) = status(tmp_path, hours_file=tmp_path / "none.csv")
    assert (found.gaps, found.troubles) == ((), ())


def test_a_part_that_a_later_run_does_not_complain_of_is_no_trouble_any_more(tmp_path):
    gone, slow = (
        Trouble(what="missing", name="a/b", reason="404"),
        Trouble(what="failed", name="c/d/issues", reason="502"),
    )
    land(Parts(gone, slow), bronze=tmp_path, pace=in_turn())
    assert set(troubles.read(tmp_path / "parts")) == {"a/b", "c/d/issues"}
    land(Parts(slow), bronze=tmp_path, pace=in_turn())
    assert set(troubles.read(tmp_path / "parts")) == {"c/d/issues"}


def test_troubles_survive_a_torn_line_and_name_a_damaged_one(tmp_path):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    troubles.remember(tmp_path, Trouble(what="missing", name="x", reason="404"), at=at)
    path = tmp_path / "troubles.jsonl"
    path.write_bytes(path.read_bytes() + b'{"what": "miss')
    assert set(troubles.read(tmp_path)) == {"x"}
    troubles.remember(tmp_path, Trouble(what="failed", name="y", reason="502"), at=at)
    assert set(troubles.read(tmp_path)) == {"x", "y"}
    path.write_bytes(b'{"what": 1}\n')
    with pytest.raises(DataError, match=r"troubles\.jsonl, line 1"):
        troubles.read(tmp_path)
