"""Placing, promoting and taking off: each step may be the last before a kill, and the next run finishes the rest."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fakes import FakeJournal, FakeRegistry, FakeSplit, write_release
from ratchet.contracts.policy import Decision, Evidence, TrackEvidence, Verdict
from ratchet.contracts.ports import Release, Track
from ratchet.contracts.release import CARD, Card
from ratchet.trials import Trials

START = datetime(2026, 11, 16, tzinfo=UTC)
WORKLOAD = "toys"


class KilledError(Exception):
    """Stands for SIGKILL: nothing of ours catches it."""


class Fuse:
    """Lets a number of changing calls through to the real object behind it, then kills."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def around(self, port: object) -> object:
        return _Fused(port, self)

    def burn(self) -> None:
        if self.left == 0:
            raise KilledError
        self.left -= 1


class _Fused:
    _reading = ("live", "releases", "current", "experiment", "evidence", "pending", "decisions", "share", "alone")

    def __init__(self, port: object, fuse: Fuse) -> None:
        self._port, self._fuse = port, fuse

    def __getattr__(self, name: str) -> object:
        method = getattr(self._port, name)
        if name in self._reading:
            return method

        def changing(*arguments: object, **named: object) -> object:
            self._fuse.burn()
            return method(*arguments, **named)

        return changing


class House:
    """The ports of one installation and the trials over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry, self.journal, self.split = FakeRegistry(), FakeJournal(), FakeSplit()
        self.trials = self.made_with(self.registry, self.journal, self.split)

    def made_with(self, registry, journal, split) -> Trials:
        return Trials(registry=registry, journal=journal, split=split, share=20)

    def fused(self, calls: int) -> Trials:
        fuse = Fuse(calls)
        return self.made_with(*(fuse.around(port) for port in (self.registry, self.journal, self.split)))

    def add(self, number: int) -> Release:
        folder = self.folder / f"r{number}"
        if not folder.exists():
            folder.mkdir()
            write_release(folder, workload=WORKLOAD, release_id=f"r{number}", data_hour=START)
        return self.registry.add(folder, Card.from_json((folder / CARD).read_bytes()))

    def place(self, number: int) -> Release:
        return self.trials.place(self.add(number), now=START + timedelta(hours=number))

    def decide(self, verdict: Verdict) -> None:
        experiment = self.journal.current(WORKLOAD)
        track = TrackEvidence(release="-", requests=1, errors=0, latency_ms=1.0, ratings=1, rating=5.0)
        evidence = Evidence(
            experiment_id=experiment.experiment_id,
            at=START + timedelta(days=1),
            since=START,
            production=track,
            candidate=track,
        )
        self.journal.record_evidence(evidence)
        self.journal.record_decision(evidence, Decision(verdict=verdict, reason="a test says so", scores={}), at=START)

    def act(self, trials: Trials) -> None:
        for row in self.journal.pending(WORKLOAD):
            trials.carry_out(row, now=START + timedelta(days=1))
        trials.next_trial(WORKLOAD, now=START + timedelta(days=1))

    def on(self, track: Track) -> str | None:
        release = self.registry.live(WORKLOAD, track)
        return release.name_on(track) if release else None

    def summary(self) -> dict[str, object]:
        current = self.journal.current(WORKLOAD)
        return {
            "production": self.on(Track.PRODUCTION),
            "candidate": self.on(Track.CANDIDATE),
            "states": [(release.release_id, release.state) for release in self.registry.releases(WORKLOAD)],
            "share": self.split.share(),
            "trial": current.candidate if current else None,
            "pending": len(self.journal.pending(WORKLOAD)),
        }


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_first_release_goes_live_without_a_trial(house):
    assert house.place(1).name_on(Track.PRODUCTION) == "BO1"
    assert (house.on(Track.PRODUCTION), house.on(Track.CANDIDATE), house.split.share()) == ("BO1", None, 0)


def test_the_second_release_goes_on_trial(house):
    house.place(1)
    assert house.place(2).state == "trial"
    assert (house.on(Track.PRODUCTION), house.on(Track.CANDIDATE), house.split.share()) == ("BO1", "CO1", 20)


def test_a_release_that_comes_during_a_trial_waits_and_the_newest_one_is_next(house):
    for number in (1, 2, 3, 4):
        house.place(number)
    assert house.on(Track.CANDIDATE) == "CO1"
    house.decide(Verdict.ROLLBACK)
    house.act(house.trials)
    assert house.on(Track.CANDIDATE) == "CO3"
    assert [release.state for release in house.registry.releases(WORKLOAD)] == [
        "production",
        "rolled_back",
        "superseded",
        "trial",
    ]


def test_promotion_gives_the_next_name_and_frees_the_candidate_track(house):
    house.place(1)
    house.place(2)
    house.decide(Verdict.PROMOTE)
    house.act(house.trials)
    assert house.summary() == {
        "production": "BO2",
        "candidate": None,
        "states": [("r1", "beaten"), ("r2", "production")],
        "share": 0,
        "trial": None,
        "pending": 0,
    }


def test_rollback_keeps_production(house):
    house.place(1)
    house.place(2)
    house.decide(Verdict.ROLLBACK)
    house.act(house.trials)
    assert (house.on(Track.PRODUCTION), house.on(Track.CANDIDATE), house.split.share()) == ("BO1", None, 0)


def test_hold_changes_nothing_but_is_noted(house):
    house.place(1)
    house.place(2)
    before = house.summary()
    house.decide(Verdict.HOLD)
    house.act(house.trials)
    assert house.summary() == before


@pytest.mark.parametrize("number", [1, 2], ids=["in production", "on trial"])
def test_placing_again_changes_nothing(house, number):
    house.place(1)
    house.place(2)
    before = house.summary()
    house.place(number)
    assert house.summary() == before


def test_a_release_that_was_rolled_back_is_not_tried_again(house):
    house.place(1)
    house.place(2)
    house.decide(Verdict.ROLLBACK)
    house.act(house.trials)
    assert house.place(2).state == "rolled_back"
    assert house.on(Track.CANDIDATE) is None


@pytest.mark.parametrize("verdict", [Verdict.PROMOTE, Verdict.ROLLBACK, Verdict.HOLD], ids=str)
@pytest.mark.parametrize("calls", range(10))
def test_a_verdict_interrupted_between_any_two_steps_is_finished_by_the_next_run(house, verdict, calls, tmp_path):
    undisturbed = House(tmp_path / "other")
    undisturbed.folder.mkdir()
    for one in (house, undisturbed):
        for number in (1, 2, 3):
            one.place(number)
        one.decide(verdict)
    undisturbed.act(undisturbed.trials)
    try:
        house.act(house.fused(calls))
    except KilledError:
        house.act(house.trials)
    assert house.summary() == undisturbed.summary()


@pytest.mark.parametrize("placed", [1, 2, 3], ids=["first", "on trial", "queued"])
@pytest.mark.parametrize("calls", range(6))
def test_placing_interrupted_between_any_two_steps_is_finished_by_the_next_run(house, placed, calls, tmp_path):
    undisturbed = House(tmp_path / "other")
    undisturbed.folder.mkdir()
    for number in range(1, placed + 1):
        undisturbed.place(number)
        if number < placed:
            house.place(number)
    try:
        house.fused(calls).place(house.add(placed), now=START + timedelta(hours=placed))
    except KilledError:
        house.place(placed)
    assert house.summary() == undisturbed.summary()
