"""Experiments, evidence and decisions as rows, and back."""

import math
from dataclasses import asdict
from datetime import datetime
from typing import Any

from ratchet.contracts.policy import Decision, Evidence, TrackEvidence, Verdict
from ratchet.contracts.ports import DecisionRow, Experiment


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


def read_decision(row: tuple[Any, ...]) -> DecisionRow:
    """Read decision_id, experiment_id, at, verdict, reason, scores, decided_at, acted_at."""
    decision_id, experiment_id, at, verdict, reason, scores, decided_at, acted_at = row
    return DecisionRow(
        decision_id=decision_id,
        experiment_id=experiment_id,
        at=at,
        decision=Decision(verdict=Verdict(verdict), reason=reason, scores=scores),
        decided_at=decided_at,
        acted_at=acted_at,
    )


def write_evidence(evidence: Evidence) -> dict[str, Any]:
    """Turn evidence into what JSON can hold. A figure that is not finite is one that nobody measured."""
    return {
        "experiment_id": evidence.experiment_id,
        "at": evidence.at.isoformat(),
        "since": evidence.since.isoformat(),
        "production": _finite(asdict(evidence.production)),
        "candidate": _finite(asdict(evidence.candidate)),
    }


def read_evidence(body: dict[str, Any]) -> Evidence:
    """Read what `write_evidence` made."""
    return Evidence(
        experiment_id=body["experiment_id"],
        at=datetime.fromisoformat(body["at"]),
        since=datetime.fromisoformat(body["since"]),
        production=TrackEvidence(**body["production"]),
        candidate=TrackEvidence(**body["candidate"]),
    )


def _finite(figures: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(figure, float) and not math.isfinite(figure) else figure
        for name, figure in figures.items()
    }
