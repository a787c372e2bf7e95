"""What a rehearsal says, as values, as JSON and as text. The same plan on the same history gives the same bytes."""

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from ratchet.contracts.errors import DataError
from ratchet.decide import digest
from ratchet.rehearsal.experiment import HINDSIGHT_WEEKS, Trial
from ratchet.rehearsal.history import History
from ratchet.rehearsal.plan import MEANINGS, Plan
from ratchet.rehearsal.replay import Outcome

VERDICTS: Final = ("promote", "rollback", "revert", "inconclusive", "superseded", "abandoned")
LOOP: Final = "the loop"
RIGHT_IF: Final[dict[str, Callable[[float], bool]]] = {
    "promote": lambda percent: percent < 0,
    "rollback": lambda percent: percent > 0,
    "inconclusive": lambda percent: abs(percent) < 5,
}
"""By the candidate's error relative to production's over the weeks after it went on trial."""


def summarise(history: History, plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """All of it, ready for JSON; a `DataError` where there is no error to tell of."""
    if np.isnan(outcome.mase[LOOP]).all():
        begin, end = history.weeks[plan.first], history.weeks[plan.last]
        raise DataError(f"nothing is known of the weeks from {begin} to {end} that a release could be measured by")
    counts = Counter(event.kind for event in outcome.events)
    trials = [_trial(trial, history, plan, outcome) for trial in outcome.trials]
    return {
        "workload": plan.workload,
        "source": history.source,
        "synthetic": history.synthetic,
        "series": len(history.names),
        "from": history.weeks[plan.first].isoformat(),
        "to": history.weeks[plan.last].isoformat(),
        "weeks": plan.last - plan.first + 1,
        "seed": plan.seed,
        "recipe": list(plan.recipe),
        "policy": {"mode": plan.policy.mode.value, "digest": digest(plan.policy)},
        "planted": [
            {"kind": item.kind.value, "week": item.week, "meaning": MEANINGS[item.kind]} for item in plan.plants
        ],
        "assumptions": [*plan.people.assumptions(), *_assumptions(plan)],
        "verdicts": {kind: counts.get(kind, 0) for kind in VERDICTS},
        "mase": {way: _round(float(np.nanmean(weeks))) for way, weeks in outcome.mase.items()},
        "against": {way: _against(outcome.mase[LOOP], weeks) for way, weeks in outcome.mase.items() if way != LOOP},
        "hindsight": {kind: _agreement(kind, trials) for kind in RIGHT_IF},
        "hours_lost": _round(sum(trial["hours_exposed"] for trial in trials if trial["was_bad"])),
        "requests": outcome.requests,
        "requests_hurt": sum(trial["requests_hurt"] for trial in trials),
        "trials": trials,
        "events": [
            {**asdict(event), "at": event.at.isoformat(), "hours": _round(event.hours)} for event in outcome.events
        ],
        "by_week": [
            {"week": history.weeks[plan.first + at].isoformat(), "production": production}
            | {way: None if math.isnan(weeks[at]) else _round(weeks[at]) for way, weeks in outcome.mase.items()}
            for at, production in enumerate(outcome.production)
        ],
    }


def to_json(body: dict[str, Any]) -> str:
    """Sorted, so that equal reports are equal bytes."""
    return json.dumps(body, indent=1, sort_keys=True, allow_nan=False) + "\n"


def to_text(body: dict[str, Any]) -> str:
    """For a terminal, and for a page of Markdown."""
    head = (
        f"{body['weeks']} weeks of {body['series']} series ({body['source']}{', synthetic' if body['synthetic'] else ''}), "
        f"{body['from']} to {body['to']}; policy {body['policy']['mode']} ({body['policy']['digest']}), seed {body['seed']}"
    )
    lines = [
        head,
        "",
        "| way of choosing a release | realised error (MASE, mean over weeks) | the loop against it |",
        "|---|---|---|",
        *(f"| {way} | {mase:.4f} | {_words(body['against'].get(way))} |" for way, mase in body["mase"].items()),
        "",
        ", ".join(f"{count} {kind}" for kind, count in body["verdicts"].items()),
        _hindsight(body["hindsight"]),
        f"{body['hours_lost']:g} h lost to bad candidates, {body['requests_hurt']:,} of {body['requests']:,} requests hurt",
        "",
        "| week | what | release | after | why |",
        "|---|---|---|---|---|",
        *(_event(event) for event in body["events"]),
        "",
        "Assumed:",
        *(f"- {assumption}" for assumption in body["assumptions"]),
        *(f"- planted in week {item['week']}: {item['kind']}, which {item['meaning']}" for item in body["planted"]),
    ]
    return "\n".join(lines) + "\n"


def _agreement(kind: str, trials: list[dict[str, Any]]) -> list[int]:
    """How many verdicts of a kind the weeks after agree with, of how many; planted candidates are bad in more ways than errors."""
    judged = [
        trial["hindsight_percent"]
        for trial in trials
        if kind in trial["verdicts"] and not trial["planted"] and trial["hindsight_percent"] is not None
    ]
    return [sum(RIGHT_IF[kind](percent) for percent in judged), len(judged)]


def _trial(trial: Trial, history: History, plan: Plan, outcome: Outcome) -> dict[str, Any]:
    ends = [event for event in outcome.events if event.trial == trial.number and event.kind in VERDICTS]
    worse = [week for week in trial.served if trial.is_worse(history, week)]
    requests = [sum(served[track] for served in trial.served.values()) for track in (0, 1)]
    failing = max(0, round(trial.bad[1] - plan.people.failing * requests[1]) if trial.candidate.extra_bad else 0)
    began = next(event.week for event in outcome.events if event.trial == trial.number and event.kind == "trial")
    later = trial.hindsight(history, began, last=plan.last)
    bad = bool(trial.candidate.planted) or any(event.kind in ("rollback", "revert") for event in ends)
    return {
        "trial": trial.number,
        "candidate": trial.candidate.name,
        "production": trial.production.name,
        "planted": trial.candidate.planted.value if trial.candidate.planted else None,
        "began": trial.began.isoformat(),
        "verdicts": [event.kind for event in ends],
        "stage": trial.state.stage.value,
        "hours_exposed": float(trial.hours_exposed),
        "requests": requests,
        "weeks_worse": [history.weeks[week].isoformat() for week in sorted(worse)],
        # A bad answer in a week of worse forecasts is hurt once.
        "requests_hurt": min(requests[1], sum(trial.served[week][1] for week in worse) + failing),
        "was_bad": bad,
        "hindsight_percent": None if later is None else _round(100 * later),
    }


def _hindsight(agreement: dict[str, list[int]]) -> str:
    told = {"promote": "promotions", "rollback": "rollbacks", "inconclusive": "inconclusive ends (within 5 %)"}
    parts = [f"{right} of {of} {told[kind]}" for kind, (right, of) in agreement.items()]
    return f"agreed with by the errors of the {HINDSIGHT_WEEKS} weeks from the trial's first on: {', '.join(parts)}"


def _against(loop: list[float], other: list[float]) -> dict[str, float]:
    """The loop's error relative to another's, with a 95 % interval that allows for weeks that resemble each other.

    A week of which too little was seen has no error, and does not count.
    """
    difference = np.array(loop) - np.array(other)
    known = np.isfinite(difference)
    difference, level = difference[known], float(np.array(other)[known].mean())
    size = len(difference)
    error = 0.0
    if size > 2 and np.ptp(difference) > 0:
        centred = difference - difference.mean()
        rho = min(max(float((centred[1:] * centred[:-1]).sum() / (centred**2).sum()), 0.0), 0.95)
        error = math.sqrt(float(difference.var(ddof=1)) / (size * (1 - rho) / (1 + rho)))
    mean = float(difference.mean())
    low, high = mean - 1.96 * error, mean + 1.96 * error
    return {
        "percent": _round(100 * mean / level),
        "low": _round(100 * low / level),
        "high": _round(100 * high / level),
        "weeks_better": int((difference < 0).sum()),
        "weeks_equal": int((difference == 0).sum()),
    }


def _words(against: dict[str, float] | None) -> str:
    if against is None:
        return ""
    interval = f"{against['percent']:+.1f} % ({against['low']:+.1f} to {against['high']:+.1f})"
    return f"{interval}; better in {against['weeks_better']} weeks, equal in {against['weeks_equal']}"


def _event(event: dict[str, Any]) -> str:
    after = f"{event['hours']:g} h" if event["kind"] in VERDICTS else ""
    return f"| {event['at'][:10]} | {event['kind']} | {event['release']} | {after} | {event['reason']} |"


def _assumptions(plan: Plan) -> tuple[str, ...]:
    renewed = "every release that is compared, in whichever way, is issued again from each new week"
    aged = "a release's forecasts are those that it was issued with; beyond its horizon its last week stands"
    return (
        "a candidate is trained as each week completes, on what was known then; the newest one waits for the trial before it to end",
        renewed if plan.renew else aged,
        "requests hurt: bad answers beyond everybody's rate, and all answers in a week with an error 5 % or more above the other release's",
        "hours lost: those with clients on a candidate that was planted, rolled back or reverted",
        "errors of a week are those of the series that every release so far forecast",
        "the oracle is the best of all releases trained so far, chosen afterwards, week by week",
    )


def _round(value: float) -> float:
    return round(value, 4)
