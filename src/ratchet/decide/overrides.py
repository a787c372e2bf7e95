"""An installation's own policy: the setting POLICY laid over a workload's. What it names wrongly is refused, never ignored."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from ratchet.contracts.errors import RatchetError
from ratchet.contracts.policy import CompositePolicy, EvidencePolicy, Mode
from ratchet.decide.state import SHARES as SHARE_OF

WEIGHTS: Final = (0.05, 0.10, 0.20, 0.50)
"""Shares that the router has a split for."""
SHARES: Final = tuple(dict.fromkeys(SHARE_OF.values()))
KNOWN: Final = frozenset(field.name for field in fields(EvidencePolicy))
KNOWN_OF_PLAIN: Final = frozenset(field.name for field in fields(CompositePolicy))
MAY_BE_ZERO: Final = frozenset(
    {"canary_hours", "min_ab_hours", "warmup_requests", "min_requests", "min_raters", "min_bad", "carry_hours"}
    | {"cooldown_hours", "max_cooldown_hours", "watch_hours", "watch_raters", "max_watch_hours", "shadow_weeks"}
    | {"min_weeks", "approval_hours", "margin", "quarantine_p", "split_soft_p", "day_soft_p"}
    | {"composite.rating_weight", "composite.latency_weight", "composite.min_requests", "composite.min_ratings"}
    | {"composite.promote_above", "composite.rollback_below"}
)
LARGEST: Final = 1e6
SHORTEST_RESTART: Final = 0.1
"""Hours: each restart that is due costs a look its time."""


def override(policy: EvidencePolicy, text: str, *, workload: str, workloads: frozenset[str]) -> EvidencePolicy:
    """The policy with what POLICY says for this workload: an object of parameters, or of such objects by workload."""
    if not text.strip():
        return policy
    said = _read(text)
    if said.keys() <= workloads:
        said = said.get(workload, {})
    return _checked(_merged(policy, said))


def with_mode(policy: EvidencePolicy, mode: str) -> EvidencePolicy:
    """The policy with another rule; a `RatchetError` where there is none of this name."""
    if not mode:
        return policy
    if mode not in set(Mode):
        raise RatchetError(f"mode can be {', '.join(Mode)}, not {mode!r}")
    return replace(policy, mode=Mode(mode))


def _read(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError as error:
        raise RatchetError(f'POLICY is no JSON: {error}; an example: {{"min_ab_hours": 24}}') from error
    if not isinstance(said, dict):
        raise RatchetError('POLICY must be a JSON object, such as {"mode": "spec"}')
    return said


def _merged(policy: EvidencePolicy, said: Mapping[str, Any]) -> EvidencePolicy:
    if not isinstance(said, dict):
        raise RatchetError(f"POLICY: a workload's policy must be an object, not {said!r}")
    plain = said.get("composite", {})
    if not isinstance(plain, dict):
        raise RatchetError(f"POLICY: composite must be an object, not {plain!r}")
    unknown = sorted({*(said.keys() - KNOWN), *(f"composite.{name}" for name in plain.keys() - KNOWN_OF_PLAIN)})
    if unknown:
        raise RatchetError(f"POLICY knows no {', '.join(unknown)}; docs/deciding.md lists every parameter")
    values = {**asdict(policy), **said, "composite": {**asdict(policy.composite), **plain}}
    try:
        return TypeAdapter(EvidencePolicy).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise RatchetError(f"POLICY: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _checked(policy: EvidencePolicy) -> EvidencePolicy:
    """Numbers that would stop the machine, or that the router has no split for, are refused here."""
    for name in SHARES:
        if getattr(policy, name) not in WEIGHTS:
            raise RatchetError(f"POLICY: {name} can be {', '.join(map(str, WEIGHTS))}, as the router's splits are")
    plain = {f"composite.{name}": value for name, value in asdict(policy.composite).items()}
    for name, value in (asdict(policy) | plain).items():
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int | float) and not isinstance(number, bool):
                _check_number(name, number)
    if not (policy.bets and policy.bad_odds):
        raise RatchetError("POLICY: bets and bad_odds need a number each at least")
    if max(policy.bets) >= 1:
        raise RatchetError("POLICY: bets must be below 1: a stake of 1 could lose all")
    return policy


def _check_number(name: str, number: float) -> None:
    if not math.isfinite(number) or number < 0 or (number == 0 and name not in MAY_BE_ZERO):
        raise RatchetError(f"POLICY: {name} must be above 0, not {number:g}")
    if number > LARGEST:
        raise RatchetError(f"POLICY: {name} must be at most {LARGEST:,.0f}, not {number:g}")
    if name.endswith("_restart_hours") and number < SHORTEST_RESTART:
        raise RatchetError(f"POLICY: {name} must be at least {SHORTEST_RESTART:g}, not {number:g}")
    if name == "level_ratio" and number < 1:
        raise RatchetError(f"POLICY: {name} must be at least 1, not {number:g}")
    if name.startswith("alpha_") and number >= 1:
        raise RatchetError(f"POLICY: {name} must be below 1, not {number:g}")
