"""An installation on the fake ports, with measurements that a test decides on and calls that may be killed between any two steps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fakes import FakeJournal, FakeRegistry, FakeSplit, write_release
from ratchet.contracts.look import (
    Cadence,
    HourOfRatings,
    Level,
    Look,
    Order,
    OrderKind,
    PairedLoss,
    Segment,
    Surroundings,
    TrackCounts,
    WeekOfLosses,
)
from ratchet.contracts.policy import EvidencePolicy, Mode
from ratchet.contracts.ports import LookRow, Release, Track
from ratchet.contracts.release import CARD, Card
from ratchet.decide.state import EXPOSED, Stage
from ratchet.trials import Looker, Trials, Turns
from ratchet.trials.looking import Asked

START = datetime(2026, 11, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)
WORKLOAD = "toys"
POLICY = EvidencePolicy(min_ab_hours=2, min_requests=10, min_raters=4, best_day_e=0.0001, split_soft_p=0.0)
HEALTHY = {"production": TrackCounts(requests=80.0, bad_requests=0.0, new_clients=0.0)}
HEALTHY["candidate"] = replace(HEALTHY["production"], requests=20.0)

AROUND = Surroundings(
    data_age_hours=30.0,
    drifting=("input.x",),
    segments=(Segment(target="x", production=80, candidate=20),),
)

EVEN = ((3.0,) * 16, (3.0,) * 4)
BETTER = ((3.0,) * 16, (5.0,) * 4)
WORSE = ((5.0,) * 2, (2.0,) * 18)
"""In the watch nine of ten clients are on the promoted release."""


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
    _reading = (
        "live",
        "releases",
        "current",
        "shadows",
        "past",
        "promotions",
        "experiment",
        "newest",
        "look",
        "looks",
        "history",
    )
    _reading += ("policies", "pending", "unanswered", "clock", "stage", "share", "salt", "alone")

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


class Said:
    """Measurements that a test decides on."""

    def __init__(self) -> None:
        self.counts, self.ratings, self.gaps = dict(HEALTHY), EVEN, ()
        self.served: set[tuple[Track, str]] | None = None
        self.replayed, self.plain, self.behind = 200, None, False
        self.expected: tuple[Level, ...] = ()
        self.errors: dict[str, float] = {}
        """By candidate: its error beside production's of 1, in four weeks that matured after its promotion."""

    def look(self, _experiment, state, _policy, asked):
        if state.stage not in EXPOSED:
            unknown = TrackCounts(requests=None, bad_requests=None, new_clients=None)
            return Look(at=asked.at, production=unknown, candidate=unknown, cadence=asked.cadence)
        hour = HourOfRatings(hour=asked.at - HOUR, production=self.ratings[0], candidate=self.ratings[1])
        hours = () if asked.cadence is Cadence.MINUTE else (hour,)
        return Look(at=asked.at, **self.counts, hours=hours, gaps=self.gaps, cadence=asked.cadence)

    def weeks(self, experiment, state, **_):
        error = self.errors.get(experiment.candidate)
        if error is None or state.stage is not Stage.WATCH:
            return ()
        losses = tuple(PairedLoss(series=f"s{n}", production=1.0, candidate=error) for n in range(20))
        return tuple(WeekOfLosses(week=START + n * 168 * HOUR, losses=losses) for n in range(4))

    def evidence(self, *_, **__):
        return self.plain

    def is_behind(self, _experiment):
        return self.behind

    def is_served(self, _workload, track, release_id):
        return self.served is None or (track, release_id) in self.served

    def surroundings(self, *_):
        return AROUND

    def warm_up(self, _workload, _release_id, _requests, **_):
        return self.replayed

    def levels(self, *_, **__):
        return self.expected


class House:
    """The ports of one installation, and what runs over them."""

    def __init__(self, folder: Path, policy: EvidencePolicy = POLICY, *, workload: str = WORKLOAD, **ports) -> None:
        self.folder, self.policy, self.clock, self.workload = folder, policy, START, workload
        self.told: list[LookRow] = []
        self.registry, self.journal = ports.get("registry") or FakeRegistry(), ports.get("journal") or FakeJournal()
        self.split, self.said = ports.get("split") or FakeSplit(), Said()
        self.turns = self.made_with(self.registry, self.journal, self.split)

    def made_with(self, registry, journal, split) -> Turns:
        trials = Trials(registry=registry, journal=journal, split=split)
        looker = Looker(journal=journal, split=split, measured=self.said, find=trials.find)
        return Turns(trials=trials, looker=looker, tell=lambda _, rows: self.told.extend(rows))

    def fused(self, calls: int) -> Turns:
        fuse = Fuse(calls)
        return self.made_with(*(fuse.around(port) for port in (self.registry, self.journal, self.split)))

    def add(self, number: int) -> Release:
        folder = self.folder / f"r{number}"
        if not folder.exists():
            folder.mkdir(parents=True)
            write_release(folder, workload=self.workload, release_id=f"r{number}", data_hour=START)
        return self.registry.add(folder, Card.from_json((folder / CARD).read_bytes()))

    def place(self, number: int, turns: Turns | None = None) -> Release:
        return (turns or self.turns).trials.place(self.add(number), now=self.clock)

    def tick(self, hours: float = 0.01, turns: Turns | None = None) -> dict[str, object]:
        """A round of the guard."""
        self.clock += hours * HOUR
        return (turns or self.turns).advance(self.workload, self.policy, now=self.clock)

    def hour(self, count: int = 1, *, mode: Mode | None = None, turns: Turns | None = None) -> dict[str, str]:
        """So many hourly looks, each carried out; the last one's verdict."""
        said: dict[str, str] = {}
        for _ in range(count):
            self.clock += HOUR
            said = self.look(mode=mode, turns=turns)
            (turns or self.turns).act(self.workload, self.policy, now=self.clock)
        return said

    def look(self, *, mode: Mode | None = None, turns: Turns | None = None) -> dict[str, str]:
        policy = replace(self.policy, mode=mode) if mode else self.policy
        return (turns or self.turns).look(self.workload, policy, Asked(at=self.clock, actor="a test"))

    def say(
        self, kind: str, why: str = "because", turns: Turns | None = None, placed: datetime | None = None
    ) -> dict[str, object]:
        self.clock += HOUR / 60
        order = Order(kind=OrderKind(kind), who="ada", why=why)
        return (turns or self.turns).order(self.workload, self.policy, order, now=self.clock, placed=placed)

    def on_trial(self) -> "House":
        """Two releases, the second one in its A/B stage."""
        for number in (1, 2):
            self.place(number)
        for _ in range(2):
            self.tick()
        self.hour(2)
        assert self.stage == "ab"
        return self

    def promoted(self) -> "House":
        """The second release in production and watched."""
        self.on_trial()
        self.say("promote")
        self.tick()
        assert self.stage == "watch"
        return self

    def shadowed(self) -> "House":
        """The second release in production; its promotion is over but for the weeks that have to mature."""
        self.promoted()
        while not self.journal.shadows(self.workload):
            self.hour()
        return self

    def on_trial_too(self, number: int) -> "House":
        """Another release in its A/B stage."""
        self.place(number)
        for _ in range(2):
            self.tick()
        self.hour(2)
        assert self.stage == "ab"
        return self

    def promoted_too(self, number: int) -> "House":
        """Another release in production and watched."""
        self.on_trial_too(number).say("promote")
        self.tick()
        assert self.stage == "watch"
        return self

    @property
    def stage(self) -> str:
        return self.journal.stage(self.workload)

    def on(self, track: Track) -> str | None:
        release = self.registry.live(self.workload, track)
        return release.name_on(track) if release else None

    @property
    def world(self) -> tuple[str | None, str | None, int]:
        return self.on(Track.PRODUCTION), self.on(Track.CANDIDATE), self.split.share()

    def summary(self) -> dict[str, object]:
        current = self.journal.current(self.workload)
        return {
            "world": self.world,
            "salt": self.split.salt() if self.split.share() else None,
            "states": [(release.release_id, release.state) for release in self.registry.releases(self.workload)],
            "trial": (current.candidate, self.stage) if current else None,
            "ended": [(one.candidate, one.verdict) for one in self.journal.past(self.workload, limit=9)],
            "pending": len(self.journal.pending(self.workload)),
        }

    @property
    def states(self) -> list[str]:
        return [release.state for release in self.registry.releases(self.workload)]
