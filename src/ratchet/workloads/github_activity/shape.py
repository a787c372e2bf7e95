"""A plain archive event since 2015, in the few fields that are looked at: a line is checked whole, but only these become objects."""

from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, MsgspecError, Struct, json

from ratchet.workloads.github_activity.values import LARGEST_COUNT, LARGEST_ID, NAME

_Text = Annotated[str, Meta(min_length=1)]
_Id = Annotated[int, Meta(ge=0, le=LARGEST_ID)]


class _Language(Struct, gc=False):
    language: str | None = None


class _Base(Struct, gc=False):
    repo: _Language | None = None


class _PullRequest(Struct, gc=False):
    merged: bool | None = None
    base: _Base | None = None


class _Payload(Struct, gc=False):
    action: str | None = None
    distinct_size: Annotated[int, Meta(ge=0, le=LARGEST_COUNT)] | None = None
    shas: Any = UNSET
    pull_request: _PullRequest | None = None


class _Actor(Struct, gc=False):
    login: str | None = None


class _Repository(Struct, gc=False):
    id: _Id
    name: Annotated[str, Meta(pattern=rf"\A{NAME}\Z")]


class PlainEvent(Struct, gc=False):
    """Each field has the one type that GitHub gives it."""

    id: _Text | _Id
    type: _Text
    created_at: str
    actor: _Actor
    repo: _Repository
    payload: _Payload
    actor_attributes: Any = UNSET


_DECODER: Final = json.Decoder(PlainEvent)


def plain_event(line: bytes) -> PlainEvent | None:
    """What is looked at in an event that is plain; None for anything else, to be read with care."""
    try:
        event = _DECODER.decode(line)
        if not line.isascii():
            line.decode()  # the decoder does not look into texts that it passes over
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return event if event.actor_attributes is UNSET and event.payload.shas is UNSET else None
