"""The request at hand without Flask's proxies: each use of one is a look-up of its own, and every forecast has many."""

from codecs import BOM_UTF8
from typing import TYPE_CHECKING, cast

from flask import Request, g, request
from werkzeug.exceptions import ClientDisconnected

from inference.problems import ENCODED, IDENTITY, ProblemError

if TYPE_CHECKING:
    from flask.ctx import _AppCtxGlobals
    from werkzeug.local import LocalProxy


def asked() -> Request:
    """Return the request itself."""
    return cast("LocalProxy[Request]", request)._get_current_object()  # noqa: SLF001  # Werkzeug's documented name


def body() -> bytes:
    """Return the request's body, without the byte order mark that some programs begin a text with (RFC 8259, 8.1)."""
    return _read(asked()).removeprefix(BOM_UTF8)


def _read(request: Request) -> bytes:
    """What says its length and is not too long is read without Flask's guards around it."""
    if request.environ.get("HTTP_CONTENT_ENCODING", "").lower() not in {"", IDENTITY}:
        raise ProblemError(ENCODED, "Send the body as it is, without Content-Encoding.")
    length = request.environ.get("CONTENT_LENGTH", "")
    if length.isdecimal() and int(length) <= (request.max_content_length or 0):
        read: bytes = request.environ["wsgi.input"].read(int(length))
        if len(read) < int(length):
            raise ClientDisconnected
        return read
    return request.get_data(cache=False)


def kept() -> "_AppCtxGlobals":
    """Return what is kept while it lasts: `flask.g` itself."""
    return cast("LocalProxy[_AppCtxGlobals]", g)._get_current_object()  # noqa: SLF001  # Werkzeug's documented name
