"""The few fields of an archive event that are looked at: a line is checked whole, but only these become objects."""

from collections.abc import Mapping
from typing import Any, Final, TypedDict

import msgspec


class _Repository(TypedDict, total=False):
    id: Any
    name: Any
    language: Any


class _Base(TypedDict, total=False):
    repo: _Repository | None


class _PullRequest(TypedDict, total=False):
    merged: Any
    base: _Base | None


class _Payload(TypedDict, total=False):
    action: Any
    distinct_size: Any
    shas: Any
    pull_request: _PullRequest | None


class _Actor(TypedDict, total=False):
    login: Any


class _Event(TypedDict, total=False):
    id: Any
    type: Any
    created_at: Any
    actor: _Actor | str | None
    actor_attributes: Any
    repo: _Repository | None
    repository: Any
    payload: _Payload | None


_DECODER: Final = msgspec.json.Decoder(_Event)


def read_event(line: bytes) -> Mapping[str, Any] | None:
    """What is looked at in an event that has an id, whose key needs no more; None for anything else, to be read whole."""
    try:
        event = _DECODER.decode(line)
        if not line.isascii():
            line.decode()  # the decoder does not look into texts that it passes over
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return event if "id" in event else None
