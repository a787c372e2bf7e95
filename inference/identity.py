"""Who asks: the holder of the key, and the client that the router's split and the log know."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from inference import limits
from inference.here import asked, kept
from inference.problems import NO_KEY, WRONG_SCOPE, ProblemError
from inference.service import Service
from ratchet.contracts.ports import Track
from ratchet.serve.replay import is_genuine_ticket

TRACKS = frozenset(track.value for track in Track)


class Caller(NamedTuple):
    """Who asks, as the log may know it: what is the same for every forecast of a request."""

    request_id: str
    client: str
    assigned: str | None
    """The track that the router chose; it may have fallen back to this one."""
    started: float
    """When the request came in, by `time.perf_counter`."""


def require(service: Service, scope: str) -> None:
    """Let the request pass if its key has the scope; from here on the request's log lines carry the key's id."""
    if scope == "predict" and is_replayed(service):
        return
    limits.count_address(service)
    key = asked().environ.get("HTTP_X_API_KEY", "")
    holder = service.keys.holder(key) if key else None
    if holder is None:
        raise ProblemError(NO_KEY, "The key is missing, unknown or revoked.")
    kept().key_id = holder.key_id
    limits.count_key(service, holder.key_id)
    if scope not in holder.scopes:
        raise ProblemError(WRONG_SCOPE, f"This needs a key with the scope {scope}.")


def is_replayed(service: Service) -> bool:
    """Whether the loop warms this track up: signed with the shared secret, counted and logged as nobody's."""
    ticket = asked().environ.get("HTTP_X_REPLAY")
    if not ticket or not is_genuine_ticket(service.secret, ticket, now=service.clock()):
        return False
    kept().replayed = True
    return True


def caller(service: Service) -> Caller:
    """Return who makes the request at hand."""
    g = kept()
    return read_caller(service, asked().environ, request_id=g.request_id, key_id=g.key_id, started=g.started)


def read_caller(
    service: Service, environ: Mapping[str, Any], *, request_id: str, key_id: str, started: float
) -> Caller:
    """Return who makes a request.

    The router says what its split went by (`X-Client-Key`); without a router it is the user id, else the key.
    """
    client = environ.get("HTTP_X_CLIENT_KEY")
    if client is None:
        user = environ.get("HTTP_X_USER_ID")
        client = f"user:{user}" if user else f"key:{key_id}"
    assigned = environ.get("HTTP_X_ASSIGNED_TRACK")
    return Caller(
        request_id=request_id,
        client=service.hide(client),
        assigned=assigned if assigned in TRACKS else None,
        started=started,
    )
