"""Looks at an experiment that runs as it should, and what to change about them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ratchet.contracts.look import Cadence, HourOfRatings, Look, PairedLoss, TrackCounts, WeekOfLosses
from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide import queued, share, step
from ratchet.decide.state import Stage, enter

BEGAN = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
POLICY = EvidencePolicy()
HEALTHY = {
    "production": TrackCounts(requests=240.0, bad_requests=1.0, new_clients=16.0),
    "candidate": TrackCounts(requests=60.0, bad_requests=0.0, new_clients=4.0),
}
EVEN = ((4.0, 3.0, 5.0, 4.0, 4.0, 3.0, 4.0, 5.0), (4.0, 4.0))
"""Ratings of an hour in which the tracks are alike: production's and the candidate's."""
BETTER = ((4.0, 3.0, 4.0, 3.0, 4.0, 3.0, 4.0, 3.0), (5.0, 4.0))
WORSE = ((4.0, 5.0, 4.0, 5.0, 4.0, 5.0, 4.0, 5.0), (3.0, 4.0))


def look(number, ratings=EVEN, **changes):
    """The look at the end of hour `number`."""
    at = BEGAN + number * HOUR
    hour = HourOfRatings(hour=at - HOUR, production=ratings[0], candidate=ratings[1])
    return replace(Look(at=at, hours=(hour,), replayed_requests=200, **HEALTHY), **changes)


def minute(number, *, hour, **changes):
    at = BEGAN + hour * HOUR + number * MINUTE
    return replace(Look(at=at, cadence=Cadence.MINUTE, **HEALTHY), **changes)


def at_stage(stage, policy=POLICY):
    """An experiment that has just entered a stage."""
    return enter(enter(queued(BEGAN, policy), Stage.CANARY, BEGAN, policy), stage, BEGAN, policy)


def run(looks, *, state=None, policy=POLICY):
    """Every outcome, in order."""
    state, outcomes = state or at_stage(Stage.AB, policy), []
    for one in looks:
        outcomes.append(step(state, one, policy))
        state = outcomes[-1].state
    return outcomes


def until_over(ratings, *, policy=POLICY, hours=340, **changes):
    """(hour, decision) where the trial ended."""
    state = at_stage(Stage.AB, policy)
    for number in range(1, hours + 1):
        state, decision = step(state, look(number, ratings, **changes), policy)
        if state.stage is not Stage.AB:
            return number, state, decision
    raise AssertionError("the trial never ended")


def week(number, candidate, series=20):
    losses = tuple(
        PairedLoss(series=f"s{i}", production=1.0 + i / 100, candidate=candidate + i / 100) for i in range(series)
    )
    return WeekOfLosses(week=BEGAN - timedelta(weeks=10 - number), losses=losses)


def share_of(state, number=1, policy=POLICY):
    return share(state, policy, BEGAN + number * HOUR)
