"""The looks of one simulated experiment: numbers drawn at once, looks made one by one."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.look import Cadence, HourOfRatings, Look, PairedLoss, TrackCounts, WeekOfLosses
from ratchet.decide.simulation.scenarios import Scenario

BEGAN: Final = datetime(2026, 1, 5, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
STARS: Final = np.arange(1.0, 6.0)
MOOD: Final = np.array([0.05, 0.10, 0.18, 0.34, 0.33])
"""Ratings from 1 to 5: mean 3.80, standard deviation 1.15."""
TASTE: Final = 0.4
"""How much of a rating is the person's."""
UNKNOWN: Final = TrackCounts(requests=None, bad_requests=None, new_clients=None)

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One experiment's draws. The last axis of pairs is (production, candidate)."""

    scenario: Scenario
    requests: Array
    bad: Array
    clients: Array
    hour: NDArray[np.int64]
    """Of each rating, in order of time."""
    track: NDArray[np.int64]
    rating: Array
    is_first: NDArray[np.bool_]
    """The person's first one."""
    weeks: tuple[WeekOfLosses, ...]


def make(scenario: Scenario, seed: int) -> World:
    """The same scenario and seed always make the same experiment."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, *scenario.name.encode()]))
    shares = _shares(scenario)
    requests = _split(rng, scenario.requests, shares)
    clients = _split(rng, scenario.clients, shares)
    clients[:, 1] = rng.binomial(clients[:, 1].astype(int), 1.0 - scenario.lost)
    bad = rng.binomial(requests.astype(int), _bad_rates(scenario)).astype(float)
    hour, track, rating, is_first = _ratings(rng, scenario, shares)
    return World(
        scenario=scenario,
        requests=requests,
        bad=bad,
        clients=clients,
        hour=hour,
        track=track,
        rating=rating,
        is_first=is_first,
        weeks=_weeks(rng, scenario),
    )


def looks(world: World) -> Iterator[Look]:
    """The hourly looks in their order, as `observe` would fill them."""
    hours = _hours(world)
    requests, bad, clients = world.requests.tolist(), world.bad.tolist(), world.clients.tolist()
    earlier = world.scenario.weeks
    for i in range(world.scenario.hours):
        counts = [
            TrackCounts(requests=requests[i][t], bad_requests=bad[i][t], new_clients=clients[i][t]) for t in (0, 1)
        ]
        if world.scenario.dark[0] <= i < world.scenario.dark[1]:
            counts = [UNKNOWN, UNKNOWN]
        weeks = world.weeks[:earlier] if i == 0 else ()
        if (i + 1) % 168 == 0:
            landed = earlier + (i + 1) // 168
            weeks = world.weeks[landed - 1 : landed]
        yield Look(at=BEGAN + (i + 1) * HOUR, production=counts[0], candidate=counts[1], hours=(hours[i],), weeks=weeks)


def minutes(world: World, seed: int) -> Iterator[Look]:
    """The first hour's requests again as the guard sees them: every minute all that came since the hour began."""
    rng, scenario = np.random.default_rng([seed, 60]), world.scenario
    requests = _split(rng, scenario.requests / 60.0, np.full(60, scenario.share))
    bad = rng.binomial(requests.astype(int), np.array(scenario.bad)).astype(float)
    bad[rng.integers(60), 1] += scenario.burst
    for i, (so_far, failed) in enumerate(
        zip(requests.cumsum(axis=0).tolist(), bad.cumsum(axis=0).tolist(), strict=True)
    ):
        old, new = (TrackCounts(requests=so_far[t], bad_requests=failed[t], new_clients=0.0) for t in (0, 1))
        at = BEGAN + (i + 1) * timedelta(minutes=1)
        yield Look(at=at, production=old, candidate=new, cadence=Cadence.MINUTE)


@lru_cache(maxsize=4096)
def tilted(shift: float) -> tuple[float, ...]:
    """Cumulative probabilities of the stars after the mean is moved by exponential tilting."""
    target = float(MOOD @ STARS) + shift
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2.0
        weights = MOOD * np.exp(middle * STARS)
        low, high = (middle, high) if weights @ STARS / weights.sum() < target else (low, middle)
    weights = MOOD * np.exp(low * STARS)
    return tuple((weights.cumsum() / weights.sum()).tolist())


def _shares(scenario: Scenario) -> Array:
    if not scenario.ramp:
        return np.full(scenario.hours, scenario.share)
    step = np.arange(scenario.hours) * len(scenario.ramp) // scenario.hours
    return np.array(scenario.ramp)[step]


def _split(rng: np.random.Generator, rate: float, shares: Array) -> Array:
    return rng.poisson(np.stack([rate * (1.0 - shares), rate * shares], axis=1)).astype(float)


def _bad_rates(scenario: Scenario) -> Array:
    rates = np.tile(np.array(scenario.bad), (scenario.hours, 1))
    rates[: scenario.bad_from, 1] = scenario.bad[0]
    if scenario.both_out >= 0:
        rates[scenario.both_out] = 1.0
    return rates


def _ratings(
    rng: np.random.Generator, scenario: Scenario, shares: Array
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, NDArray[np.bool_]]:
    hour = np.repeat(np.arange(scenario.hours), rng.poisson(scenario.ratings, scenario.hours))
    if scenario.pool:
        track, quantile, is_first = _people(rng, scenario, len(hour))
    else:
        track = (rng.random(len(hour)) < shares[hour]).astype(np.int64)
        quantile, is_first = rng.random(len(hour)), np.ones(len(hour), dtype=bool)
    mood = np.round(scenario.drift * hour / scenario.hours, 3) + scenario.effect * track
    moods, which = np.unique(mood, return_inverse=True)
    cumulative = np.array([tilted(float(shift)) for shift in moods])[which]
    rating = 1.0 + (quantile[:, None] > cumulative[:, :-1]).sum(axis=1)
    return _with_fakes(rng, scenario, (hour, track, rating.astype(float), is_first))


def _people(
    rng: np.random.Generator, scenario: Scenario, count: int
) -> tuple[NDArray[np.int64], Array, NDArray[np.bool_]]:
    """Track, quantile of mood and whether it is their first, of people with a taste, a track of their own and very unequal zeal."""
    zeal = rng.pareto(1.2, scenario.pool) + 0.1
    person = rng.choice(scenario.pool, size=count, p=zeal / zeal.sum())
    own_track = (rng.random(scenario.pool) < scenario.share).astype(np.int64)
    taste = rng.standard_normal(scenario.pool)
    mood = math.sqrt(TASTE) * taste[person] + math.sqrt(1.0 - TASTE) * rng.standard_normal(count)
    is_first = np.zeros(count, dtype=bool)
    is_first[np.unique(person, return_index=True)[1]] = True
    return own_track[person], np.array([0.5 * math.erfc(-z / math.sqrt(2.0)) for z in mood.tolist()]), is_first


def _with_fakes(
    rng: np.random.Generator,
    scenario: Scenario,
    honest: tuple[NDArray[np.int64], NDArray[np.int64], Array, NDArray[np.bool_]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, NDArray[np.bool_]]:
    if not scenario.fakes:
        return honest
    count = abs(scenario.fakes)
    fake = (
        rng.integers(24, 48, count),
        np.ones(count, dtype=np.int64),
        np.full(count, 5.0 if scenario.fakes > 0 else 1.0),
        np.ones(count, dtype=bool),
    )
    hour, track, rating, is_first = (np.concatenate(pair) for pair in zip(honest, fake, strict=True))
    order = np.lexsort((rng.random(len(hour)), hour))
    return hour[order], track[order], rating[order], is_first[order]


def _hours(world: World) -> list[HourOfRatings]:
    tracks: list[list[list[float]]] = [[[], []] for _ in range(world.scenario.hours)]
    firsts = world.is_first
    for hour, track, rating in zip(
        world.hour[firsts].tolist(), world.track[firsts].tolist(), world.rating[firsts].tolist(), strict=True
    ):
        tracks[hour][track].append(rating)
    return [
        HourOfRatings(hour=BEGAN + i * HOUR, production=tuple(old), candidate=tuple(new))
        for i, (old, new) in enumerate(tracks)
    ]


def _weeks(rng: np.random.Generator, scenario: Scenario) -> tuple[WeekOfLosses, ...]:
    count = scenario.weeks + scenario.hours // 168
    scores = scenario.error_effect + rng.normal(0.0, scenario.shock, (count, 1))
    scores = np.clip(scores + rng.normal(0.0, 0.2, (count, scenario.series)), -0.99, 0.99)
    losses = ((1.0 - scores) / (1.0 + scores)).tolist()
    return tuple(
        WeekOfLosses(
            week=BEGAN + timedelta(weeks=number - scenario.weeks),
            losses=tuple(PairedLoss(series=f"{i:04d}", production=1.0, candidate=loss) for i, loss in enumerate(row)),
        )
        for number, row in enumerate(losses)
    )
