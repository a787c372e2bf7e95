"""Every look as one immutable record in JSON, and the replay that reproduces each decision from it, byte for byte."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson
from pydantic import TypeAdapter

from ratchet.contracts.look import Look
from ratchet.contracts.policy import Decision, EvidencePolicy
from ratchet.decide.state import State, queued
from ratchet.decide.step import step

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Value = TypeVar("Value")
RULES: Final = 4
"""Counted up when `step` comes to say something else of the same look.

2: hours in which a candidate was suspended are passed over. 3: the split's two e-values are averaged, and a minute's
guardrail is given an hour's floor. 4: what a candidate expects is looked at before clients meet it, and a
figure says where a person is asked.
"""
_adapters: dict[type, TypeAdapter[Any]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One look as it was judged: all that went in, all that came out, and who asked."""

    began: datetime
    """When the experiment was queued."""
    production: str
    """The `release_id` of each side."""
    candidate: str
    policy: str
    """The policy's digest."""
    actor: str
    look: Look
    decision: Decision
    state: State
    """After the look: the next one starts from it."""
    rules: int = 1
    """By which `RULES` it was judged; 1 where a record does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A record that a replay does not reproduce."""

    at: datetime
    what: str
    is_earlier: bool = False
    """Written by earlier rules: not what these would say of the same look."""


def to_json(value: "DataclassInstance") -> bytes:
    """Stable bytes: sorted keys, shortest exact numbers; a figure that is not finite is a word, since JSON has no number for it."""
    return orjson.dumps(_speakable(asdict(value)), option=orjson.OPT_SORT_KEYS)


def from_json(kind: type[Value], body: bytes | str) -> Value:
    """Read what `to_json` made of a value of this kind; a `pydantic.ValidationError` where it is something else."""
    if kind not in _adapters:  # building one costs a millisecond
        _adapters[kind] = TypeAdapter(kind)
    value: Value = _adapters[kind].validate_json(body)
    return value


def digest(policy: EvidencePolicy) -> str:
    """Name a policy by its parameters: the same ones, the same name."""
    return hashlib.blake2b(to_json(policy), digest_size=8).hexdigest()


def replay(records: Iterable[Record], policies: Mapping[str, EvidencePolicy]) -> list[Difference]:
    """Judge one experiment's looks again, oldest first, from nothing but what was recorded; empty if all is reproduced."""
    differences: list[Difference] = []
    state: State | None = None
    written: State | None = None
    for record in records:
        policy = policies.get(record.policy)
        if policy is None:
            differences.append(Difference(at=record.look.at, what=f"policy {record.policy} is unknown"))
            state = written = record.state
            continue
        before = state if state is not None else queued(record.began, policy)
        state, found = _judge_again(record, before, policy)
        if found and written is not None:
            # What differed once is told once: the looks after it follow from what was written then.
            follows, again = _judge_again(record, written, policy)
            state, found = (state, found) if again else (follows, [])
        differences, written = [*differences, *found], record.state
    return differences


def _judge_again(record: Record, before: State, policy: EvidencePolicy) -> tuple[State, list[Difference]]:
    """Through JSON, so that what is compared took the way that the record took."""
    state, decision = step(from_json(State, to_json(before)), record.look, policy)
    return state, _compare(record, state, decision)


def _compare(record: Record, state: State, decision: Decision) -> list[Difference]:
    pairs: list[tuple[str, DataclassInstance, DataclassInstance]] = [
        ("decision", record.decision, decision),
        ("state", record.state, state),
    ]
    return [
        Difference(
            at=record.look.at,
            what=f"{what}: {_first_byte(to_json(old), to_json(new))}",
            is_earlier=record.rules < RULES,
        )
        for what, old, new in pairs
        if to_json(old) != to_json(new)
    ]


def _first_byte(old: bytes, new: bytes) -> str:
    """Where two records part, with what stands around it."""
    at = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    before, after = (text[max(at - 30, 0) : at + 30].decode(errors="replace") for text in (old, new))
    return f"from byte {at} on, recorded …{before}…, replayed …{after}…"


def _speakable(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _speakable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_speakable(part) for part in value]
    return value
