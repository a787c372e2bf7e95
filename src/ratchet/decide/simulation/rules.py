"""The rules that are compared, each run over a whole simulated experiment from the beginning of its A/B stage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.policy import CompositePolicy, Evidence, EvidencePolicy, TrackEvidence, Verdict
from ratchet.decide.composite import decide
from ratchet.decide.intervals import SampleMean
from ratchet.decide.simulation.world import BEGAN, HOUR, World, looks
from ratchet.decide.state import OVER, Stage, State, enter, queued
from ratchet.decide.step import step
from ratchet.decide.welch import welch

LATENCY_MS: Final = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an experiment ended, and after how many hours; HOLD where a broken split still waits for a person."""

    verdict: Verdict
    hour: int
    reason: str = ""


Rule = Callable[[World], Ending]


def on_trial(policy: EvidencePolicy, stage: Stage = Stage.AB) -> State:
    """An experiment whose stage has just begun."""
    return enter(enter(queued(BEGAN, policy), Stage.CANARY, BEGAN, policy), stage, BEGAN, policy)


def judge_by_evidence(world: World, policy: EvidencePolicy | None = None, stage: Stage = Stage.AB) -> Ending:
    """The sequential policy, look by look."""
    policy = policy or EvidencePolicy()
    state = on_trial(policy, stage)
    for number, look in enumerate(looks(world), start=1):
        state, decision = step(state, look, policy)
        if state.stage in OVER or state.stage is Stage.PROMOTING:
            return Ending(verdict=decision.verdict, hour=number, reason=decision.reason)
    verdict = Verdict.HOLD if state.split_alarm else Verdict.INCONCLUSIVE
    return Ending(verdict=verdict, hour=world.scenario.hours, reason=state.split_alarm)


def judge_plainly(world: World, *, with_test: bool = False) -> Ending:
    """The plain rule on all that was measured so far, at every hour; with a t-test on the ratings beside it if asked."""
    samples, policy = _samples(world), CompositePolicy()
    requests = world.requests.cumsum(axis=0).tolist()
    for i in range(world.scenario.hours):
        old, new = samples[0][i], samples[1][i]
        said = decide(_evidence(i, (old, new), requests[i]), policy).verdict
        if said is Verdict.HOLD:
            continue
        tested = welch(old, new) if with_test else None
        if not with_test or (tested is not None and tested.p < 0.05):
            return Ending(verdict=said, hour=i + 1)
    return Ending(verdict=Verdict.INCONCLUSIVE, hour=world.scenario.hours)


def judge_with_hourly_test(world: World) -> Ending:
    """The plain rule where Welch's t-test agrees at that very look (p < 0.05)."""
    return judge_plainly(world, with_test=True)


RULES: Final[Mapping[str, Rule]] = {
    "spec": judge_plainly,
    "spec + hourly t": judge_with_hourly_test,
    "evidence": judge_by_evidence,
}


def _evidence(i: int, samples: tuple[SampleMean, SampleMean], requests: list[float]) -> Evidence:
    production, candidate = (
        TrackEvidence(
            release="",
            requests=int(asked),
            errors=0,
            latency_ms=LATENCY_MS,
            ratings=sample.count,
            rating=sample.mean if sample.count else None,
        )
        for sample, asked in zip(samples, requests, strict=True)
    )
    return Evidence(experiment_id=0, at=BEGAN + (i + 1) * HOUR, since=BEGAN, production=production, candidate=candidate)


def _samples(world: World) -> tuple[list[SampleMean], list[SampleMean]]:
    """Every rating so far, also a person's second one: the plain rule knows no people."""

    def of(track: int) -> list[SampleMean]:
        mine = world.track == track
        hour, rating = world.hour[mine], world.rating[mine]

        def summed(weights: NDArray[np.float64] | None) -> list[float]:
            return np.bincount(hour, weights, world.scenario.hours).cumsum().tolist()  # type: ignore[no-any-return]

        return [
            SampleMean(count=int(n), total=total, squares=squares)
            for n, total, squares in zip(summed(None), summed(rating), summed(rating**2), strict=True)
        ]

    return of(0), of(1)
