"""Tidying a workload's releases, on the fake registry and journal: what goes, what stays, and what a kill leaves."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from fakes import FakeJournal, FakeRegistry, write_release
from ratchet.contracts.errors import MetricsError, RegistryError, ReleaseError
from ratchet.contracts.policy import Decision, Verdict
from ratchet.contracts.ports import NewLook, Track
from ratchet.contracts.release import CARD, issue_folder, issues_in
from ratchet.keeping import Keeping, read_first_week
from ratchet.register.discard import read_file
from releases import issue_again

W = "toys"
HOUR = datetime(2026, 3, 1, tzinfo=UTC)
GOLD = datetime(2026, 6, 1, tzinfo=UTC)
LATER = datetime.now(UTC) + timedelta(hours=2)


class House:
    """Five releases that lost, a production release (`r6`), and a candidate (`r7`) that was rolled back last."""

    def __init__(self, root):
        self.root, self.registry, self.journal = root, FakeRegistry(), FakeJournal()
        self.served, self.gold = {}, GOLD
        self.releases = [self.train(number) for number in range(1, 8)]
        for number in (1, 2, 3, 4, 5):
            self.registry.mark(self.releases[number - 1], "rolled_back")
        self.point(Track.PRODUCTION, 6, "production")
        self.end(self.open(6, 7), "rollback")
        self.registry.mark(self.releases[6], "rolled_back")

    def train(self, number):
        folder = self.root / "registry" / f"r{number}"
        card = write_release(folder, workload=W, release_id=f"r{number}", data_hour=HOUR + timedelta(weeks=number))
        return self.registry.add(folder, card)

    def point(self, track, number, state):
        self.registry.point(W, track, self.releases[number - 1])
        self.registry.mark(self.releases[number - 1], state)

    def open(self, production, candidate):
        return self.journal.open_experiment(W, production=f"r{production}", candidate=f"r{candidate}", at=HOUR)

    def end(self, experiment, verdict):
        self.journal.close_experiment(experiment.experiment_id, verdict=verdict, at=HOUR)

    def keeping(self, keep=1, **parts):
        known = {
            "registry": self.registry,
            "journal": self.journal,
            "serving": lambda _, track: self.served.get(track, {}),
            "gold": lambda _: self.gold,
            "drift_weeks": lambda _: 2,
            "first_week": read_first_week(read_file),
            "bundles": lambda _: self.root / "bundles",
            "keep": keep,
        }
        return Keeping(**(known | parts))

    def tidy(self, keep=1, *, now=LATER, dry_run=False, **parts):
        return self.keeping(keep, **parts).tidy(W, now=now, dry_run=dry_run)

    def there(self):
        return {one.release_id for one in self.registry.releases(W) if (_folder(one) / CARD).is_file()}

    def files(self):
        return {one.release_id: one.files for one in self.registry.releases(W)}


def _folder(release):
    return Path(unquote(urlsplit(release.location).path))


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_what_nobody_needs_goes_and_a_second_run_changes_nothing(house):
    done = house.tidy(keep=2)
    assert list(done.removed) == ["r1", "r2", "r3", "r4", "r5"]
    assert house.there() == {"r6", "r7"}
    assert house.files() == {**{f"r{n}": "gone" for n in range(1, 6)}, "r6": "kept", "r7": "kept"}
    assert list(house.tidy(keep=2).removed) == []


def test_a_dry_run_says_the_same_and_touches_nothing(house):
    before = house.registry.releases(W)
    said = house.tidy(keep=2, dry_run=True)
    assert [fate.release.release_id for fate in said.fates if not fate.stays] == ["r1", "r2", "r3", "r4", "r5"]
    assert house.registry.releases(W) == before
    assert house.there() == {f"r{n}" for n in range(1, 8)}


def test_both_sides_of_a_trial_and_what_a_rollback_or_revert_would_bring_back_stay(house):
    house.end(house.open(1, 2), "promote")  # 2 beat 1, long ago; nothing was promoted since
    house.end(house.open(2, 3), "rollback")
    shadow = house.open(3, 4)
    house.journal.shadow(shadow.experiment_id)
    assert house.tidy().removed == ["r5"]


def test_what_a_revert_would_bring_back_stays_however_many_were_tried_and_called_off_since(house):
    house.end(house.open(1, 6), "promote")  # 6, in production, beat 1
    for number in range(120):
        called_off = house.journal.open_experiment(W, production="r6", candidate=f"tried{number}", at=HOUR)
        house.journal.close_experiment(called_off.experiment_id, verdict="rollback", at=HOUR + timedelta(days=number))
    assert house.tidy().removed == ["r2", "r3", "r4", "r5"]


def test_releases_of_a_look_that_is_still_to_be_acted_on_stay(house):
    experiment = house.open(1, 2)
    said = Decision(verdict=Verdict.ROLLBACK, reason="worse", scores={})
    look = NewLook(
        at=HOUR, actor="x", policy="p", policy_body="{}", stage="rolled_back", decision=said, evidence=None, body="{}"
    )
    house.journal.record(experiment.experiment_id, look, at=HOUR)
    house.end(experiment, "rollback")
    house.end(house.open(6, 5), "rollback")
    assert house.tidy().removed == ["r3", "r4"]


def test_what_a_track_still_serves_stays(house):
    house.served = {Track.CANDIDATE: {"r2": 1, "r3": 0}}
    assert house.tidy().removed == ["r1", "r3", "r4", "r5"]


def test_nothing_goes_while_nobody_can_say_what_is_served(house):
    def away(*_):
        raise MetricsError("Prometheus is away")

    done = house.tidy(serving=away)
    assert (list(done.removed), done.waits) == ([], "nobody can say what is served: Prometheus is away")
    assert set(house.files().values()) == {"kept"}


def test_what_was_archived_a_moment_ago_stays_until_nobody_can_be_fetching_it(house):
    assert house.tidy(now=datetime.now(UTC)).removed == []
    assert house.tidy().removed


def test_a_removal_that_was_killed_is_finished(house, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(house.registry, "discard", die)
        with pytest.raises(KeyboardInterrupt):
            house.tidy()
    assert house.files()["r1"] == "going"
    assert house.there() >= {"r1", "r5"}
    assert house.tidy().removed == ["r1", "r2", "r3", "r4", "r5"]


def test_one_that_cannot_be_removed_keeps_no_other_from_it_and_is_named(house, monkeypatch):
    whole = house.registry.discard

    def discard(release):
        if release.release_id == "r2":
            raise RegistryError("removing the files of r2: Permission denied")
        return whole(release)

    with monkeypatch.context() as stuck:
        stuck.setattr(house.registry, "discard", discard)
        with pytest.raises(ReleaseError, match="not tidied: r2: removing the files of r2: Permission denied"):
            house.tidy()
    assert house.there() == {"r2", "r6", "r7"}
    assert house.tidy().removed == ["r2"]


def test_an_issue_that_cannot_be_read_keeps_all_of_its_own_and_no_other_from_going(house, tmp_path):
    live, damaged = house.releases[5], house.releases[6]
    for number in range(2, 20):
        house.registry.issue(live, written(live, number, tmp_path), number)
        house.registry.issue(damaged, issue_again(_folder(damaged), number, to=tmp_path / f"damaged-{number}"), number)
    (_folder(damaged) / issue_folder(7) / "issue.json").write_text("half of it")
    with pytest.raises(ReleaseError, match="not tidied: r7: "):
        house.tidy(keep=2)
    assert house.there() == {"r6", "r7"}
    kept = {one.release_id: one.kept_issues for one in house.registry.releases(W)}
    assert (kept["r6"], kept["r7"]) == ((1, 16, 17, 18, 19), ())


def test_trainings_own_copy_goes_with_it_but_not_one_that_is_about_to_be_registered(house, tmp_path):
    old = time.time() - 7200
    for number in (1, 2, 6):
        folder = tmp_path / "bundles" / f"r{number}"
        folder.mkdir(parents=True)
        if number != 2:
            os.utime(folder, (old, old))
    house.tidy()
    assert {path.name for path in (tmp_path / "bundles").iterdir()} == {"r2", "r6"}


def test_what_a_killed_run_left_of_trainings_own_copies_goes_but_not_what_is_being_written(house, tmp_path):
    """A removal that was killed between its two steps, and two trainings: one killed long ago, one at work."""
    for name, hours in ((".r1.going", 25), (".r9.a1b2", 25), (".r10.c3d4", 1)):
        folder = tmp_path / "bundles" / name / "forecasts"
        folder.mkdir(parents=True)
        since = time.time() - hours * 3600
        os.utime(folder.parent, (since, since))
        draft = tmp_path / "bundles" / f"{name}.training.json"
        draft.touch()
        os.utime(draft, (since, since))
    house.tidy()
    assert sorted(path.name for path in (tmp_path / "bundles").iterdir()) == [".r10.c3d4", ".r10.c3d4.training.json"]


def test_old_issues_of_what_is_live_go_a_run_later_and_weeks_in_doubt_keep_theirs(house, tmp_path):
    live = house.releases[5]
    for number in range(2, 20):
        # A new one every week, up to the week of gold.
        house.registry.issue(live, written(live, number, tmp_path), number)
    first = house.tidy(keep=9)
    assert first.issues == {}, "they are only told of"
    assert house.registry.releases(W)[5].kept_issues == (1, 16, 17, 18, 19)
    assert issues_in(_folder(live)) == list(range(1, 20))
    assert house.tidy(keep=9, now=LATER + timedelta(minutes=59)).issues == {}, "who read of one may be fetching it"
    second = house.tidy(keep=9, now=LATER + timedelta(days=1))
    assert second.issues == {"r6": list(range(2, 16))}
    assert issues_in(_folder(live)) == [1, 16, 17, 18, 19]


def test_an_experiment_keeps_the_issues_of_every_week_since_both_sides_were_trained(house, tmp_path):
    live = house.releases[5]
    house.open(6, 1)
    for number in range(2, 20):
        house.registry.issue(live, written(live, number, tmp_path), number)
    house.tidy(keep=9)
    since = live.data_hour - timedelta(weeks=1)
    kept = house.registry.releases(W)[5].kept_issues
    assert kept == (1, *(n for n in range(2, 20) if first_week(n) >= since.date() - timedelta(days=6)))


def test_without_gold_no_issue_goes(house, tmp_path):
    live, house.gold = house.releases[5], None
    for number in range(2, 9):
        house.registry.issue(live, written(live, number, tmp_path), number)
    house.tidy(keep=9)
    assert house.registry.releases(W)[5].kept_issues == ()


def first_week(number):
    """Issue 19 is of the week in which gold ends."""
    return (GOLD - timedelta(weeks=19 - number)).date()


def written(live, number, tmp_path):
    place = issue_again(_folder(live), number, to=tmp_path / "new" / f"{number}-{time.monotonic_ns()}")
    path = place / "issue.json"
    text = path.read_text()
    old = (HOUR + timedelta(weeks=6)).date().isoformat()
    assert f'"first_week": "{old}"' in text
    path.write_text(text.replace(f'"first_week": "{old}"', f'"first_week": "{first_week(number).isoformat()}"'))
    return place
