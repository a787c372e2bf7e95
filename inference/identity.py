"""Who asks: the holder of the key, and the client that the router's split and the log know."""

from flask import g, request

from inference import limits
from inference.problems import NO_KEY, WRONG_SCOPE, ProblemError
from inference.service import Service
from ratchet.contracts.ports import Track

TRACKS = frozenset(track.value for track in Track)


def require(service: Service, scope: str) -> None:
    """Let the request pass if its key has the scope; from here on the request's log lines carry the key's id."""
    limits.count_address(service)
    key = request.headers.get("X-API-Key", "")
    holder = service.keys.holder(key) if key else None
    if holder is None:
        raise ProblemError(NO_KEY, "The key is missing, unknown or revoked.")
    g.key_id = holder.key_id
    limits.count_key(service, holder.key_id)
    if scope not in holder.scopes:
        raise ProblemError(WRONG_SCOPE, f"This needs a key with the scope {scope}.")


def hidden_client(service: Service) -> str:
    """Return who the client is, as the log may know it.

    The router says what its split went by (`X-Client-Key`); without a router it is the user id, else the key, else the
    address.
    """
    headers = request.headers
    client = headers.get("X-Client-Key")
    if client is None:
        user = headers.get("X-User-Id")
        client = f"user:{user}" if user else f"key:{g.key_id}" if "key_id" in g else f"address:{request.remote_addr}"
    return service.hide(client)


def assigned_track() -> str | None:
    """Return the track that the router chose; it may have fallen back to this one."""
    track = request.headers.get("X-Assigned-Track")
    return track if track in TRACKS else None
