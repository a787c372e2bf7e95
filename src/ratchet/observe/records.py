"""Experiments and looks as rows, and back."""

import math
from dataclasses import asdict
from typing import Any

from psycopg2.extras import Json

from ratchet.contracts.policy import Decision, Evidence, Verdict
from ratchet.contracts.ports import Experiment, LookRow, NewLook


def read_experiment(row: tuple[Any, ...]) -> Experiment:
    """Read experiment_id, workload, production, candidate, started_at, ended_at, verdict."""
    experiment_id, workload, production, candidate, started_at, ended_at, verdict = row
    return Experiment(
        experiment_id=experiment_id,
        workload=workload,
        production=production,
        candidate=candidate,
        started_at=started_at,
        ended_at=ended_at,
        verdict=verdict,
    )


def read_look(row: tuple[Any, ...]) -> LookRow:
    """Read look_id, experiment_id, at, decided_at, actor, policy, stage, verdict, reason, scores, body, acted_at."""
    look_id, experiment_id, at, decided_at, actor, policy, stage, verdict, reason, scores, body, acted_at = row
    return LookRow(
        look_id=look_id,
        experiment_id=experiment_id,
        at=at,
        decided_at=decided_at,
        actor=actor,
        policy=policy,
        stage=stage,
        decision=Decision(verdict=Verdict(verdict), reason=reason, scores=scores),
        body=body,
        acted_at=acted_at,
    )


def write_look(look: NewLook) -> dict[str, Any]:
    """Name the columns of a look."""
    return {
        "at": look.at,
        "actor": look.actor,
        "policy": look.policy,
        "policy_body": look.policy_body,
        "stage": look.stage,
        "verdict": look.decision.verdict.value,
        "reason": look.decision.reason,
        "scores": Json(look.decision.scores),
        "evidence": Json(write_evidence(look.evidence)) if look.evidence else None,
        "body": look.body,
    }


def write_evidence(evidence: Evidence) -> dict[str, Any]:
    """Turn evidence into what JSON can hold. A figure that is not finite is one that nobody measured."""
    return {
        "experiment_id": evidence.experiment_id,
        "at": evidence.at.isoformat(),
        "since": evidence.since.isoformat(),
        "production": _finite(asdict(evidence.production)),
        "candidate": _finite(asdict(evidence.candidate)),
    }


def _finite(figures: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(figure, float) and not math.isfinite(figure) else figure
        for name, figure in figures.items()
    }
