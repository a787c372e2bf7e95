"""Releases that are live or compared, issued again together from the newest gold."""

import os
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fakes import FakeJournal, FakeRegistry
from ratchet.contracts.errors import DataError, RegistryError, ReleaseError
from ratchet.contracts.frames import Gold
from ratchet.contracts.ports import Track
from ratchet.contracts.release import ISSUE, Issue, issue_folder, issues_in
from ratchet.issuing import Issuing, is_due
from ratchet.serve.cache import ReleaseCache
from ratchet.serve.release import open_release
from ratchet.train import train

EARLY, LATE = datetime(2026, 5, 4, 3, tzinfo=UTC), datetime(2026, 6, 1, 3, tzinfo=UTC)


class House:
    """Three releases of one workload, none on a track yet; gold is what a test says."""

    def __init__(self, folder, workload, history):
        self.folder, self.workload, self.history = folder, workload, history
        self.registry, self.journal = FakeRegistry(), FakeJournal()
        self.gold = Gold(data_hour=LATE, truth_until=LATE.date(), frame=lambda: history)
        self.issuing = Issuing(
            registry=self.registry,
            journal=self.journal,
            find=self.find,
            gold=lambda _: self.gold,
            cache=ReleaseCache(folder / "cache"),
            scratch=folder / "scratch",
        )
        self.releases = []
        for recipe in (("seasonal_naive",), ("theta",), ("naive",)):
            known = {"recipe": recipe, "data_hour": EARLY, "code_version": "1", "synthetic": True}
            card = train(history, workload=workload, out=folder / "trained", **known)
            self.releases.append(self.registry.add(folder / "trained" / card.release_id, card))

    def find(self, name, release_id):
        for release in self.registry.releases(name):
            if release.release_id == release_id:
                return release
        raise RegistryError(f"no release {release_id}")

    def refresh(self):
        return self.issuing.refresh(self.workload.name)

    def point(self, track, number):
        self.registry.point(self.workload.name, track, self.releases[number])

    def end(self, production, candidate, verdict):
        sides = (self.releases[number].release_id for number in (production, candidate))
        pair = dict(zip(("production", "candidate"), sides, strict=True))
        experiment = self.journal.open_experiment(self.workload.name, **pair, at=EARLY)
        self.journal.close_experiment(experiment.experiment_id, verdict=verdict, at=LATE)

    def last(self, track):
        release = self.registry.live(self.workload.name, track)
        return Issue.read(self.issuing.cache.fetch(release), release.issue)

    def damage(self, release, name):
        """Spoil a file wherever there is a copy of it."""
        for place in (self.issuing.cache.fetch(release), Path(urlsplit(release.location).path)):
            (place / name).write_text("half of it")

    def ids(self, *numbers):
        return {self.releases[number].release_id for number in numbers}


@pytest.fixture
def house(tmp_path, workload, history):
    return House(tmp_path, workload, history)


def test_both_tracks_are_issued_from_the_same_gold_and_others_are_left(house, tmp_path):
    house.point(Track.PRODUCTION, 0)
    house.point(Track.CANDIDATE, 1)
    assert house.refresh() == dict.fromkeys(house.ids(0, 1), 2)
    for track in Track:
        release = house.registry.live(house.workload.name, track)
        opened = open_release(house.issuing.cache.fetch(release), verify=True, issue=release.issue)
        assert (opened.issue, opened.data_hour, opened.weeks[0]) == (2, LATE, "2026-06-07")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_both_sides_of_every_open_experiment_are_issued(house):
    """After a promotion and a rollback: what lost may be on no track, and is scored still."""
    house.point(Track.PRODUCTION, 0)
    first = house.journal.open_experiment(
        house.workload.name, production=house.releases[0].release_id, candidate=house.releases[2].release_id, at=EARLY
    )
    assert set(house.refresh()) == house.ids(0, 2)
    house.journal.shadow(first.experiment_id)
    house.gold = replace(house.gold, data_hour=LATE + timedelta(days=1))
    assert set(house.refresh()) == house.ids(0, 2)


def test_the_newest_in_the_queue_is_issued_while_it_waits(house):
    """Its turn may come any minute, and clients minutes later; older ones in the queue never get a turn."""
    house.point(Track.PRODUCTION, 0)
    for number in (1, 2):
        house.registry.mark(house.releases[number], "queued")
    assert set(house.refresh()) == house.ids(0, 2)


def test_what_a_revert_would_bring_back_is_issued_as_long_as_it_may(house):
    """The experiment is over and the beaten release on no track; a revert puts it into production at once."""
    house.point(Track.PRODUCTION, 1)
    house.end(0, 1, "promote")
    house.end(1, 2, "rollback")
    assert set(house.refresh()) == house.ids(0, 1)


def test_a_promotion_that_another_one_has_followed_brings_nothing_back(house):
    house.end(0, 1, "promote")
    house.end(1, 2, "promote")
    house.point(Track.PRODUCTION, 2)
    assert set(house.refresh()) == house.ids(1, 2)


def test_a_beaten_release_whose_files_were_removed_fails_nothing(house):
    house.point(Track.PRODUCTION, 1)
    house.end(0, 1, "promote")
    house.registry.retire(house.releases[0])
    assert set(house.refresh()) == house.ids(1)


def test_a_second_run_on_the_same_gold_issues_nothing(house):
    house.point(Track.PRODUCTION, 0)
    assert house.refresh()
    assert house.refresh() == {}
    house.gold = replace(house.gold, data_hour=LATE + timedelta(hours=25))
    assert house.refresh() == dict.fromkeys(house.ids(0), 3)


def test_one_that_is_due_takes_along_what_it_is_compared_with(house):
    """Else two that were last issued hours apart would stay so: neither is ever due in the other's run."""
    house.point(Track.PRODUCTION, 0)
    house.refresh()
    house.point(Track.CANDIDATE, 1)
    for hours, issued in ((12, {0, 1}), (13, set()), (36, {0, 1}), (37, set())):
        house.gold = replace(house.gold, data_hour=LATE + timedelta(hours=hours))
        assert set(house.refresh()) == house.ids(*issued)
        assert len({house.last(track).data_hour for track in Track}) == 1


def test_one_that_cannot_be_issued_takes_nothing_along(house):
    house.point(Track.PRODUCTION, 0)
    house.point(Track.CANDIDATE, 1)
    house.damage(house.releases[1], "model.json")
    for hours in range(3):
        house.gold = replace(house.gold, data_hour=LATE + timedelta(hours=hours))
        with pytest.raises(ReleaseError, match=house.releases[1].release_id):
            house.refresh()
    assert house.registry.live(house.workload.name, Track.PRODUCTION).issue == 2


def test_one_that_cannot_be_issued_is_named_and_keeps_no_other_from_it(house):
    house.point(Track.PRODUCTION, 0)
    house.point(Track.CANDIDATE, 1)
    house.damage(house.releases[1], "model.json")
    with pytest.raises(ReleaseError, match=f"not issued again: {house.releases[1].release_id}"):
        house.refresh()
    assert house.registry.live(house.workload.name, Track.PRODUCTION).issue == 2
    assert house.registry.live(house.workload.name, Track.CANDIDATE).issue == 1


def test_one_whose_last_issue_cannot_be_read_is_named_and_keeps_no_other_from_it(house):
    house.point(Track.PRODUCTION, 0)
    house.point(Track.CANDIDATE, 1)
    house.damage(house.releases[0], f"{issue_folder(1)}/{ISSUE}")
    with pytest.raises(ReleaseError, match=f"not issued again: {house.releases[0].release_id}.* is damaged, and so is"):
        house.refresh()
    assert house.registry.live(house.workload.name, Track.CANDIDATE).issue == 2


def test_one_whose_last_issue_is_damaged_is_named_and_keeps_no_other_from_it(house):
    """What a series said before is what it says again where new weeks do not hold it."""
    house.point(Track.PRODUCTION, 0)
    house.point(Track.CANDIDATE, 1)
    house.refresh()
    damaged = house.registry.live(house.workload.name, Track.PRODUCTION)
    house.damage(damaged, f"{issue_folder(2)}/median.npy")
    house.gold = replace(house.gold, data_hour=LATE + timedelta(days=1))
    with pytest.raises(ReleaseError, match=f"not issued again: {damaged.release_id}.*0002 is damaged, and so is"):
        house.refresh()
    assert house.registry.live(house.workload.name, Track.CANDIDATE).issue == 3


@pytest.mark.parametrize("name", ["model.json", f"{issue_folder(2)}/median.npy"])
def test_one_whose_copy_here_is_damaged_is_issued_from_a_new_one(house, name):
    house.point(Track.PRODUCTION, 0)
    house.refresh()
    (house.issuing.cache.fetch(house.registry.live(house.workload.name, Track.PRODUCTION)) / name).write_text("half")
    house.gold = replace(house.gold, data_hour=LATE + timedelta(days=1))
    house.issuing = replace(house.issuing, cache=ReleaseCache(house.folder / "cache"))  # the next hour's run
    assert set(house.refresh()) == house.ids(0)


def test_one_that_cannot_be_published_is_named_and_keeps_no_other_from_it(house, monkeypatch):
    house.point(Track.PRODUCTION, 0)
    house.point(Track.CANDIDATE, 1)
    publish = house.registry.issue

    def refuse(release, folder, number):
        if release.release_id == house.releases[0].release_id:
            raise RegistryError("its place is full")
        return publish(release, folder, number)

    monkeypatch.setattr(house.registry, "issue", refuse)
    with pytest.raises(ReleaseError, match=f"not issued again: {house.releases[0].release_id}: its place is full"):
        house.refresh()
    assert house.registry.live(house.workload.name, Track.CANDIDATE).issue == 2


def test_a_release_that_is_gone_from_the_registry_keeps_no_other_from_it(house):
    house.point(Track.PRODUCTION, 0)
    house.journal.open_experiment(
        house.workload.name, production=house.releases[0].release_id, candidate="gone", at=EARLY
    )
    with pytest.raises(ReleaseError, match="not issued again: gone"):
        house.refresh()
    assert house.registry.live(house.workload.name, Track.PRODUCTION).issue == 2


def test_an_issue_that_another_run_published_first_stands(house, monkeypatch):
    house.point(Track.PRODUCTION, 0)
    other = replace(house.registry.live(house.workload.name, Track.PRODUCTION), issue=2)

    def read_while_another_publishes():
        monkeypatch.setattr(house.registry, "releases", lambda _: [other, *house.releases[1:]])
        return house.history

    house.gold = replace(house.gold, frame=read_while_another_publishes)
    assert house.refresh() == {}
    assert issues_in(house.issuing.cache.folder_of(other)) == [1]


def test_with_gold_and_no_release_there_is_nothing_to_do(house):
    assert house.refresh() == {}


def test_without_gold_it_is_said(house):
    house.gold = None
    with pytest.raises(DataError, match="no gold"):
        house.refresh()


@pytest.mark.parametrize(
    ("hour", "due"),
    [
        pytest.param(EARLY, False, id="the same gold"),
        pytest.param(EARLY + timedelta(hours=23), False, id="hours later"),
        pytest.param(EARLY + timedelta(hours=24), True, id="a day later"),
        pytest.param(datetime(2026, 5, 10, 23, tzinfo=UTC), True, id="days later, the week not complete"),
    ],
)
def test_a_day_makes_an_issue_due(hour, due):
    assert is_due(Issue(number=1, data_hour=EARLY, first_week=date(2026, 5, 10), horizon=26), hour) is due


def test_a_complete_week_makes_an_issue_due_at_once_and_only_once():
    sunday = datetime(2026, 5, 10, 22, tzinfo=UTC)
    last = Issue(number=1, data_hour=sunday, first_week=date(2026, 5, 10), horizon=26)
    assert not is_due(last, sunday + timedelta(hours=1))
    assert is_due(last, sunday + timedelta(hours=2))
    unmoved = replace(last, data_hour=sunday + timedelta(hours=2))
    assert not is_due(unmoved, sunday + timedelta(hours=5)), "gold that does not move on is not issued each hour"


def test_what_a_killed_run_left_is_removed_and_what_another_one_makes_is_not(house):
    house.point(Track.PRODUCTION, 0)
    scratch = house.issuing.scratch
    for name, hours in (("issue.killed", 25), ("issue.another", 1), ("what somebody keeps", 25)):
        (scratch / name / "release").mkdir(parents=True)
        at = time.time() - hours * 3600
        os.utime(scratch / name, (at, at))
    house.refresh()
    assert {path.name for path in scratch.iterdir()} == {"issue.another", "what somebody keeps"}
