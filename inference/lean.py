"""Flask without what serving has no use for: two things that every request would pay for, and redirects."""

from typing import TYPE_CHECKING, Any

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

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401, whatever Flask takes
        """A path with two slashes is another path: Flask would send its caller to an address that nobody can reach."""
        super().__init__(*args, **kwargs)
        self.url_map.merge_slashes = False

    def create_url_adapter(self, request: Request | None) -> "MapAdapter | None":
        """Return what finds the route of a request; no address is ever built from one."""
        if request is None:
            return None
        return self.url_map.bind("inference", path_info=request.path, default_method=request.method)
