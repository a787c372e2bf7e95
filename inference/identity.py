"""Who asks: the holder of the key, and the client that the router's split and the log know."""

from inference import limits
from inference.here import asked, kept
from inference.problems import NO_KEY, WRONG_SCOPE, ProblemError
from inference.service import Service
from ratchet.contracts.ports import Track
from ratchet.serve.replay import is_genuine_ticket

TRACKS = frozenset(track.value for track in Track)


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


def hidden_client(service: Service) -> str:
    """Return who the client is, as the log may know it.

    The router says what its split went by (`X-Client-Key`); without a router it is the user id, else the key, else the
    address.
    """
    environ = asked().environ
    client = environ.get("HTTP_X_CLIENT_KEY")
    if client is None:
        user, key_id = environ.get("HTTP_X_USER_ID"), kept().get("key_id")
        client = f"user:{user}" if user else f"key:{key_id}" if key_id else f"address:{environ.get('REMOTE_ADDR')}"
    return service.hide(client)


def assigned_track() -> str | None:
    """Return the track that the router chose; it may have fallen back to this one."""
    track = asked().environ.get("HTTP_X_ASSIGNED_TRACK")
    return track if track in TRACKS else None
