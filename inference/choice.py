"""An operator may ask for a track by `X-Track`; for everybody else the router's split decides and the header means nothing.

The router cannot check keys, so the track that a request reached does, and sends it back to be handed to the other one.
"""

from flask import Flask, Response

from inference.here import asked
from inference.identity import TRACKS
from inference.service import Service
from ratchet.contracts.errors import NotReadyError


def register(app: Flask, service: Service) -> None:
    """Look at every request that comes through the router and asks for a track."""

    @app.before_request
    def choose() -> Response | None:
        environ = asked().environ
        wanted = environ.get("HTTP_X_TRACK")
        if wanted is None or wanted == service.track.value or wanted not in TRACKS:
            return None
        if "HTTP_X_ASSIGNED_TRACK" not in environ or not _is_operator(service, environ.get("HTTP_X_API_KEY", "")):
            return None
        return Response(headers={"X-Accel-Redirect": f"@{wanted}"})


def _is_operator(service: Service, key: str) -> bool:
    try:
        holder = service.keys.holder(key) if key else None
    except NotReadyError:
        return False
    return holder is not None and "operate" in holder.scopes
