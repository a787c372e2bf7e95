import errno
import json
import logging
import threading
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ratchet.contracts.errors import RegistryError
from ratchet.contracts.ports import Track
from ratchet.serve import cache
from ratchet.serve.cache import ReleaseCache
from ratchet.serve.swap import Refresher, ReleaseSlot
from releases import FakeLive, issue_again, make_release, registered


class House:
    """A slot with its refresher, a registry that says what it is told, and a clock that is set by hand."""

    def __init__(self, home, track=Track.PRODUCTION):
        self.home = home
        self.live = FakeLive()
        self.now = 1000.0
        self.loaded, self.refused = [], []
        self.start(track)

    def start(self, track=Track.PRODUCTION):
        self.slot = ReleaseSlot("parcels", track)
        self.refresher = Refresher(
            [self.slot],
            live=self.live,
            cache=ReleaseCache(self.home / "cache"),
            on_load=lambda serving, _: self.loaded.append(serving.name),
            on_refuse=lambda release, _: self.refused.append(release.release_id),
            clock=lambda: self.now,
        )

    def refresh(self):
        self.refresher.refresh(self.slot)
        return self.slot.current and self.slot.current.name


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def release(tmp_path, version, **names):
    folder = tmp_path / f"artifact{version}"
    make_release(folder, release_id=f"r{version}", level=version * 100.0)
    return registered(folder, release_id=f"r{version}", version=version, **names)


def spoil(release):
    """Flip the last bit of a file; doing it twice repairs it."""
    path = Path(urlsplit(release.location).path) / "forecasts" / "0001" / "mean.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def issue(house, release, number, add):
    """Issue a release again and have the registry say so."""
    issue_again(Path(urlsplit(release.location).path), number, add=add)
    house.live.answer = replace(release, issue=number)


def test_a_new_issue_is_served_and_the_old_one_goes_on_for_who_holds_it(house, tmp_path):
    house.live.answer = first = release(tmp_path, 1)
    house.refresh()
    before = house.slot.current
    issue(house, first, 2, add=5.0)
    assert house.refresh() == "BO1"
    assert house.slot.current.opened.forecast("north/a", "sent", 1)[0]["median"] == 107
    assert before.opened.forecast("north/a", "sent", 1)[0]["median"] == 102
    house.start()
    house.refresher.restore()
    assert house.slot.current.opened.issue == 2, "a start needs no registry to go on with it"


def test_a_broken_issue_is_refused_and_the_one_before_stays(house, tmp_path):
    house.live.answer = first = release(tmp_path, 1)
    house.refresh()
    issue(house, first, 2, add=5.0)
    path = tmp_path / "artifact1" / "forecasts" / "0002" / "mean.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?")
    house.refresh()
    assert house.refused == ["r1"]
    assert house.slot.current.opened.issue == 1
    path.write_bytes(whole)
    house.now += 3
    house.refresh()
    assert house.slot.current.opened.issue == 2


def test_an_issue_that_cannot_be_fetched_costs_no_copy_of_what_is_served(house, tmp_path):
    house.live.answer = first = release(tmp_path, 1)
    house.refresh()
    issue(house, first, 2, add=5.0)
    (tmp_path / "artifact1").rename(tmp_path / "away")
    house.refresh()
    assert house.slot.current.opened.issue == 1
    house.start()
    house.refresher.restore()
    assert house.slot.current.opened.issue == 1, "a restart while the store is away goes on with it"


def test_a_broken_issue_in_the_cache_takes_none_before_it_away(house, tmp_path):
    house.live.answer = first = release(tmp_path, 1)
    house.refresh()
    issue_again(tmp_path / "artifact1", 2, add=5.0)
    path = tmp_path / "artifact1" / "forecasts" / "0002" / "mean.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    house.live.answer = replace(first, issue=2, kept_issues=(2,))
    house.refresh()
    (tmp_path / "artifact1").rename(tmp_path / "away")
    house.start()
    house.refresher.restore()
    assert house.slot.current.opened.issue == 1


def test_a_moved_alias_is_followed(house, tmp_path):
    house.live.answer = release(tmp_path, 1)
    assert house.refresh() == "BO1"
    before = house.slot.current
    house.live.answer = release(tmp_path, 2)
    assert house.refresh() == "BO2"
    assert house.loaded == ["BO1", "BO2"]
    assert before.opened.forecast("north/a", "sent", 1)[0]["median"] == 102, "who still holds the old one can go on"


def test_a_new_name_needs_no_new_files(house, tmp_path):
    house.live.answer = release(tmp_path, 1, candidate_of="CO1")
    assert house.refresh() == "CO1"
    opened = house.slot.current.opened
    house.live.answer = replace(house.live.answer, best_of="BO1")
    assert house.refresh() == "BO1"
    assert house.slot.current.opened is opened


def test_the_candidate_track_says_the_candidate_name(tmp_path):
    house = House(tmp_path, Track.CANDIDATE)
    house.live.answer = release(tmp_path, 1, candidate_of="CO1", best_of="BO1")
    assert house.refresh() == "CO1"


def test_while_the_registry_is_away_everything_stays(house, tmp_path, caplog):
    house.live.answer = release(tmp_path, 1)
    house.refresh()
    house.live.answer = RegistryError("away")
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert house.refresh() == "BO1"
    assert sum("is away" in line for line in caplog.messages) == 1


def test_no_release_behind_the_alias_empties_the_slot_for_good(house, tmp_path):
    house.live.answer = release(tmp_path, 1)
    house.refresh()
    house.live.answer = None
    assert house.refresh() is None
    house.start()
    house.refresher.restore()
    assert house.slot.current is None


def test_a_start_needs_only_the_cache(house, tmp_path):
    house.live.answer = release(tmp_path, 1)
    house.refresh()
    (tmp_path / "artifact1").rename(tmp_path / "gone")
    house.live.answer = RegistryError("away")
    house.start()
    house.refresher.restore()
    assert house.refresh() == "BO1"
    assert house.live.asked == 2


def test_a_broken_release_is_refused_and_the_old_one_stays(house, tmp_path, caplog):
    house.live.answer = release(tmp_path, 1)
    house.refresh()
    house.live.answer = release(tmp_path, 2)
    spoil(house.live.answer)
    assert house.refresh() == "BO1"
    assert house.refused == ["r2"]
    assert "mean.npy: its SHA-256" in caplog.text
    house.start()
    house.refresher.restore()
    assert house.slot.current.name == "BO1", "a refused release is never noted as good"


def test_a_refused_release_is_tried_again_ever_less_often(house, tmp_path):
    house.live.answer = release(tmp_path, 1)
    spoil(house.live.answer)
    tries = []
    for _ in range(2000):
        house.refresh()
        tries.append(len(house.refused))
        house.now += 1
    assert 8 <= tries[-1] <= 16
    assert tries[-1] - tries[-301] <= 2


def test_a_release_that_is_refused_for_days_is_still_told_and_tried_seldom(house, tmp_path):
    house.live.answer = release(tmp_path, 1)
    (tmp_path / "artifact1").rename(tmp_path / "away")
    for _ in range(4 * 24 * 12):
        house.refresh()
        house.now += 300
    (told,) = {*house.refused}
    assert (told, len(house.refused)) == ("r1", 4 * 24 * 12)
    house.refresh()
    house.now += 2
    house.refresh()
    assert len(house.refused) == 4 * 24 * 12 + 1


@pytest.mark.parametrize("card", ['{"series": "2"}', '{"checksums": 1}', '{"horizon": null}', "[]"])
def test_a_release_whose_card_is_of_another_kind_is_refused_like_any_broken_one(house, tmp_path, card):
    house.live.answer = release(tmp_path, 1)
    house.refresh()
    house.live.answer = release(tmp_path, 2)
    path = tmp_path / "artifact2" / "card.json"
    told = json.loads(card)
    path.write_text(json.dumps(told and {**json.loads(path.read_bytes()), **told}))
    assert house.refresh() == "BO1"
    assert house.refused == ["r2"]
    house.refresh()
    assert house.refused == ["r2"], "it is tried again, and not at once"


def test_that_nothing_serves_is_noted_as_soon_as_the_disk_takes_it(house, tmp_path, monkeypatch, caplog):
    house.live.answer = release(tmp_path, 1)
    house.refresh()
    house.live.answer = None
    with monkeypatch.context() as full:
        full.setattr(Path, "unlink", lambda *_, **__: full_disk())
        assert [house.refresh(), house.refresh()] == [None, None]
    house.refresh()
    house.live.answer = RegistryError("away")
    house.start()
    house.refresher.restore()
    assert house.slot.current is None
    assert sum("cannot be noted" in line for line in caplog.messages) == 1


def test_what_serves_is_noted_as_soon_as_the_disk_takes_it(house, tmp_path, monkeypatch, caplog):
    house.live.answer = release(tmp_path, 1)
    house.refresh()
    house.live.answer = release(tmp_path, 2)
    with monkeypatch.context() as full:
        full.setattr(cache, "write_whole", full_disk)
        assert [house.refresh(), house.refresh()] == ["BO2", "BO2"]
    house.refresh()
    house.live.answer = RegistryError("away")
    house.start()
    house.refresher.restore()
    assert house.slot.current.name == "BO2", "not the one before, which may have been rolled back"
    assert sum("cannot be noted" in line for line in caplog.messages) == 1


def test_a_repaired_release_is_taken_although_it_was_refused(house, tmp_path):
    house.live.answer = release(tmp_path, 1)
    spoil(house.live.answer)
    house.refresh()
    spoil(house.live.answer)
    house.now += 10
    assert house.refresh() == "BO1"


def test_the_card_must_be_of_the_release_that_was_asked_for(house, tmp_path):
    house.live.answer = replace(release(tmp_path, 1), release_id="other")
    assert house.refresh() is None
    assert house.refused == ["other"]


def test_a_spoilt_copy_in_the_cache_is_fetched_afresh(house, tmp_path):
    house.live.answer = release(tmp_path, 1)
    house.refresh()
    copy = tmp_path / "cache" / "releases" / "r1" / "forecasts" / "0001" / "mean.npy"
    copy.write_bytes(copy.read_bytes()[:-8])
    house.start()
    house.refresher.restore()
    assert house.slot.current is None
    for _ in range(2):
        house.now += 60
        house.refresh()
    assert house.slot.current.name == "BO1"


def test_the_thread_survives_what_nobody_foresaw(house, tmp_path, caplog):
    house.live.answer = ZeroDivisionError("what")
    stop = threading.Event()
    thread = threading.Thread(target=house.refresher.run, args=(stop,), kwargs={"poll_seconds": 0.01})
    thread.start()
    time.sleep(0.05)
    house.live.answer = release(tmp_path, 1)
    deadline = time.monotonic() + 5
    while house.slot.current is None and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    thread.join()
    assert house.slot.current.name == "BO1"
    assert "what is loaded stays" in caplog.text
