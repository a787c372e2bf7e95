"""Flask without two things that serving has no use for and that every request would pay for."""

from typing import TYPE_CHECKING

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface

if TYPE_CHECKING:
    from werkzeug.routing import MapAdapter


class NoSessions(SessionInterface):
    """Nobody has a session: clients are known by their keys."""

    _nothing = NullSession()

    def open_session(self, *_: object) -> NullSession:
        """Return the one session that is always empty."""
        return self._nothing

    def is_null_session(self, _: object) -> bool:
        """There is never anything to save."""
        return True


class LeanFlask(Flask):
    """No cookie is read, and routes are found by path and method alone, whatever host the client says it wants."""

    session_interface = NoSessions()

    def create_url_adapter(self, request: Request | None) -> "MapAdapter | None":
        """Return what finds the route of a request; no address is ever built from one."""
        if request is None:
            return None
        return self.url_map.bind("inference", path_info=request.path, default_method=request.method)
