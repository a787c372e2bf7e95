"""Experiments on the fake ports: looks, orders, and acting that may be killed between any two steps."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fakes import FakeJournal, FakeRegistry, FakeSplit, write_release
from ratchet.contracts.errors import RatchetError
from ratchet.contracts.look import (
    Cadence,
    HourOfRatings,
    Look,
    Order,
    OrderKind,
    PairedLoss,
    Segment,
    Surroundings,
    TrackCounts,
    WeekOfLosses,
)
from ratchet.contracts.policy import Evidence, EvidencePolicy, Mode, TrackEvidence, Verdict
from ratchet.contracts.ports import LookRow, Release, Track
from ratchet.contracts.release import CARD, Card
from ratchet.decide.state import EXPOSED, Stage
from ratchet.observe.journal import PostgresJournal
from ratchet.trials import Looker, Trials, Turns, replay_all
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
    _reading = ("live", "releases", "current", "shadows", "past", "experiment", "newest", "look", "looks", "history")
    _reading += ("policies", "pending", "unanswered", "stage", "share", "salt", "alone")

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

    def warm_up(self, _release, _requests, **_):
        return self.replayed


class House:
    """The ports of one installation, and what runs over them."""

    def __init__(self, folder: Path, policy: EvidencePolicy = POLICY) -> None:
        self.folder, self.policy, self.clock = folder, policy, START
        self.told: list[LookRow] = []
        self.registry, self.journal, self.split, self.said = FakeRegistry(), FakeJournal(), FakeSplit(), Said()
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
            write_release(folder, workload=WORKLOAD, release_id=f"r{number}", data_hour=START)
        return self.registry.add(folder, Card.from_json((folder / CARD).read_bytes()))

    def place(self, number: int, turns: Turns | None = None) -> Release:
        return (turns or self.turns).trials.place(self.add(number), now=self.clock)

    def tick(self, hours: float = 0.01, turns: Turns | None = None) -> dict[str, object]:
        """A round of the guard."""
        self.clock += hours * HOUR
        return (turns or self.turns).advance(WORKLOAD, self.policy, now=self.clock)

    def hour(self, count: int = 1, *, mode: Mode | None = None, turns: Turns | None = None) -> dict[str, str]:
        """So many hourly looks, each carried out; the last one's verdict."""
        said: dict[str, str] = {}
        for _ in range(count):
            self.clock += HOUR
            said = self.look(mode=mode, turns=turns)
            (turns or self.turns).act(WORKLOAD, self.policy, now=self.clock)
        return said

    def look(self, *, mode: Mode | None = None, turns: Turns | None = None) -> dict[str, str]:
        policy = replace(self.policy, mode=mode) if mode else self.policy
        return (turns or self.turns).look(WORKLOAD, policy, Asked(at=self.clock, actor="a test"))

    def say(
        self, kind: str, why: str = "because", turns: Turns | None = None, placed: datetime | None = None
    ) -> dict[str, object]:
        self.clock += HOUR / 60
        order = Order(kind=OrderKind(kind), who="ada", why=why)
        return (turns or self.turns).order(WORKLOAD, self.policy, order, now=self.clock, placed=placed)

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
        while not self.journal.shadows(WORKLOAD):
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
        return self.journal.stage(WORKLOAD)

    def on(self, track: Track) -> str | None:
        release = self.registry.live(WORKLOAD, track)
        return release.name_on(track) if release else None

    @property
    def world(self) -> tuple[str | None, str | None, int]:
        return self.on(Track.PRODUCTION), self.on(Track.CANDIDATE), self.split.share()

    def summary(self) -> dict[str, object]:
        current = self.journal.current(WORKLOAD)
        return {
            "world": self.world,
            "salt": self.split.salt() if self.split.share() else None,
            "states": [(release.release_id, release.state) for release in self.registry.releases(WORKLOAD)],
            "trial": (current.candidate, self.stage) if current else None,
            "ended": [(one.candidate, one.verdict) for one in self.journal.past(WORKLOAD, limit=9)],
            "pending": len(self.journal.pending(WORKLOAD)),
        }

    @property
    def states(self) -> list[str]:
        return [release.state for release in self.registry.releases(WORKLOAD)]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_first_release_goes_live_without_a_trial(house):
    house.place(1)
    house.tick()
    assert house.world == ("BO1", None, 0)


def test_a_candidate_is_warmed_up_then_meets_few_then_more_clients(house):
    house.place(1)
    house.place(2)
    seen = []
    for step in (house.tick, house.tick, house.hour, house.hour):
        step()
        seen.append((house.stage, house.world))
    assert seen == [
        ("warmup", ("BO1", "CO1", 0)),
        ("canary", ("BO1", "CO1", 5)),
        ("canary", ("BO1", "CO1", 5)),
        ("ab", ("BO1", "CO1", 20)),
    ]
    assert house.states == ["production", "trial"]


def test_the_plain_rule_knows_no_stages_but_the_trial(tmp_path):
    house = House(tmp_path, EvidencePolicy(mode=Mode.SPEC))
    house.place(1)
    house.place(2)
    house.tick()
    assert (house.stage, house.world) == ("ab", ("BO1", "CO1", 20))


def test_a_candidate_that_not_every_worker_serves_stays_in_its_warm_up(house):
    house.said.served = set()
    house.place(1)
    house.place(2)
    for _ in range(3):
        house.tick()
    assert (house.stage, house.split.share()) == ("warmup", 0)
    house.said.served, house.said.replayed = {(Track.CANDIDATE, "r2")}, 199
    house.tick()
    assert house.stage == "warmup"
    assert house.hour()["reason"] == "warmed up with 199 of 200 replayed requests"


def test_a_promotion_is_done_only_when_every_worker_serves_the_winner(house):
    house.on_trial()
    house.said.served = set()
    house.say("promote")
    house.tick()
    assert (house.stage, house.world) == ("promoting", ("BO2", "CO1", 20))
    house.said.served = {(Track.PRODUCTION, "r2")}
    house.tick()
    assert (house.stage, house.world) == ("watch", ("BO2", "BO1", 10))
    assert house.states == ["beaten", "production"]


def test_better_ratings_promote_by_themselves_and_the_watch_ends_in_a_new_experiment(house):
    house.on_trial()
    house.said.ratings = BETTER
    house.hour(4)
    assert house.stage == "promoting"
    house.said.ratings = EVEN
    house.tick()
    house.hour(60)
    house.place(3)
    assert (house.stage, house.states[-1]) == ("watch", "queued")
    while not house.journal.shadows(WORKLOAD):
        house.hour()
    assert [one.candidate for one in house.journal.shadows(WORKLOAD)] == ["r2"]
    house.tick()
    house.tick()
    assert house.world == ("BO2", "CO2", 5)


def test_bad_requests_take_a_candidate_off_within_minutes_and_another_is_asked_for_once(house):
    house.on_trial()
    house.said.counts["candidate"] = replace(HEALTHY["candidate"], bad_requests=20.0)
    house.tick(1 / 60)
    assert (house.world, house.states) == (("BO1", None, 0), ["production", "rolled_back"])
    assert house.told[-1].decision.verdict is Verdict.ROLLBACK
    found = house.journal.unanswered(WORKLOAD)
    assert "bad requests of the candidate" in found.decision.reason
    house.journal.acted(found.look_id, at=house.clock, what="answered")
    assert house.journal.unanswered(WORKLOAD) is None


def test_minutes_in_which_nothing_happens_are_not_kept(house):
    house.on_trial()
    before = len(house.journal.looks(WORKLOAD, limit=99))
    for _ in range(5):
        assert house.tick(1 / 60)["verdict"] == "none"
    assert len(house.journal.looks(WORKLOAD, limit=99)) == before


def test_harm_in_the_watch_brings_the_beaten_release_back(house):
    house.promoted()
    house.said.ratings = WORSE
    house.hour(12)
    assert house.world == ("BO1", None, 0)
    assert house.states == ["production", "rolled_back"]
    assert [one.verdict for one in house.journal.past(WORKLOAD, limit=1)] == ["revert"]


def test_a_promotion_that_proves_wrong_late_ends_the_experiment_beside_it(house):
    house.shadowed().on_trial_too(3)
    house.said.errors["r2"] = 2.0
    assert "its production was reverted" in house.hour()["reason"]
    assert (house.world, house.states) == (("BO1", None, 0), ["production", "rolled_back", "rolled_back"])


def test_a_promotion_that_another_has_followed_can_no_longer_move_production(house):
    house.shadowed().promoted_too(3)
    assert [one.verdict for one in house.journal.past(WORKLOAD, limit=9)] == ["promote"]
    house.said.errors["r2"] = 2.0
    house.hour(2)
    assert house.journal.shadows(WORKLOAD) == []
    assert (house.world, house.states) == (("BO3", "CO1", 10), ["beaten", "beaten", "production"])


def test_an_older_promotion_that_was_left_open_is_closed_and_moves_nothing(house):
    """As installations have it whose two promotions came before the older one was closed."""
    house.shadowed()
    closed, house.journal.close_experiment = house.journal.close_experiment, lambda *_, **__: None
    house.promoted_too(3)
    house.said.errors["r2"] = 2.0
    house.look()
    assert house.journal.newest(1).stage == "watch"
    house.journal.close_experiment = closed
    house.hour()
    assert (house.world, house.states) == (("BO3", "CO1", 10), ["beaten", "beaten", "production"])
    assert [(one.candidate, one.verdict) for one in house.journal.past(WORKLOAD, limit=9)] == [("r2", "promote")]


def test_a_release_that_was_rolled_back_is_never_tried_again(house):
    house.on_trial()
    house.say("rollback")
    assert house.place(2).state == "rolled_back"
    house.tick()
    assert house.world == ("BO1", None, 0)


def test_after_a_rollback_the_next_one_cools_down_twice_as_long_each_time(house):
    house.on_trial()
    house.say("rollback")
    house.place(3)
    house.hour(23)
    assert house.stage == "queued"
    assert "cooling down until 2026-11-17" in house.look()["reason"]
    house.hour(2)
    house.tick()
    assert house.stage == "canary"
    house.say("rollback")
    house.place(4)
    house.hour(40)
    assert "after 2 rollbacks in a row" in house.look()["reason"]


def test_a_candidate_whose_forecasts_begin_with_weeks_that_are_over_meets_nobody(house):
    house.said.behind = True
    for number in (1, 2):
        house.place(number)
    house.tick()
    house.hour(2)
    assert (house.stage, house.world) == ("queued", ("BO1", None, 0))
    assert "begin with a week that is over" in house.look()["reason"]
    house.said.behind = False
    for _ in range(2):
        house.tick()
    assert (house.stage, house.world) == ("canary", ("BO1", "CO1", 5))


def test_a_newer_candidate_takes_the_place_of_one_that_nobody_has_met(house):
    house.place(1)
    house.place(2)
    house.tick()
    assert house.stage == "warmup"
    house.place(3)
    house.tick()
    assert (house.states, house.journal.current(WORKLOAD).candidate) == (["production", "superseded", "trial"], "r3")


def test_a_newer_candidate_waits_for_one_that_clients_have_met_and_the_newest_is_next(tmp_path):
    house = House(tmp_path, replace(POLICY, cooldown_hours=0)).on_trial()
    for number in (3, 4):
        house.place(number)
    assert (house.journal.current(WORKLOAD).candidate, house.states[2:]) == ("r2", ["queued", "queued"])
    house.say("rollback")
    house.tick()
    assert house.journal.current(WORKLOAD).candidate == "r4"
    assert house.states == ["production", "rolled_back", "superseded", "trial"]


def test_every_experiment_picks_other_people_and_the_watch_too(house):
    house.on_trial()
    first = house.split.salt()
    house.say("promote")
    house.tick()
    assert house.stage == "watch"
    assert house.split.salt() == first + 1


def test_a_second_look_at_the_same_moment_reads_the_first(house):
    house.on_trial()
    house.clock += HOUR
    first = house.look()
    house.said.counts["candidate"] = replace(HEALTHY["candidate"], bad_requests=20.0)
    assert house.look() == first
    house.clock -= HOUR / 2
    assert house.look() == first, "a look from before the newest one finds the newest"


def test_a_hold_keeps_a_better_candidate_until_it_is_cleared(house):
    house.on_trial()
    house.say("hold", "a conference")
    house.said.ratings = BETTER
    assert house.hour(4)["verdict"] == "hold"
    assert "hold by ada: a conference" in house.look()["reason"]
    house.say("clear")
    assert house.hour()["verdict"] == "promote"


def test_approval_is_asked_for_measured_on_and_expires(tmp_path):
    house = House(tmp_path, replace(POLICY, needs_approval=True)).on_trial()
    house.said.ratings = BETTER
    house.hour(4)
    assert (house.stage, house.world) == ("awaiting_approval", ("BO1", "CO1", 20))
    name = house.turns.waiting_since(WORKLOAD, house.policy)
    house.hour(3)
    assert house.turns.waiting_since(WORKLOAD, house.policy) == name
    raters = house.journal.looks(WORKLOAD, limit=1)[0].decision.scores["raters_candidate"]
    assert raters > 4 * 6, "it is measured while it waits"
    house.hour(24)
    assert (house.stage, house.states) == ("", ["production", "inconclusive"])


@pytest.mark.parametrize(("word", "world"), [("approve", ("BO2", "CO1", 20)), ("deny", ("BO1", None, 0))])
def test_a_person_approves_or_denies(tmp_path, word, world):
    house = House(tmp_path, replace(POLICY, needs_approval=True)).on_trial()
    house.said.ratings = BETTER
    house.hour(4)
    house.say(word)
    assert house.world == world


def test_a_promotion_is_taken_back_by_a_person_also_when_its_watch_is_over(house):
    house.promoted()
    house.hour(700)
    house.said.gaps = ()
    assert house.hour(900) == {"verdict": "none", "reason": "no experiment is running"}
    assert house.say("revert", "customers call")["verdict"] == "revert"
    assert (house.world, house.states) == (("BO1", None, 0), ["production", "rolled_back"])
    with pytest.raises(RatchetError, match="no promotion of toys can be taken back"):
        house.say("revert")


def test_a_word_that_cannot_be_carried_out_yet_says_so_and_is_carried_out_by_the_next_run(house):
    house.on_trial()
    house.registry.away = True
    said = house.say("rollback", "users complain")
    assert (
        said["reason"]
        == "rollback by ada: users complain; recorded, and carried out by the next run: the registry is away"
    )
    assert (said["verdict"], said["acted"]) == ("rollback", [])
    house.registry.away = False
    house.tick()
    assert (house.world, house.states) == (("BO1", None, 0), ["production", "rolled_back"])


def test_a_word_that_a_killed_run_wrote_down_is_not_taken_up_again_for_what_came_after(house):
    house.on_trial()
    house.place(3)
    placed = house.clock
    first = house.say("rollback", placed=placed)
    while house.stage != "ab":
        house.hour()
    looks = len(house.journal.looks(WORKLOAD, limit=999))
    again = house.say("rollback", placed=placed)
    assert (again["verdict"], again["reason"]) == (first["verdict"], first["reason"])
    assert (house.stage, len(house.journal.looks(WORKLOAD, limit=999))) == ("ab", looks)


def test_a_revert_that_a_killed_run_wrote_down_takes_no_second_promotion_back(house):
    house.shadowed().promoted_too(3)
    placed = house.clock
    for _ in range(2):
        house.say("revert", placed=placed)
    assert house.states == ["beaten", "production", "rolled_back"]


def test_a_word_that_waited_means_what_ran_when_it_was_placed(tmp_path):
    house = House(tmp_path, replace(POLICY, cooldown_hours=0)).on_trial()
    house.place(3)
    placed = house.clock
    house.said.counts["candidate"] = replace(HEALTHY["candidate"], bad_requests=20.0)
    house.tick(1 / 60)
    house.said.counts = dict(HEALTHY)
    with pytest.raises(RatchetError, match="what it was about is over; experiment 2 began after it was said"):
        house.say("rollback", placed=placed)
    assert (house.stage, house.states) == ("queued", ["production", "rolled_back", "queued"])


def test_a_revert_that_waited_is_refused_when_the_promotion_has_been_taken_back_meanwhile(house):
    house.shadowed().promoted_too(3)
    placed = house.clock
    house.said.ratings = WORSE
    house.hour(12)
    assert house.states == ["beaten", "production", "rolled_back"]
    with pytest.raises(RatchetError, match="a promotion has been taken back since it was said"):
        house.say("revert", placed=placed)
    assert house.states == ["beaten", "production", "rolled_back"]


def test_a_promotion_can_be_taken_back_until_the_next_one_whatever_was_tried_since(house):
    house.shadowed()
    house.said.errors["r2"] = 0.99
    house.hour(2)
    assert [one.verdict for one in house.journal.past(WORKLOAD, limit=9)] == ["promote"]
    house.on_trial_too(3)
    with pytest.raises(RatchetError, match="experiment 2 is on trial: roll it back first, then revert"):
        house.say("revert")
    house.say("rollback")
    assert house.say("revert", "customers call")["verdict"] == "revert"
    assert (house.world, house.states) == (("BO1", None, 0), ["production", "rolled_back", "rolled_back"])


def test_two_promotions_and_words_that_waited_in_a_real_database(tmp_path, postgres):
    house = House(tmp_path, replace(POLICY, watch_hours=1, watch_raters=0, canary_hours=0))
    house.journal = PostgresJournal(postgres)
    house.turns = house.made_with(house.registry, house.journal, house.split)
    house.shadowed().promoted_too(3)
    assert [(one.candidate, one.verdict) for one in house.journal.past(WORKLOAD, limit=9)] == [("r2", "promote")]
    assert house.journal.shadows(WORKLOAD) == []
    placed = house.clock
    for _ in range(2):
        assert house.say("revert", placed=placed)["reason"] == "revert by ada: because"
    assert house.states == ["beaten", "production", "rolled_back"]
    with pytest.raises(RatchetError, match="a promotion has been taken back since it was said"):
        house.say("revert", "another reason", placed=placed)
    assert house.say("revert", "the older one too")["verdict"] == "revert"
    assert house.states == ["production", "rolled_back", "rolled_back"]


def test_orders_that_mean_nothing_are_refused_in_words(house):
    house.place(1)
    with pytest.raises(RatchetError, match="nothing is on trial for toys: there is nothing to promote"):
        house.say("promote")
    house.place(2)
    with pytest.raises(RatchetError, match="say why"):
        house.say("promote", "")
    house.tick()
    assert "not possible while warmup" in house.say("promote")["reason"]


def test_one_look_by_the_plain_rule_ends_an_experiment_that_the_other_rule_would_go_on_with(house):
    for number in (1, 2):
        house.place(number)
    house.tick()
    house.tick()
    track = TrackEvidence(release="-", requests=100, errors=0, latency_ms=5.0, ratings=20, rating=3.0)
    house.said.plain = Evidence(
        experiment_id=1, at=START, since=START, production=track, candidate=replace(track, rating=4.5)
    )
    assert house.hour()["verdict"] == "extend"
    assert house.hour(mode=Mode.SPEC)["verdict"] == "promote"
    rows = house.journal.history(1)
    assert rows[-1].policy != rows[-2].policy
    assert [(one.looks, one.differences) for one in replay_all(house.journal, WORKLOAD)] == [(len(rows), ())]


def test_replaying_finds_every_byte_of_an_experiment_from_queue_to_revert_and_names_what_was_forged(house):
    house.promoted()
    house.said.gaps = ("Prometheus is away",)
    house.hour(3)
    house.said.gaps = ()
    house.say("revert")
    assert [one.differences for one in replay_all(house.journal, WORKLOAD)] == [()]
    forged = house.journal._looks
    key = next(key for key, row in forged.items() if row.stage == "ab")
    forged[key] = replace(forged[key], body=forged[key].body.replace("guardrails held", "guardrails hell"))
    (found,) = replay_all(house.journal, WORKLOAD)
    assert "decision: from byte" in found.differences[0]
    assert "hell" in found.differences[0]


def test_the_stakes_of_an_experiment_stay_while_its_other_parameters_may_change(house):
    house.on_trial()
    house.policy = replace(house.policy, bets=(0.5,), alpha_promote_ratings=0.001)
    house.hour()
    assert house.stage == "ab"
    kept = house.journal.policies()[house.journal.newest(1).policy]
    assert "0.001" in kept
    assert "0.155" in kept


@pytest.mark.parametrize(
    ("gap", "reason"),
    [
        pytest.param({"gaps": ("Prometheus at x is away",)}, "Prometheus at x is away", id="Prometheus away"),
        pytest.param({"gaps": ("the forecast log is away",)}, "the forecast log is away", id="PostgreSQL away"),
        pytest.param({"gaps": ("clocks apart: by an hour",)}, "clocks apart", id="clocks apart"),
        pytest.param({"nan": float("nan")}, "requests are nan", id="NaN"),
        pytest.param({"nan": None}, "requests are missing", id="missing"),
        pytest.param({"nan": -5.0}, "went backwards", id="counter reset"),
        pytest.param({"nan": 0.0}, "no traffic", id="no traffic"),
    ],
)
def test_what_is_missing_never_promotes_is_suspended_in_the_end_and_comes_back(house, gap, reason):
    house.on_trial()
    house.said.ratings = BETTER
    house.said.gaps = gap.get("gaps", ())
    if "nan" in gap:
        house.said.counts["candidate"] = replace(HEALTHY["candidate"], requests=gap["nan"])
    verdicts = []
    for _ in range(6):
        said = house.hour()
        verdicts.append(said["verdict"])
        assert reason in said["reason"]
    assert verdicts == ["extend", "hold", "hold", "hold", "hold", "suspend"]
    assert house.split.share() == 0
    house.said.gaps, house.said.counts = (), dict(HEALTHY)
    house.hour()
    assert house.split.share() == 20


def test_no_feedback_at_all_ends_inconclusive_and_production_stays(house):
    house.on_trial()
    house.said.ratings = ((), ())
    house.hour(340)
    assert (house.world, house.states) == (("BO1", None, 0), ["production", "inconclusive"])


def test_a_release_that_is_gone_from_the_registry_holds_what_it_was_on_trial_for(house):
    house.on_trial()
    house.said.ratings = BETTER
    del house.registry._releases[WORKLOAD, 2]
    house.clock += HOUR
    assert "release r2 of toys is gone from the registry" in house.look()["reason"]


def test_a_release_whose_files_are_gone_is_not_promoted(house):
    """Nothing of ours removes them while it is on trial; whoever did has to be told of it."""
    house.on_trial()
    house.said.ratings = BETTER
    release = house.registry._releases[WORKLOAD, 2]
    house.registry._releases[WORKLOAD, 2] = replace(release, files="gone")
    house.clock += HOUR
    assert "the files of release r2 were removed (RELEASES_KEEP)" in house.look()["reason"]


SCENES = {
    "place the first": lambda house, turns: house.place(1, turns),
    "warm up": lambda house, turns: (house.place(1), house.place(2), house.tick(turns=turns)),
    "roll back": lambda house, turns: (house.on_trial(), house.place(3), house.say("rollback", turns=turns)),
    "promote": lambda house, turns: (house.on_trial(), house.say("promote", turns=turns)),
    "watch": lambda house, turns: (house.on_trial(), house.say("promote"), house.tick(turns=turns)),
    "revert": lambda house, turns: (house.promoted(), house.say("revert", turns=turns)),
    "replace": lambda house, turns: (house.place(1), house.place(2), house.tick(), house.place(3, turns)),
    "hold": lambda house, turns: (house.on_trial(), house.say("hold", turns=turns)),
    "promote another": lambda house, turns: (house.shadowed().on_trial_too(3), house.say("promote", turns=turns)),
    "revert late": lambda house, turns: (house.shadowed(), house.say("revert", turns=turns)),
}


WORDS = {"roll back": "rollback", "promote": "promote", "revert": "revert", "hold": "hold"}
WORDS |= {"promote another": "promote", "revert late": "revert"}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("calls", range(16))
def test_whatever_is_interrupted_between_any_two_steps_is_finished_by_the_next_run(tmp_path, scene, calls):
    houses = [House(tmp_path / name) for name in ("killed", "undisturbed")]
    for one, turns in zip(houses, (houses[0].fused(calls), None), strict=True):
        with suppress(KilledError):
            SCENES[scene](one, turns)
        # Who placed a release tries again, as the orchestrator does; the guard comes by.
        if scene in ("place the first", "replace"):
            one.place({"place the first": 1, "replace": 3}[scene])
        one.tick(0.02)
    said = [sum(row.actor == "ada" for row in one.journal.looks(WORKLOAD, limit=99)) for one in houses]
    if said[0] < said[1]:
        houses[0].say(WORDS[scene])  # killed before the word was written down: it is said again
    for one in houses:
        for _ in range(2):
            one.tick(0.02)
    assert houses[0].summary() == houses[1].summary()
